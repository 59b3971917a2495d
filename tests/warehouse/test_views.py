"""The views of `sql/`: what their headers promise, and the rows they give for rows put in.

`views/<schema>.<view>/<case>.json` holds one case: a claim, the lake's rows (only the columns that
matter) and the rows expected of the view, ordered by its key (only the columns that matter, the
same in every row). `query` replaces the view by another query.
"""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from declared import CATALOGUE, SOURCES
from joblake.endpoint import EndpointServer, World
from joblake.export.export import export
from joblake.export.planning import plan
from joblake.lake.local import Lake
from joblake.settings.settings import load_settings
from joblake.sources.schema import column_of, observation_schema
from joblake.warehouse.generated import generated_sql
from joblake.warehouse.views import VIEW_SCHEMAS, View, read_views, written_sql
from joblake.warehouse.warehouse import Warehouse, open_warehouse
from lake_rows import ACCOUNT, REGION, instant, paths_of, write_file, write_rows

VIEWS = {f"{view.schema}.{view.name}": view for view in read_views(CATALOGUE)}
CASES = sorted((Path(__file__).parent / "views").glob("*/*.json"))
LAYERS = ("observations", *VIEW_SCHEMAS)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    with open_warehouse(Lake.at(tmp_path_factory.mktemp("empty")), CATALOGUE) as warehouse:
        yield warehouse


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """Every case in one lake, each in an account of its own."""
    lake = Lake.at(tmp_path_factory.mktemp("full"))
    together: dict[str, list[dict[str, Any]]] = {}
    for number, case in enumerate(CASES):
        if case.parent.name != "checks.duplicate_observations":
            for table, rows in json.loads(case.read_text())["lake"].items():
                account = {"account_id": f"{number:012}"}
                together.setdefault(table, []).extend({**row, **account} for row in rows)
    write_rows(lake, together)
    with open_warehouse(lake, CATALOGUE) as warehouse:
        yield warehouse


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_rows(path: Path, tmp_path: Path):
    """Each case's claim: the view gives the expected rows, no more and no fewer."""
    case = json.loads(path.read_text())
    lake = Lake.at(tmp_path)
    write_rows(lake, case["lake"])
    with open_warehouse(lake, CATALOGUE) as warehouse:
        name = path.parent.name
        query = case.get("query", f"from {name}")
        order = ", ".join(VIEWS[name].key) if name in VIEWS else "all"
        found = warehouse.query(f"from ({query}) order by {order}").to_pylist()
    names = case["expected"][0].keys() if case["expected"] else ()
    shown = [{name: row[name] for name in names} for row in found]
    assert shown == [_typed(row, like) for row, like in _paired(case["expected"], shown)]


def _paired(
    expected: list[dict[str, Any]], found: list[dict[str, Any]]
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for position, row in enumerate(expected):
        yield row, found[position] if position < len(found) else {}


def _typed(row: dict[str, Any], like: dict[str, Any]) -> dict[str, Any]:
    """The expected row with the texts of instants and dates as what the view gives."""
    values = dict(row)
    for name, value in row.items():
        if value is not None and isinstance(like.get(name), datetime):
            values[name] = instant(value)
        elif value is not None and hasattr(like.get(name), "isoformat"):
            values[name] = instant(value).date()
    return values


WRITTEN = [path.removesuffix(".sql").replace("/", ".") for path in written_sql()]


@pytest.mark.parametrize("name", [name for name in WRITTEN if not name.startswith("macros.")])
def test_every_view_has_a_case(name: str):
    """No view that is written by hand goes untested."""
    assert any(case.parent.name == name for case in CASES)


@pytest.mark.parametrize("name", VIEWS)
def test_header_names_the_columns(name: str, empty: Warehouse):
    """A header's columns are those of the live view, in order, also on an empty lake."""
    answer = empty.query(f"from {name}")
    assert list(VIEWS[name].columns) == answer.column_names
    assert answer.num_rows == 0
    assert "null" not in [str(kind) for kind in answer.schema.types]


@pytest.mark.parametrize("name", VIEWS)
def test_key_is_unique(name: str, full: Warehouse):
    """A header's key identifies a row, on the rows of all cases together."""
    keys = ", ".join(VIEWS[name].key)
    repeated = full.query(f"select {keys} from {name} group by {keys} having count(*) > 1")
    assert repeated.to_pylist() == []


def test_types_do_not_depend_on_the_data(empty: Warehouse, full: Warehouse):
    """A view has the same columns and types on an empty lake and on a full one."""
    for name in VIEWS:
        assert full.query(f"from {name}").schema == empty.query(f"from {name}").schema


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_header_is_complete(view: View):
    """A header describes the view, its grain and each column; its key consists of columns."""
    assert view.description.endswith(".")
    assert view.grain
    assert all(view.columns.values())
    assert set(view.key) <= set(view.columns)


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_style(view: View):
    """A view is lower-case CTEs and a plain select in short lines, divisions guarded."""
    sql = _code(view.sql)
    assert sql == sql.lower()
    assert not re.search(r"\(\s+select\s+\*\s+from\s+[\w.]+\s+\)", sql), "a CTE only renames"
    for divisor in re.findall(r"/\s*([\w.]+)", sql):
        assert divisor == "nullif" or float(divisor)
    # A generated line holds names of AWS's, however long.
    is_written = f"{view.schema}/{view.name}.sql" in written_sql()
    assert not is_written or all(len(line) <= 100 for line in sql.splitlines())


def test_layers():
    """What a folder's files read lies in their own layer or an earlier one."""
    for path, sql in (written_sql() | generated_sql(CATALOGUE)).items():
        layer, _, _ = path.partition("/")
        read = re.findall(r"(?<!distinct )(?:from|join)\s+(\w+)\.\w+", _code(sql))
        # Macros read observations, as they lie or in the one shape of all of them.
        macros = {"observations", "history"}
        allowed = macros if layer == "macros" else set(LAYERS[: LAYERS.index(layer) + 1])
        assert set(read) <= allowed, path


def _code(sql: str) -> str:
    """The SQL without comments and texts."""
    return re.sub(r"'[^']*'", "''", re.sub(r"--.*", "", sql))


@pytest.mark.parametrize("source", CATALOGUE.values(), ids=CATALOGUE)
def test_current_has_every_member(source):
    """The view of a table shows every member that the service model knows."""
    hidden = {"observed_at", "change", "parent"}
    members = set(observation_schema(source).names) - hidden
    assert members <= VIEWS[f"current.{source.table}"].columns.keys()
    assert column_of(source, *source.key) in VIEWS[f"current.{source.table}"].key


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_outcomes_are_those_of_the_catalogue(source, empty: Warehouse):
    """A status is terminal where the catalogue gives it an outcome; nobody's status is unknown."""
    known = {**source.outcomes, **dict.fromkeys(source.running, "running")}
    for status in (*known, "Odd", None):
        answer = empty.query(
            "select outcome($table, $status) as outcome, "
            "is_terminal($table, $status) as is_terminal",
            {"table": source.table, "status": status},
        )
        (row,) = answer.to_pylist()
        assert row["outcome"] == known.get(status, "unknown")
        assert row["is_terminal"] == (status in source.outcomes)


def test_jobs_as_of_has_the_shape_of_jobs(empty: Warehouse):
    """Any night's jobs have the columns and types of today's."""
    as_of = empty.query("from jobs_as_of('2026-01-01')")
    assert as_of.schema == empty.query("from history.jobs").schema


def test_hours_since_complete_counts_from_now(tmp_path: Path):
    """`hours_since_complete` is the age of the newest complete listing."""
    listing = {"table_name": "custom_models", "started_at": "2020-01-01", "outcome": "complete"}
    write_rows(Lake.at(tmp_path), {"listings": [listing]})
    with open_warehouse(Lake.at(tmp_path), CATALOGUE) as warehouse:
        answer = warehouse.query(
            "select hours_since_complete - date_diff('hour', last_complete_at, now()) as error, "
            "account_id, region_name from listing_coverage"
        )
    (row,) = answer.to_pylist()
    assert abs(row["error"]) <= 1
    assert (row["account_id"], row["region_name"]) == (ACCOUNT, REGION)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake as the demo leaves it: nights of the embedded world, through the real export."""
    lake = Lake.at(tmp_path_factory.mktemp("exported") / "lake")
    nights = [datetime(2026, 3, day, 2, tzinfo=UTC) for day in range(20, 27)]
    world = World(first_day=nights[0].date() - timedelta(days=14), days=22)
    present = [nights[0]]
    with (
        EndpointServer(world, clock=lambda: present[0]) as server,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in server.environment(region_name=REGION).items():
            patch.setenv(name, value)
        for present[0] in nights:
            settings = load_settings(lake=str(lake.root), region=(REGION,))
            run = plan(settings, clock=lambda: present[0])
            assert export(run, clock=lambda: present[0]).is_good
    return lake


CHECKS = sorted(name for name in VIEWS if name.startswith("checks."))


@pytest.mark.parametrize("name", CHECKS)
def test_healthy_lake_breaks_no_rule(name: str, exported: Lake):
    """A check returns nothing on a lake that the export alone has written."""
    with open_warehouse(exported, CATALOGUE) as warehouse:
        assert warehouse.query("select count(*) as n from jobs").to_pylist()[0]["n"] > 50
        assert warehouse.query(f"from {name}").to_pylist() == []


def _with(column: str, value: Any) -> Callable[[pa.Table], pa.Table]:
    """Damage that puts one value into a column of every row."""

    def damage(rows: pa.Table) -> pa.Table:
        place = rows.schema.get_field_index(column)
        values = pa.array([value] * rows.num_rows, rows.schema.field(column).type)
        return rows.set_column(place, rows.schema.field(column), values)

    return damage


def _without(change: str) -> Callable[[pa.Table], pa.Table]:
    """Damage that loses the rows of one kind of change."""
    return lambda rows: rows.filter(pc.not_equal(rows["change"], change))


def _twice(rows: pa.Table) -> pa.Table:
    return pa.concat_tables([rows, rows])


def _timeless(rows: pa.Table) -> pa.Table:
    return _with("end_time", None)(_with("last_modified_time", None)(rows))


DAMAGES: dict[str, tuple[str, Callable[[pa.Table], pa.Table]]] = {
    "checks.added_twice": ("model_invocation_jobs", _with("change", "added")),
    "checks.changed_without_added": ("model_invocation_jobs", _without("added")),
    "checks.duplicate_observations": ("custom_models", _twice),
    "checks.ended_without_end": ("model_invocation_jobs", _timeless),
    "checks.ends_before_start": ("model_invocation_jobs", _with("end_time", instant("2020-01-01"))),
    "checks.lost_observations": ("model_customization_jobs", lambda rows: rows.slice(1)),
    "checks.unknown_statuses": ("trained_model_inference_jobs", _with("status", "CREATE_PAUSED")),
    "checks.vanished_without_complete_listing": ("listings", _with("outcome", "partial")),
}


@pytest.mark.parametrize("name", CHECKS)
def test_damage_is_found(name: str, exported: Lake, tmp_path: Path):
    """Each check finds the damage that it is there for, done to the files of a real lake."""
    shutil.copytree(exported.root, tmp_path / "lake")
    lake = Lake.at(tmp_path / "lake")
    table, damage = DAMAGES[name]
    files = lake.listing_files() if table == "listings" else lake.table_files(table)
    for file in paths_of(files):
        write_file(file, damage(pq.read_table(file, partitioning=None)))
    with open_warehouse(lake, CATALOGUE) as warehouse:
        assert warehouse.query(f"from {name}").num_rows > 0
