"""The ledger: its rows and the file that holds them."""

from dataclasses import fields

from joblake.lake.ledger import LEDGER_SCHEMA, LedgerRow

TEXT, COUNT, INSTANT = "string", "int64", "timestamp[us, tz=UTC]"


def test_a_ledger_row_is_as_documented():
    """The columns of the ledger, in order; a row has these fields and no other."""
    texts = dict.fromkeys(["run_id", "table_name", "account_id", "region_name", "parent"], TEXT)
    counts = ["listed", "added", "changed", "vanished", "held", "pages", "requests"]
    expected = {
        **texts,
        "started_at": INSTANT,
        "ended_at": INSTANT,
        "outcome": TEXT,
        "filters": TEXT,
        **dict.fromkeys(counts, COUNT),
        "error": TEXT,
    }
    assert [(f.name, str(f.type)) for f in LEDGER_SCHEMA] == list(expected.items())
    assert [field.name for field in fields(LedgerRow)] == LEDGER_SCHEMA.names
