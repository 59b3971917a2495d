"""Two parsers make rows of pages, and nothing is lost for being odd.

data/samples/<table>.json are pages as the service might send them, tests/golden/<table>.rows.json
the rows that they give, each with the reason it is there. Null columns are left out there.
"""

import json
import math
import sys
import time
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from fractions import Fraction
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from declared import SOURCES, operation_of
from examples import examples
from joblake.errors import DamagedPageError
from joblake.listing.fast import parse_rows
from joblake.listing.json_text import canonical_json, load_json
from joblake.listing.pages import receive_page
from joblake.listing.rows import ParsedRows, parse_pages
from joblake.listing.tolerant import flatten_items
from joblake.sources.schema import item_columns, listed_schema
from joblake.sources.service_model import Member, Operation

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "sources" / "golden"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

CUSTOMIZATION = SOURCES["model_customization_jobs"].operation
INVOCATION = SOURCES["model_invocation_jobs"].operation
INFERENCE = SOURCES["trained_model_inference_jobs"].operation
OPERATIONS = [source.operation for source in SOURCES.values()]


def body_of(items: object, operation: Operation, **others: object) -> bytes:
    """A page's body as a service sends it."""
    return json.dumps({operation.result_key: items, **others}).encode()


def body_with(member: str, value: str, operation: Operation = CUSTOMIZATION) -> bytes:
    """A page of one item whose member is spelled exactly so."""
    return f'{{"{operation.result_key}":[{{"jobArn":"a","{member}":{value}}}]}}'.encode(
        errors="surrogateescape"
    )


def parse_page(body: bytes, operation: Operation, *, store_sensitive: bool = True) -> ParsedRows:
    """The rows of a page alone."""
    raw = receive_page(body, operation)
    (parsed,) = parse_pages([raw], operation, store_sensitive=store_sensitive)
    return parsed


def parse_fast(body: bytes, operation: Operation) -> ParsedRows | None:
    """The rows as the fast parser alone has them; None where it leaves them to the other."""
    raw = receive_page(body, operation)
    rows = parse_rows(raw.items, operation)
    return None if rows is None else ParsedRows(rows, raw.next_token)


def parse_tolerant(body: bytes, operation: Operation) -> ParsedRows:
    """The rows of a sound page as the tolerant parser alone has them, from the whole body."""
    answer = load_json(body)
    items = [item for item in answer[operation.result_key] if item is not None]
    rows, odd_values = flatten_items(items, operation)
    return ParsedRows(rows, receive_page(body, operation).next_token, odd_values)


def only_row(body: bytes, operation: Operation = CUSTOMIZATION) -> dict[str, object]:
    """The one row of a page, which must be the same through every parser that takes it."""
    page = parse_page(body, operation)
    assert page.rows.equals(parse_tolerant(body, operation).rows)
    (row,) = page.rows.to_pylist()
    return row


def extra_of(row: dict[str, object]) -> object:
    return None if row["extra"] is None else json.loads(row["extra"])


# --- values as the service model shapes them, and others ---------------------------------------

INT64 = st.integers(-(2**63), 2**63 - 1)
# Within what nanoseconds can hold, so that the fast parser takes it.
NEAR_INSTANTS = st.datetimes(datetime(1700, 1, 1), datetime(2250, 1, 1))  # noqa: DTZ001
PLAIN_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="{}[]"))


@st.composite
def iso_texts(draw: st.DrawFn) -> str:
    instant = draw(NEAR_INSTANTS)
    fraction = draw(st.text("0123456789", max_size=9))
    zone = draw(st.sampled_from(["Z", "+00:00", "-07:00", "+0530"]))
    return f"{instant:%Y-%m-%dT%H:%M:%S}" + (f".{fraction}" if fraction else "") + zone


def shaped(member: Member) -> st.SearchStrategy[object]:
    """Values that fit a member of the service model; null and absent ones among them."""
    match member.kind:
        case "structure":
            children = {child.name: st.none() | shaped(child) for child in member.members}
            return st.fixed_dictionaries({}, optional=children)
        case "list":
            return st.lists(st.none() | shaped(member.element), max_size=3)
        case "timestamp":
            return iso_texts()
        case "integer" | "long":
            return INT64
        case "string":
            return PLAIN_TEXT | st.sampled_from(member.allowed_values or ("",))
    raise NotImplementedError(member.kind)


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(2**62, 2**65)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters())
    | st.text("0123456789-+:. TtZzMonJan,", max_size=30)
    | iso_texts(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def odd(member: Member) -> st.SearchStrategy[object]:
    """Items whose every member may be anything, and that have members nobody knows."""
    if member.kind != "structure":
        return shaped(member) | ANYTHING
    known = {child.name: odd(child) for child in member.members}
    unknown = st.dictionaries(st.text(), ANYTHING, max_size=2)
    structures = st.builds(
        lambda new, old: {**new, **old}, unknown, st.fixed_dictionaries({}, optional=known)
    )
    return structures | ANYTHING


ITEMS = {operation.name: shaped(operation.item) for operation in OPERATIONS}
ODD_ITEMS = {operation.name: odd(operation.item) for operation in OPERATIONS}


def over_operations(items: dict[str, st.SearchStrategy[object]], **counts: int) -> object:
    """An operation and a list of its items."""
    return st.sampled_from(OPERATIONS).flatmap(
        lambda operation: st.tuples(st.just(operation), st.lists(items[operation.name], **counts))
    )


# --- golden rows -------------------------------------------------------------------------------


@pytest.mark.parametrize("table", SOURCES)
def test_sample_pages_give_their_golden_rows(table):
    """Each sample page gives exactly the rows that stand beside it."""
    operation = SOURCES[table].operation
    page = parse_page((ROOT / "data" / "samples" / f"{table}.json").read_bytes(), operation)
    golden = json.loads((GOLDEN / f"{table}.rows.json").read_text(encoding="utf-8"))
    rows = [
        {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in row.items()
            if value is not None
        }
        for row in page.rows.to_pylist()
    ]
    assert rows == [entry["row"] for entry in golden], f"now they are:\n{json.dumps(rows)}"
    assert all(entry["why"] for entry in golden)


@pytest.mark.parametrize("table", SOURCES)
def test_sample_pages_have_every_member(table):
    """The first item of each sample page fills every column but `extra`."""
    operation = SOURCES[table].operation
    page = parse_page((ROOT / "data" / "samples" / f"{table}.json").read_bytes(), operation)
    first = page.rows.to_pylist()[0]
    assert [name for name, value in first.items() if value is None] == ["extra"]


# --- pages that are read together --------------------------------------------------------------


@given(st.data())
def test_pages_read_together_are_the_pages_read_alone(data):
    """Sound and odd pages, in any company: the same rows, the same last token, every page."""
    operation = data.draw(st.sampled_from(OPERATIONS))
    pages_of = st.lists(st.lists(ITEMS[operation.name], max_size=2), min_size=1, max_size=4)
    listed = data.draw(pages_of)
    odd_page = st.lists(ODD_ITEMS[operation.name], max_size=1)
    odd = data.draw(st.lists(odd_page, max_size=1))
    answers = data.draw(st.permutations(listed + odd))
    bodies = [
        body_of(items, operation, **{operation.output_token: f"token {number}"})
        for number, items in enumerate(answers)
    ]
    alone = [parse_page(body, operation) for body in bodies]
    received = [receive_page(body, operation) for body in bodies]
    together = list(parse_pages(received, operation))
    assert pa.concat_tables([page.rows for page in together]).equals(
        pa.concat_tables([page.rows for page in alone])
    )
    assert together[-1].next_token == alone[-1].next_token
    assert sum(page.odd_values for page in together) == sum(page.odd_values for page in alone)
    assert sum(page.page_count for page in together) == len(bodies)
    assert len(together) == 1 or odd


# --- two parsers, one table --------------------------------------------------------------------


@given(over_operations(ITEMS, max_size=3), st.none() | PLAIN_TEXT, st.booleans())
def test_both_parsers_give_the_same_table_for_well_formed_pages(drawn, token, is_ascii):
    """The fast parser takes every page that the model describes, and reads it like the other."""
    operation, items = drawn
    answer = {operation.output_token: token, operation.result_key: [*items, None]}
    body = json.dumps(answer, ensure_ascii=is_ascii).encode()
    fast, tolerant = parse_fast(body, operation), parse_tolerant(body, operation)
    assert fast is not None
    assert fast.rows.equals(tolerant.rows)
    assert fast.rows.schema.equals(listed_schema(operation))
    assert (fast.next_token, fast.odd_values) == (tolerant.next_token, tolerant.odd_values)
    assert fast.rows.num_rows == len(items)


@examples(2)
@given(over_operations(ODD_ITEMS, max_size=2), st.booleans())
def test_both_parsers_agree_on_odd_pages_too(drawn, is_ascii):
    """Whatever the fast parser takes of an odd page, it reads like the tolerant one."""
    operation, items = drawn
    text = json.dumps({operation.result_key: items}, ensure_ascii=is_ascii)
    body = text.encode(errors="surrogatepass")
    fast, tolerant = parse_fast(body, operation), parse_tolerant(body, operation)
    assert tolerant.rows.schema.equals(listed_schema(operation))
    if fast is not None:
        assert fast.rows.equals(tolerant.rows)
        assert tolerant.odd_values == 0


# --- nothing is lost ---------------------------------------------------------------------------


def without_nulls(value: object) -> object:
    match value:
        case dict():
            return {
                name: without_nulls(inner) for name, inner in value.items() if inner is not None
            }
        case list():
            return [without_nulls(inner) for inner in value]
    return value


def expected_item(item: object, shape: Member) -> object:
    """What a row must still tell of an item: all of it but nulls and empty known structures."""
    if not isinstance(item, dict) or shape.kind != "structure":
        return without_nulls(item)
    told = {}
    for name, value in item.items():
        child = shape.member_by_name.get(name)
        kept = without_nulls(value) if child is None else expected_item(value, child)
        is_empty = child is not None and child.kind == "structure" and kept == {}
        if kept is not None and not is_empty:
            told[name] = kept
    return told


def told_by(row: dict[str, object], operation: Operation) -> object:
    """The item put together again from the columns and `extra` of its row."""
    rest = extra_of(row)
    if rest is not None and not isinstance(rest, dict):
        return rest
    item = rest or {}
    for column in item_columns(operation):
        value = row[column.name]
        if value is None:
            continue
        place = item
        for name in column.path[:-1]:
            place = place.setdefault(name, {})
        assert column.path[-1] not in place, "a value stands in its column and in extra"
        place[column.path[-1]] = json.loads(value) if column.is_json else value
    return item


def same(told: object, given_value: object) -> bool:
    match told, given_value:
        case dict(), dict():
            return told.keys() == given_value.keys() and all(
                same(told[name], given_value[name]) for name in told
            )
        case list(), list():
            return len(told) == len(given_value) and all(map(same, told, given_value))
        case datetime(), int() | float():
            seconds = Fraction(repr(given_value))
            return told == EPOCH + timedelta(microseconds=math.floor(seconds * 10**6))
        case datetime(), str():
            return True  # the instants have tests of their own
        case bool(), _:
            return told is given_value
        case _, bool():
            return False
    return told == given_value


@examples(3)
@given(over_operations(ODD_ITEMS, min_size=1, max_size=2))
@example((CUSTOMIZATION, [{"statusDetails": {"validationDetails": 5, "new": [None, {"x": None}]}}]))
@example((INFERENCE, [{"outputConfiguration": {"members": [{"accountId": 1}], "accept": []}}]))
def test_every_leaf_of_an_item_stands_in_a_column_or_in_extra(drawn):
    """From a row one can put the item together again: nothing is lost, nothing is told twice."""
    operation, items = drawn
    body = body_of(items, operation)
    received = [item for item in json.loads(body)[operation.result_key] if item is not None]
    rows = parse_page(body, operation).rows.to_pylist()
    assert len(rows) == len(received)
    for row, item in zip(rows, received, strict=True):
        told, expected = told_by(row, operation), expected_item(item, operation.item)
        assert same(told, expected), f"{told!r} tells not all of {expected!r}"


@given(over_operations(ODD_ITEMS, min_size=3, max_size=3))
def test_an_odd_item_never_changes_the_rows_of_its_neighbours(drawn):
    """Rows depend on their own item alone, whichever parser takes the page."""
    operation, items = drawn
    alone = [parse_page(body_of([item], operation), operation) for item in items]
    together = parse_page(body_of(items, operation), operation)
    assert together.rows.equals(pa.concat_tables([page.rows for page in alone]).combine_chunks())
    assert together.odd_values == sum(page.odd_values for page in alone)


def test_what_fits_no_column_is_counted():
    """Odd values are those of known members; unknown members are news, not oddities."""
    item = {
        "jobArn": 5,
        "status": ["Completed"],
        "creationTime": "soon",
        "statusDetails": {"validationDetails": "fine", "trainingDetails": {"status": {}}},
        "tomorrow": {"is": "unknown"},
    }
    page = parse_page(body_of([item, "text", {"jobArn": "b"}], CUSTOMIZATION), CUSTOMIZATION)
    assert page.odd_values == 6
    first, second, third = page.rows.to_pylist()
    assert extra_of(first) == item
    assert extra_of(second) == "text"
    assert (third["job_arn"], third["extra"]) == ("b", None)


# --- members and items that nobody expects -----------------------------------------------------


def test_unknown_members_of_every_level_stand_in_extra():
    """Members that the service model does not know are kept, nested as they came."""
    new = {"a": [1, {"b": None, "c": True}]}
    item = {
        "jobArn": "a",
        "new": new,
        "statusDetails": {"new": new, "validationDetails": {"status": "Completed", "new": new}},
    }
    row = only_row(body_of([item], CUSTOMIZATION))
    kept = {"a": [1, {"c": True}]}
    details = {"new": kept, "validationDetails": {"new": kept}}
    assert extra_of(row) == {"new": kept, "statusDetails": details}
    assert row["status_details__validation_details__status"] == "Completed"


def test_unknown_enum_values_and_union_members_pass():
    """A status of tomorrow is a status, and a union's new member is kept whole."""
    item = {"jobArn": "a", "status": "Teleporting", "inputDataConfig": {"s3v2": {"uri": "x"}}}
    row = only_row(body_of([item], INVOCATION), INVOCATION)
    assert row["status"] == "Teleporting"
    assert extra_of(row) == {"inputDataConfig": {"s3v2": {"uri": "x"}}}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_null_and_missing_members_are_the_same(operation):
    """A null member, a null structure and an absent one give the same row."""
    nulls = dict.fromkeys((child.name for child in operation.item.members), None)
    page = parse_page(body_of([nulls, {}], operation), operation)
    assert page.rows.slice(0, 1).equals(page.rows.slice(1, 1))
    assert set(page.rows.to_pylist()[0].values()) == {None}
    assert page.odd_values == 0


def test_null_items_are_no_items():
    """A null among the items gives no row, with odd neighbours and without."""
    for items in ([None, {"jobArn": "a"}, None], [None, {"jobArn": "a"}, None, "odd"]):
        page = parse_page(body_of(items, CUSTOMIZATION), CUSTOMIZATION)
        assert page.rows.num_rows == sum(item is not None for item in items)


@pytest.mark.parametrize("item", ["text", "", 0, 5, 1.5, True, False, [], [{"jobArn": "a"}]])
def test_an_item_that_is_no_object_stands_whole_in_extra(item):
    """Something else in the place of an item is a row of its own, and counted."""
    page = parse_page(body_of([item], CUSTOMIZATION), CUSTOMIZATION)
    (row,) = page.rows.to_pylist()
    assert {name for name, value in row.items() if value is not None} == {"extra"}
    assert json.loads(row["extra"]) == item
    assert page.odd_values == 1


def test_duplicate_keys_are_read_as_botocore_reads_them():
    """The last of two values under one key counts, through either parser."""
    assert only_row(body_with("jobName", '"x","jobName":"y"'))["job_name"] == "y"
    row = only_row(body_with("new", '1,"new":2'))
    assert extra_of(row) == {"new": 2}
    twice = f'{{"{CUSTOMIZATION.result_key}":[],"{CUSTOMIZATION.result_key}":[{{}}]}}'.encode()
    assert parse_page(twice, CUSTOMIZATION).rows.num_rows == 1


# --- instants ----------------------------------------------------------------------------------

DAY = datetime(2026, 1, 31, 8, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("spelling", "instant"),
    [
        ('"2026-01-31T08:15:30Z"', DAY),
        ('"2026-01-31T08:15:30+00:00"', DAY),
        ('"2026-01-31T08:15:30-00:00"', DAY),
        ('"2026-01-31T13:45:30+05:30"', DAY),
        ('"2026-01-31T13:45:30+0530"', DAY),
        ('"2026-01-31T00:15:30-08"', DAY),
        ('"2026-01-31 08:15:30Z"', DAY),
        ('"2026-01-31t08:15:30z"', DAY),
        ('" 2026-01-31T08:15:30Z "', DAY),
        ('"2026-01-31T08:15:30"', DAY),
        ('"2026-01-31 08:15:30"', DAY),
        ('"2026-01-31T08:15Z"', DAY.replace(second=0)),
        ('"2026-01-31"', DAY.replace(hour=0, minute=0, second=0)),
        ('"Sat, 31 Jan 2026 08:15:30 GMT"', DAY),
        ('"Sat, 31 Jan 2026 08:15:30 -0000"', DAY),
        ('"Sat, 31 Jan 2026 09:15:30 +0100"', DAY),
        ("1769847330", DAY),
        ("1769847330.0", DAY),
        ("1.76984733e9", DAY),
        ('"1769847330"', DAY),
        ('"1769847330.000"', DAY),
        ("1769847330.25", DAY.replace(microsecond=250_000)),
        ("0", EPOCH),
        ("-0.25", EPOCH - timedelta(microseconds=250_000)),
        ('"-86400"', EPOCH - timedelta(days=1)),
        ("1769847330.123456789", DAY.replace(microsecond=123_456)),
        ('"1769847330.123456789"', DAY.replace(microsecond=123_456)),
        ('"2026-01-31T08:15:30.123456789Z"', DAY.replace(microsecond=123_456)),
        ('"2026-01-31T08:15:30.1234567899999Z"', DAY.replace(microsecond=123_456)),
        ('"1969-12-31T23:59:59.9999999Z"', EPOCH - timedelta(microseconds=1)),
        ('"1969-12-31T23:59:59.999999999+00:00"', EPOCH - timedelta(microseconds=1)),
        ("-0.0000001", EPOCH - timedelta(microseconds=1)),
        ('"1960-06-01T00:00:00.5Z"', datetime(1960, 6, 1, 0, 0, 0, 500_000, tzinfo=UTC)),
        ('"0001-01-01T00:00:00Z"', datetime(1, 1, 1, tzinfo=UTC)),
        (
            '"9999-12-31T23:59:59.999999Z"',
            datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        ),
        ("253402300799", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_every_spelling_of_an_instant_is_the_same_instant(spelling, instant):
    """Offsets, fractions, letters, epochs and RFC 822: all become UTC microseconds, cut down."""
    row = only_row(body_with("endTime", spelling))
    assert row["end_time"] == instant
    assert row["extra"] is None


@pytest.mark.parametrize("spelling", ['"2026-01-31T08:15:30"', '"Sat, 31 Jan 2026 08:15:30"'])
def test_the_zone_of_the_machine_does_not_matter(monkeypatch, spelling):
    """A lake written in Tokyo holds the same instants as one written in London."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        # The odd neighbour sends the page through the tolerant parser.
        body = body_with("endTime", spelling)
        odd = body.replace(b"}]", b'},{"endTime":true}]')
        pages = [parse_page(body, CUSTOMIZATION), parse_page(odd, CUSTOMIZATION)]
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()
    assert [page.rows["end_time"][0].as_py() for page in pages] == [DAY, DAY]


@pytest.mark.parametrize(
    "spelling",
    [
        '""',
        '" "',
        '"soon"',
        '"nan"',
        '"-inf"',
        '"2026-02-30T00:00:00Z"',
        '"2026-01-31T25:00:00Z"',
        '"2026-01-31T08:15:30+25:00"',
        '"9999-12-31T23:59:59-01:00"',
        '"0001-01-01T00:00:00+01:00"',
        '"10000-01-01T00:00:00Z"',
        '"1e99999999"',
        "1e300",
        "-1e300",
        "253402300800",
        "170141183460469231731687303715884105728",
        "true",
        "[]",
        "{}",
        '{"seconds":5}',
    ],
)
def test_what_is_no_instant_stands_in_extra(spelling):
    """A value that no calendar holds is kept as it came, and counted."""
    body = body_with("endTime", spelling)
    row = only_row(body)
    assert row["end_time"] is None
    assert extra_of(row) == {"endTime": json.loads(spelling)}
    assert parse_page(body, CUSTOMIZATION).odd_values == 1


@given(
    st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29)),  # noqa: DTZ001 - placed in UTC below
    st.integers(-23 * 60, 23 * 60),
    st.sampled_from("Tt "),
    st.text("0123456789", max_size=3),
)
def test_one_instant_in_any_iso_spelling_gives_one_value(naive, minutes, separator, digits):
    """Nights may spell an instant differently; the lake sees no change in that."""
    instant = naive.replace(tzinfo=UTC)
    moved = instant.astimezone(timezone(timedelta(minutes=minutes)))
    text = moved.isoformat(separator, "microseconds")
    spellings = [text, text[:26] + digits + text[26:], instant.isoformat(separator)]
    items = [{"endTime": spelling} for spelling in spellings]
    odd_neighbour = [{"endTime": True}]
    for page in (
        parse_page(body_of(items, CUSTOMIZATION), CUSTOMIZATION),
        parse_page(body_of(items + odd_neighbour, CUSTOMIZATION), CUSTOMIZATION),
    ):
        assert set(page.rows["end_time"].to_pylist()[:3]) == {instant}


@given(st.datetimes(datetime(1900, 1, 1), datetime(2090, 1, 1)))  # noqa: DTZ001 - placed in UTC below
def test_one_instant_as_epoch_and_as_text_gives_one_value(naive):
    """Epoch numbers, their texts and ISO 8601 agree to the microsecond."""
    instant = naive.replace(tzinfo=UTC)
    microseconds = (instant - EPOCH) // timedelta(microseconds=1)
    sign, magnitude = ("-" if microseconds < 0 else ""), abs(microseconds)
    number = f"{sign}{magnitude // 10**6}.{magnitude % 10**6:06}"
    for spelling in (number, f'"{number}"', f'"{number}000"', f'"{instant.isoformat()}"'):
        assert only_row(body_with("endTime", spelling))["end_time"] == instant
    whole = instant.replace(microsecond=0)
    for spelling in (str(math.floor(whole.timestamp())), f'"{format_datetime(whole)}"'):
        assert only_row(body_with("endTime", spelling))["end_time"] == whole


# --- numbers and texts -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spelling", "count"),
    [
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("5.0", 5),
        ("5e0", 5),
        ("5e2", 500),
        ("-0", 0),
        ("-0.0", 0),
        ("4611686018427387904.0", 2**62),
    ],
)
def test_whole_numbers_fill_an_integer_column(spelling, count):
    """An integer is an integer however it is written, up to the bounds of 64 bits."""
    row = only_row(body_with("totalRecordCount", spelling, INVOCATION), INVOCATION)
    assert (row["total_record_count"], row["extra"]) == (count, None)


@pytest.mark.parametrize(
    ("spelling", "kept"),
    [
        ("9223372036854775808", 2**63),
        ("-9223372036854775809", -(2**63) - 1),
        ("9223372036854775808.0", 2.0**63),
        ("5.5", 5.5),
        ("1e300", 1e300),
        ("1e400", "1e400"),
        ("-1e400", "-1e400"),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ("true", True),
        ('"5"', "5"),
        ("[5]", [5]),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_other_numbers_stand_in_extra(spelling, kept):
    """What an integer column cannot hold exactly is kept beside it; no number becomes another."""
    row = only_row(body_with("totalRecordCount", spelling, INVOCATION), INVOCATION)
    assert row["total_record_count"] is None
    assert extra_of(row) == {"totalRecordCount": kept}
    assert type(extra_of(row)["totalRecordCount"]) is type(kept)


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "\0",
        "a\0b",
        "🦜",
        "o'brien",
        '"; drop table jobs; --',
        "../../{}[*]?",
        "\u2028\ufeff",
    ],
)
def test_hostile_names_stay_as_they_are(name):
    """A name is text and nothing else, escaped and unescaped, through either parser."""
    for is_ascii in (True, False):
        spelling = json.dumps(name, ensure_ascii=is_ascii)
        assert only_row(body_with("jobName", spelling))["job_name"] == name


@pytest.mark.parametrize("character", ["\0", "\n", "\t", "\x1f", "\x7f"])
def test_raw_control_characters_are_kept(character):
    """JSON forbids them raw, services send them all the same."""
    row = only_row(body_with("jobName", f'"a{character}b"'))
    assert row["job_name"] == f"a{character}b"


def test_texts_of_a_megabyte_pass():
    """Size alone is no reason to refuse a text, in a column or in extra."""
    text = "x" * 2**20
    row = only_row(body_with("jobName", f'"{text}","new":"{text}"'))
    assert row["job_name"] == text
    assert extra_of(row) == {"new": text}


@pytest.mark.parametrize("spelling", ['"\\ud800"', '"a\\udfffb"', '"\\udc00\\ud800"'])
def test_lone_surrogates_stand_in_extra_as_escapes(spelling):
    """Text that no UTF-8 can carry is kept in the spelling that JSON has for it."""
    row = only_row(body_with("jobName", spelling))
    assert row["job_name"] is None
    assert extra_of(row) == {"jobName": json.loads(spelling)}


@pytest.mark.parametrize(
    "octets", [b"\xff", b"a\xc3", b"\xed\xa0\x80", b"\xf0\x9f\xa6", b"\xc0\x80"]
)
def test_bytes_that_are_no_utf_8_can_be_had_back_from_extra(octets):
    """A broken encoding is odd, not fatal: the very bytes can be recovered."""
    row = only_row(body_with("jobName", f'"{octets.decode(errors="surrogateescape")}"'))
    assert row["job_name"] is None
    assert extra_of(row)["jobName"].encode(errors="surrogateescape") == octets


def test_every_column_is_valid_utf_8():
    """No text of any page makes a file that other readers refuse."""
    page = parse_page(body_with("new\udcff", '{"\udcff":"\udcff"}'), CUSTOMIZATION)
    page.rows.validate(full=True)
    assert extra_of(page.rows.to_pylist()[0]) == {"new\udcff": {"\udcff": "\udcff"}}


# --- damaged bodies ----------------------------------------------------------------------------

SMALL_PAGE = (
    '{"nextToken": "t", "modelCustomizationJobSummaries": [{"jobArn": "a", "jobName": "ä\\u00e4",'
    ' "creationTime": "2026-01-31T08:00:00Z", "new": [1, {"a": null}]}, {"jobArn": "b"}]}'
).encode()


def test_a_page_cut_anywhere_is_damaged():
    """Not one beginning of a page passes for a page."""
    assert parse_page(SMALL_PAGE, CUSTOMIZATION).rows.num_rows == 2
    for length in range(len(SMALL_PAGE)):
        with pytest.raises(DamagedPageError):
            parse_page(SMALL_PAGE[:length], CUSTOMIZATION)


def test_a_well_formed_page_cut_anywhere_is_damaged():
    """The fast parser, too, takes no beginning for a page."""
    body = body_of([{"jobArn": "a", "creationTime": "2026-01-31T08:00:00Z"}] * 2, CUSTOMIZATION)
    assert parse_fast(body, CUSTOMIZATION) is not None
    for length in range(len(body)):
        with pytest.raises(DamagedPageError):
            parse_page(body[:length], CUSTOMIZATION)


KEY = CUSTOMIZATION.result_key.encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        b"\0",
        b"null",
        b" null ",
        b"true",
        b"5",
        b'"text"',
        b"[]",
        b"[null]",
        b"{}",
        b'[{"' + KEY + b'":[]}]',
        b'{"message":"Internal failure"}',
        b'{"nextToken":"t"}',
        b'{"' + KEY.lower() + b'":[]}',
        b'{"' + KEY + b'":null}',
        b'{"' + KEY + b'":{}}',
        b'{"' + KEY + b'":"[]"}',
        b'{"' + KEY + b'":0}',
        b'{"' + KEY + b'":[],"nextToken":5}',
        b'{"' + KEY + b'":[],"nextToken":["t"]}',
        b"{'" + KEY + b"':[]}",
        b'{"' + KEY + b'":[],}',
        b'{"' + KEY + b'":[{},]}',
        b'{"' + KEY + b'":[]}{"' + KEY + b'":[]}',
        b'{"' + KEY + b'":[]}\n{"' + KEY + b'":[]}',
        b'{"' + KEY + b'":[]}\nnull',
        b'{"' + KEY + b'":[]}\0',
        b'{"' + KEY + b'":[]};',
        SMALL_PAGE.decode().encode("utf-16"),
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
        b"<!DOCTYPE html><html><body>503 Service Unavailable</body></html>",
        b"<" + SMALL_PAGE,
        b"upstream connect error or disconnect/reset before headers",
    ],
)
def test_what_is_no_page_is_damaged(body):
    """HTML, nothing, other JSON, no list of items: an error, never an empty page."""
    with pytest.raises(DamagedPageError, match="ListModelCustomizationJobs"):
        parse_page(body, CUSTOMIZATION)


@given(st.binary(max_size=200))
def test_random_bytes_are_damaged(body):
    """Noise raises the one error that has the listing ask again."""
    with pytest.raises(DamagedPageError):
        parse_page(body, CUSTOMIZATION)


@examples(3)
@given(st.data())
def test_a_damaged_page_never_ends_otherwise_than_as_page_or_damaged(data):
    """Bytes replaced anywhere give a page or DamagedPageError, and no other error."""
    start = data.draw(st.integers(0, len(SMALL_PAGE)))
    end = data.draw(st.integers(start, min(start + 10, len(SMALL_PAGE))))
    noise = data.draw(st.binary(max_size=4) | st.sampled_from([b"null", b"{", b"[", b"}", b'"']))
    body = SMALL_PAGE[:start] + noise + SMALL_PAGE[end:]
    try:
        page = parse_page(body, CUSTOMIZATION)
    except DamagedPageError:
        return
    assert page.rows.schema.equals(listed_schema(CUSTOMIZATION))
    assert page.rows.equals(parse_tolerant(body, CUSTOMIZATION).rows)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize("is_closed", [True, False])
def test_bottomless_nesting_is_damage(opening, is_closed):
    """Nesting without end exhausts no stack, neither Python's nor that of the JSON parser."""
    depth = 200_000
    closing = ("]" if opening == "[" else "}") * depth if is_closed else ""
    body = body_with("new", opening * depth + "1" + closing)
    with pytest.raises(DamagedPageError):
        parse_page(body, CUSTOMIZATION)


@pytest.mark.parametrize("text", ["]" * 2000, '\\"]' * 2000, "\\\\", '","' * 2000 + "]" * 2000])
@pytest.mark.parametrize("depth", [65, 600])
def test_brackets_in_texts_hide_no_depth(text, depth):
    """What is nested more deeply than pyarrow should see never reaches it, whatever texts say."""
    deep = "[" * depth + "]" * depth
    item = f'{{"jobName":{json.dumps(text)},"new":{deep}}}'
    body = f'{{"{CUSTOMIZATION.result_key}":[{item}]}}'.encode()
    assert parse_fast(body, CUSTOMIZATION) is None


@pytest.mark.parametrize("text", ["[" * 200, '{"' * 200, '\\"[' * 200])
def test_brackets_in_texts_are_no_depth(text):
    """A page of the known shape takes the fast parser, whatever its texts hold."""
    body = body_of([{"jobName": text}], CUSTOMIZATION)
    page = parse_fast(body, CUSTOMIZATION)
    assert page is not None
    assert page.rows.equals(parse_tolerant(body, CUSTOMIZATION).rows)


@pytest.mark.parametrize("depth", [1, 50, 70, 100, sys.getrecursionlimit() // 4])
def test_deep_nesting_is_kept(depth):
    """Unknown members may nest deeper than any documented one."""
    deep = "[" * depth + "]" * depth
    assert only_row(body_with("new", deep))["extra"] == f'{{"new":{deep}}}'


# --- tokens ------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", " ", "\n\t", None])
@pytest.mark.parametrize("items", [[], [{"jobArn": "a"}], [{"new": 1}]])
def test_blank_tokens_end_the_listing(token, items):
    """An empty, blank or null token is none; so is an absent one."""
    named = body_of(items, CUSTOMIZATION, nextToken=token)
    assert parse_page(named, CUSTOMIZATION).next_token is None
    assert parse_page(body_of(items, CUSTOMIZATION), CUSTOMIZATION).next_token is None


@pytest.mark.parametrize("token", ["t", " t ", "x" * 10_240, '{"a":[}', "ä🦜", "\ud800"])
@pytest.mark.parametrize("items", [[], [{"jobArn": "a"}], [{"new": 1}]])
def test_tokens_stay_as_they_are_before_and_after_the_items(token, items):
    """A token is opaque, and may stand on either side of the list."""
    answer = {CUSTOMIZATION.result_key: items, "nextToken": token}
    for ordered in (answer, dict(reversed(answer.items()))):
        page = parse_page(json.dumps(ordered).encode(), CUSTOMIZATION)
        assert page.next_token == token
        assert page.rows.num_rows == len(items)


# --- sensitive members -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "items",
    [
        [{"jobArn": "a", "message": "secret"}],
        [{"jobArn": "a", "message": ["secret"]}],
        [{"jobArn": "a", "message": {"text": "secret"}, "new": 1}],
        [{"jobArn": "a", "message": "secret\ud800"}],
        [["secret"]],
        ["secret", {"jobArn": "a", "message": "secret", "new": {"a": 1}}],
    ],
)
def test_sensitive_members_are_left_out_everywhere(items):
    """Without store_sensitive no text of `message` reaches a row, odd or not."""
    body = body_of(items, INVOCATION)
    kept = parse_page(body, INVOCATION)
    page = parse_page(body, INVOCATION, store_sensitive=False)
    assert "secret" in json.dumps(kept.rows.to_pylist())
    assert "secret" not in json.dumps(page.rows.to_pylist())
    assert page.rows.schema.equals(kept.rows.schema)
    assert page.rows["job_arn"].equals(kept.rows["job_arn"])


@given(st.lists(ODD_ITEMS[INVOCATION.name].filter(lambda item: isinstance(item, dict)), max_size=2))
def test_only_sensitive_members_are_left_out(items):
    """A page without its messages is the page of items that have none."""
    body = body_of(items, INVOCATION)
    without = [{name: value for name, value in item.items() if name != "message"} for item in items]
    stripped = parse_page(body, INVOCATION, store_sensitive=False).rows
    assert stripped.equals(parse_page(body_of(without, INVOCATION), INVOCATION).rows)


# --- members that a later SDK may bring --------------------------------------------------------


@pytest.mark.parametrize(
    ("member", "value", "cell"),
    [
        (Member("x", "double"), 1, 1.0),
        (Member("x", "float"), 1.5, 1.5),
        (Member("x", "boolean"), False, False),
        (Member("x", "blob"), "AAA=", "AAA="),
        (Member("x", "document"), {"b": [1, None], "a": None}, '{"b":[1,null]}'),
        (Member("x", "document"), "text", '"text"'),
        (
            Member("x", "map", element=Member("", "string")),
            {"b": "2", "a": "1"},
            '{"a":"1","b":"2"}',
        ),
        (
            Member("x", "list", element=Member("", "timestamp")),
            ["2026-01-31T08:00:00Z"],
            '["2026-01-31T08:00:00Z"]',
        ),
        (
            Member(
                "x",
                "list",
                element=Member("", "structure", members=(Member("at", "timestamp"),)),
            ),
            [{"at": "2026-01-31T08:00:00Z"}],
            '[{"at":"2026-01-31T08:00:00Z"}]',
        ),
        (Member("x", "list", element=Member("", "double")), [1, 2.5], "[1,2.5]"),
        (
            Member("x", "list", element=Member("", "list", element=Member("", "integer"))),
            [[1], []],
            "[[1],[]]",
        ),
        (Member("x", "list", element=Member("", "document")), [{"a": 1}], '[{"a":1}]'),
    ],
)
def test_every_kind_of_member_fills_its_column(member, value, cell):
    """A kind of shape that today's operations lack would arrive all the same."""
    operation = operation_of(Member("jobArn", "string"), member)
    body = body_of([{"jobArn": "a", "x": value}], operation)
    row = only_row(body, operation)
    assert row == {"job_arn": "a", "x": cell, "extra": None}
    assert type(row["x"]) is type(cell)


def test_sensitive_structures_are_left_out_with_all_that_stands_in_them():
    """What is unknown inside of a sensitive structure, or odd in its place, is sensitive."""
    inner = Member("inner", "structure", is_sensitive=True, members=(Member("x", "string"),))
    outer = Member(
        "outer",
        "structure",
        members=(Member("y", "string"), Member("z", "string", True, True)),  # noqa: FBT003
    )
    operation = operation_of(inner, outer)
    items = [
        {"inner": {"x": "secret", "new": "secret"}, "outer": {"y": "told", "z": ["secret"]}},
        {"inner": ["secret"], "outer": "secret"},
    ]
    page = parse_page(body_of(items, operation), operation, store_sensitive=False)
    empty = {"inner__x": None, "outer__y": None, "outer__z": None, "extra": None}
    first, second = page.rows.to_pylist()
    assert "secret" not in json.dumps([first, second])
    assert first["outer__y"] == "told"
    assert second == empty


# --- canonical JSON ----------------------------------------------------------------------------


def shuffled(value: object, draw: st.DrawFn) -> object:
    """The same value with its members in another order and nulls strewn in."""
    match value:
        case dict():
            members = draw(st.permutations([*value.items(), ("an absent member", None)]))
            return {name: shuffled(inner, draw) for name, inner in members}
        case list():
            return [shuffled(inner, draw) for inner in value]
    return value


@given(ANYTHING, st.data())
def test_equal_values_have_equal_json(value, data):
    """The order of members and null members make no difference to the text."""
    text = canonical_json(value)
    assert canonical_json(shuffled(value, data.draw)) == text
    text.encode()


@given(ANYTHING)
def test_canonical_json_tells_the_value(value):
    """From the text one gets the value back, nulls of objects apart."""
    assert same(json.loads(canonical_json(value)), json.loads(json.dumps(without_nulls(value))))


def test_canonical_json_is_text_for_people():
    """No escapes where UTF-8 will do, no spaces, members in order."""
    assert canonical_json({"b": "ä🦜", "a": [None, {"x": None}]}) == '{"a":[null,{}],"b":"ä🦜"}'
