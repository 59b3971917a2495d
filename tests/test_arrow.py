"""Arrow values from Python's, and what they are for: an export without pandas."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporting import BATCHES, batch_job
from joblake import arrow
from joblake.endpoint import FixedResources
from joblake.lake.ledger import LEDGER_SCHEMA

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(TEXTS, max_size=5))
def test_texts_are_what_pyarrow_makes_of_them(values):
    """The same array, empty and non-ASCII texts included, and valid to the last offset."""
    array = arrow.texts(values)
    array.validate(full=True)
    assert array.equals(pa.array(values, pa.string()))
    assert [arrow.text(value).as_py() for value in values] == values


@pytest.mark.parametrize("kind", [np.int8, np.int32, np.int64, np.float64])
def test_numbers_are_what_pyarrow_makes_of_them(kind):
    """The same array, of a slice with gaps too."""
    values = np.arange(10).astype(kind)
    for given_values in (values, values[:0], values[2:7], values[::3]):
        assert arrow.numbers(given_values).equals(pa.array(given_values))


def test_a_lone_surrogate_is_no_text():
    """What UTF-8 cannot carry is refused rather than respelled."""
    with pytest.raises(UnicodeEncodeError):
        arrow.text("\ud800")


def test_no_rows_have_all_columns():
    """An empty table is empty in every column, and so is an empty batch."""
    empty = LEDGER_SCHEMA.empty_table()
    assert arrow.no_rows(LEDGER_SCHEMA).equals(empty)
    assert pa.Table.from_batches([arrow.empty_batch(LEDGER_SCHEMA)]).equals(empty)


EXPORT = """
import sys
from datetime import datetime
from exporting import run_export

at, table = datetime.fromisoformat({at!r}), ("model_invocation_jobs",)
(scope,) = run_export({lake!r}, at=at, table=table).scopes
assert scope.outcome == "complete", scope
sys.stdout.write(f"{{scope.added}} {{scope.changed}} {{scope.vanished}}")
assert "pandas" not in sys.modules
"""


def test_an_export_imports_no_pandas(serve, tmp_path, night):
    """Nor does a night that changes rows or has none: pandas takes longer than all of it."""
    resources = FixedResources()
    serve(resources)
    lake, found = str(tmp_path / "lake"), []
    first = [batch_job(n, vpcConfig={"subnetIds": ["a", "b"]}) for n in range(3)]
    second = [batch_job(1, status="Failed"), batch_job(2)]
    for number, jobs in enumerate((first, second, [])):
        resources.lists[BATCHES] = jobs
        script = EXPORT.format(lake=lake, at=(night + timedelta(days=number)).isoformat())
        command = [sys.executable, "-c", script]
        process = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False
        )
        assert process.stderr == ""
        found.append(process.stdout)
    assert found == ["3 0 0", "0 2 1", "0 0 2"]
