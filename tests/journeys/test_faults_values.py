"""Odd values: from the wire into the lake and back out through DuckDB, nothing lost or invented."""

import gzip
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import botocore
import pytest

from declared import CATALOGUE
from exporting import JOBS, customization_job, export_scope_alone
from faults import RESULT_KEY, Switch
from joblake.cli.narration import sentence
from joblake.endpoint import FixedResources, json_answer
from joblake.lake.local import Lake
from joblake.sources.schema import item_columns
from joblake.sources.service_model import load_operation
from joblake.warehouse.warehouse import open_warehouse

DAY = timedelta(days=1)
OPERATION = load_operation("bedrock", JOBS)
COLUMNS = {column.path: column for column in item_columns(OPERATION)}

TEXTS = {
    "quotes": 'it\'s "quoted" `so`',
    "a statement": "'; drop table jobs; --",
    "a path": "../../etc/passwd",
    "braces": "{}{0}{{}}%s$(id)",
    "brackets": "[a-z]*?[",
    "lines": "a\r\nb\u2028c\x85d",
    "NUL": "a\x00b",
    "NUL alone": "\x00",
    "controls": "\x01\x1b[31m\x7f",
    "emoji": "🦆👩‍🚀é\u0301",
    "right to left": "\u202eabc",
    "byte order mark": "\ufeffabc",
    "noncharacters": "\uffff\ufffe\U0010ffff",
    "blank": "  ",
    "empty": "",
    "the word null": "null",
    "the word NULL": "NULL",
    "a number": "00012",
    "an instant": "2026-11-10T02:00:00Z",
    "JSON": '{"a": [1, null]}',
    "1 MB": "x" * 1_000_000,
    "1 MB of emoji": "🦆" * 262_144,
    "backslashes": "\\u0000\\\\",
}
"""Texts that a column holds as they are."""

MISFITS = {
    "lone surrogate": "\ud800",
    "surrogates the wrong way round": "\udfff\ud800",
    "a number for a text": 7,
    "a great number for a text": 2**64,
    "true for a text": True,
    "a list for a text": ["a", None],
    "an object for a text": {"b": 1, "a": {"c": [2]}},
    "an empty object for a text": {},
    "an empty list for a text": [],
}
"""Values that no text column holds: kept in `extra`."""

INSTANTS = {
    "year 1": ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
    "year 1600": ("1600-02-29T00:00:00Z", datetime(1600, 2, 29, tzinfo=UTC)),
    "before 1970": ("1969-12-31T23:59:59.999999Z", datetime(1969, 12, 31, 23, 59, 59, 999999, UTC)),
    "year 9999": (
        "9999-12-31T23:59:59.999999Z",
        datetime(9999, 12, 31, 23, 59, 59, 999999, UTC),
    ),
    "epoch": (1_793_671_200, datetime(2026, 11, 3, 2, 0, tzinfo=UTC)),
    "epoch zero": (0, datetime(1970, 1, 1, tzinfo=UTC)),
    "negative epoch": (-1.5, datetime(1969, 12, 31, 23, 59, 58, 500000, UTC)),
    "epoch with a fraction": (1_793_671_200.25, datetime(2026, 11, 3, 2, 0, 0, 250000, UTC)),
    "epoch of year 9999": (253_402_300_799, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    "epoch as a text": ("1793671200", datetime(2026, 11, 3, 2, 0, tzinfo=UTC)),
    "no zone": ("2026-11-03T02:00:00", datetime(2026, 11, 3, 2, 0, tzinfo=UTC)),
    "nine digits": (
        "2026-11-03T02:00:00.123456789Z",
        datetime(2026, 11, 3, 2, 0, 0, 123456, UTC),
    ),
}
NO_INSTANTS = {
    "a word": "yesterday",
    "empty": "",
    "true": True,
    "an object": {"seconds": 1},
    "year 10000": "+10000-01-01T00:00:00Z",
    "month 13": "2026-13-01T00:00:00Z",
    "milliseconds": 1_793_671_200_000_000,
    "2^63": 2**63,
    "-2^70": -(2**70),
    "1e300": 1e300,
    "not a number": "NaN",
    "infinity": "Infinity",
}
SPELLINGS = (
    "2026-11-03T02:00:00.123Z",
    "2026-11-03T02:00:00.123000Z",
    "2026-11-03T02:00:00.123000000Z",
    "2026-11-03T02:00:00.123+00:00",
    "2026-11-03T02:00:00.123-00:00",
    "2026-11-03T07:30:00.123+05:30",
    "2026-11-02T18:00:00.123-0800",
    "2026-11-03t02:00:00.123z",
    "2026-11-03 02:00:00.123Z",
    "20261103T020000.123Z",
    "2026-11-03T02:00:00.123",
    1793671200.123,
    "1793671200.123",
    "1.793671200123E9",
    "1793671200.1230",
)


@pytest.fixture
def listed(serve, lake, night):
    """Export items, one more night each time, and give the result."""
    resources, switch, nights = FixedResources(), Switch(), count()
    serve(resources, intercept=switch)

    def export(*items, **options):
        resources.lists[JOBS] = items
        return export_scope_alone(lake, at=night + next(nights) * DAY, max_attempts=1, **options)

    export.switch, export.resources = switch, resources
    return export


def stored(lake, columns="*"):
    """What DuckDB reads of the observations, in order of the jobs' numbers."""
    with open_warehouse(Lake(lake), CATALOGUE) as warehouse:
        sql = f"select {columns} from observations.model_customization_jobs order by job_arn"
        return warehouse.query(sql).to_pylist()


def items_with(member, values):
    return [customization_job(number, **{member: value}) for number, value in enumerate(values)]


def quiet(result):
    return (result.outcome, result.added, result.changed, result.vanished) == ("complete", 0, 0, 0)


def test_hostile_texts_come_back_as_they_went(listed, lake):
    """Every text that UTF-8 can carry is read by DuckDB as AWS sent it, and is stable."""
    items = items_with("jobName", TEXTS.values())
    result = listed(*items)
    assert (result.outcome, result.listed, result.odd_values) == ("complete", len(TEXTS), 0)
    rows = stored(lake)
    assert [row["job_name"] for row in rows] == list(TEXTS.values())
    assert {row["extra"] for row in rows} == {None}
    assert quiet(listed(*items))


def test_hostile_keys_are_resources_of_their_own(listed, lake):
    """A key may be any text; each is one resource that comes, changes and goes by itself."""
    items = items_with("jobArn", TEXTS.values())
    assert listed(*items).listed == len(TEXTS)
    assert quiet(listed(*items))
    result = listed(*({**item, "status": "Completed"} for item in items))
    # Without a key the content is the identity: it goes, and another comes.
    empty = 1
    assert (result.added, result.changed, result.vanished) == (empty, len(TEXTS) - empty, empty)
    assert {row["job_arn"] for row in stored(lake)} == set(TEXTS.values())


def test_what_fits_no_column_is_kept_in_extra_and_counted(listed, lake):
    """A value of another type costs neither its page nor its item: it is JSON text in `extra`."""
    items = items_with("jobName", MISFITS.values())
    result = listed(*items, customization_job(99))
    assert (result.outcome, result.listed) == ("complete", len(MISFITS) + 1)
    assert result.odd_values == len(MISFITS)
    *rows, sound = stored(lake)
    assert sound["job_name"] == "job-000099"
    assert {row["job_name"] for row in rows} == {None}
    # Null members in objects say nothing and are left out; everything else is as it was.
    assert [json.loads(row["extra"]) for row in rows] == [{"jobName": v} for v in MISFITS.values()]
    assert quiet(listed(*items, customization_job(99)))


def test_the_count_of_odd_values_reaches_the_user(listed):
    """Narration and --json tell how many values stand in `extra`; without any, neither does."""
    odd = listed(customization_job(1, jobName=5, endTime="never"))
    assert "2 odd values" in sentence(odd)
    assert odd.as_json()["odd_values"] == 2
    sound = listed(customization_job(1))
    assert "odd" not in sentence(sound)
    assert "odd_values" not in sound.as_json()


def test_instants_at_the_ends_of_time(listed, lake):
    """Whatever lies between the years 1 and 9999 is stored to the microsecond, however spelled."""
    items = items_with("endTime", (spelled for spelled, _ in INSTANTS.values()))
    result = listed(*items)
    assert (result.listed, result.odd_values) == (len(INSTANTS), 0)
    micros = [row["us"] for row in stored(lake, "epoch_us(end_time) as us")]
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert micros == [(at - epoch) // timedelta(microseconds=1) for _, at in INSTANTS.values()]
    assert quiet(listed(*items))


def test_what_is_no_instant_is_kept_in_extra(listed, lake):
    """An instant that no calendar has is kept as it was sent."""
    items = items_with("endTime", NO_INSTANTS.values())
    result = listed(*items)
    assert (result.listed, result.odd_values) == (len(NO_INSTANTS), len(NO_INSTANTS))
    extras = [json.loads(row["extra"])["endTime"] for row in stored(lake)]
    assert extras == list(NO_INSTANTS.values())
    assert quiet(listed(*items))


def test_the_same_instant_in_other_words_is_no_change(listed, lake):
    """Night after night another spelling of the same instant: one observation."""
    for spelling in SPELLINGS:
        result = listed(customization_job(1, lastModifiedTime=spelling))
        assert (result.outcome, result.listed, result.odd_values) == ("complete", 1, 0), spelling
    (row,) = stored(lake, "change, epoch_us(last_modified_time) as us")
    assert row == {"change": "added", "us": 1_793_671_200_123_000}


def test_an_instant_a_microsecond_later_is_a_change(listed):
    """Normalising spellings hides no difference."""
    listed(customization_job(1, lastModifiedTime="2026-11-03T02:00:00.123456Z"))
    assert listed(customization_job(1, lastModifiedTime="2026-11-03T02:00:00.123457Z")).changed == 1


RAW = {
    "number beyond 64 bits": (b'"future": 9223372036854775808', {"future": 2**63}),
    "number of 400 digits": (b'"future": ' + b"9" * 400, {"future": int("9" * 400)}),
    "number of 5000 digits": (b'"future": ' + b"9" * 5000, {"future": "9" * 5000}),
    "greatest integer": (b'"future": 9223372036854775807', {"future": 2**63 - 1}),
    "1e400": (b'"future": 1e400', {"future": "1e400"}),
    "NaN": (b'"future": NaN', {"future": "NaN"}),
    "raw bytes": (b'"future": "\xff\xfe"', {"future": "\udcff\udcfe"}),
    "raw control": (b'"future": "a\x01\tb"', {"future": "a\x01\tb"}),
    "null member": (b'"endTime": null', None),
    "null structure": (b'"statusDetails": null', None),
    "null in structure": (b'"statusDetails": {"validationDetails": null}', None),
    "unknown member": (
        b'"future": {"b": [1, {"c": null}], "a": 1}',
        {"future": {"b": [1, {}], "a": 1}},
    ),
    "unknown nested": (
        b'"statusDetails": {"trainingDetails": {"gpu": 8}}',
        {"statusDetails": {"trainingDetails": {"gpu": 8}}},
    ),
    "a text for a structure": (b'"statusDetails": "none"', {"statusDetails": "none"}),
    "a list for a structure": (b'"statusDetails": [1]', {"statusDetails": [1]}),
    "member given twice": (b'"future": 1, "future": 2', {"future": 2}),
    "name of a column": (b'"job_name": "x", "extra": "y"', {"job_name": "x", "extra": "y"}),
    "empty name": (b'"": 1', {"": 1}),
    "name with a dot": (b'"a.b": 1, "a__b": 2', {"a.b": 1, "a__b": 2}),
    "deep": (b'"future": ' + b"[" * 60 + b"]" * 60, ...),
}


def raw_page(*texts):
    """An interceptor that answers with a page of items spelled by hand."""
    items = b",".join(
        b'{"jobArn": "a%06d", "jobName": "n", "status": "Unheard", %s}' % (number, text)
        for number, text in enumerate(texts)
    )
    answer = json_answer({})

    def intercept(call, _answer):
        if call.operation != JOBS:
            return None
        content = b'{"%s": [%s]}' % (RESULT_KEY.encode(), items)
        return type(answer)(200, body=content)

    return intercept


def test_members_of_tomorrow_and_numbers_beyond_bounds_are_kept(listed, lake):
    """Unknown members, unknown enum values, nulls and numbers without bounds: kept, or nothing.

    Spelled by hand, as no JSON library would spell them; each in an item of its own.
    """
    listed.switch.faults = [raw_page(*(text for text, _ in RAW.values()))]
    result = listed()
    assert (result.outcome, result.listed) == ("complete", len(RAW))
    rows = stored(lake)
    assert {(row["job_name"], row["status"]) for row in rows} == {("n", "Unheard")}
    for name, (_, extra), row in zip(RAW, RAW.values(), rows, strict=True):
        found = None if row["extra"] is None else json.loads(row["extra"])
        assert extra is ... or found == extra, name
    assert quiet(listed())


def test_raw_bytes_in_a_name_are_kept(listed, lake):
    """A name that is no UTF-8 is kept in `extra`, its bytes as lone surrogates."""
    listed.switch.faults = [raw_page(b'"clientRequestToken": "\xe9\xff"', b'"jobName": "\xe9"')]
    result = listed()
    assert (result.outcome, result.listed) == ("complete", 2)
    assert json.loads(stored(lake)[1]["extra"]) == {"jobName": "\udce9"}
    assert quiet(listed())


def test_null_items_are_nothing_and_odd_items_are_something(listed, lake):
    """Null items are left out; items that are no objects are kept whole, once, and are stable."""
    odd = [5, "text", True, [1, 2], {}, [], 2**64, "\ud800"]

    def page(call, _answer):
        if call.operation != JOBS:
            return None
        items = [None, *odd, None, {"jobArn": "arn", "status": "Completed"}, None]
        return json_answer({RESULT_KEY: items})

    listed.switch.faults = [page]
    result = listed()
    assert (result.outcome, result.listed) == ("complete", len(odd) + 1)
    extras = [row["extra"] for row in stored(lake) if row["job_arn"] is None]
    kept = [json.loads(extra) for extra in extras if extra is not None]
    expected = [item for item in odd if item != {}]
    assert sorted(map(repr, kept)) == sorted(map(repr, expected))
    assert quiet(listed())


@pytest.mark.parametrize("key", [None, ..., "", 7, True, ["a"], {"arn": "a"}, "\ud800"], ids=repr)
def test_items_without_a_proper_key_are_kept_and_stable(listed, lake, key):
    """Without a key the content tells items apart: each is kept, the same again is no change."""
    items = [customization_job(number, jobArn=key) for number in range(3)]
    if key is ...:
        for item in items:
            del item["jobArn"]
    result = listed(*items, customization_job(9))
    assert (result.outcome, result.listed, result.added) == ("complete", 4, 4)
    assert quiet(listed(*items, customization_job(9)))
    result = listed(*items[1:], customization_job(9))
    assert (result.added, result.changed, result.vanished) == (0, 0, 1)
    result = listed(*items, customization_job(9))
    assert (result.added, result.changed, result.vanished) == (1, 0, 0)
    assert len(stored(lake)) == 6


def test_contents_that_look_alike_are_two(listed):
    """Items without keys differ when their contents do, however those are punctuated."""
    alike = [
        {"jobName": "NULL"},
        {"jobName": "null"},
        {"status": "NULL"},
        {"jobName": "a, b"},
        {"jobName": "a", "status": "b"},
        {"jobName": "a', 'b"},
        {"jobName": ""},
        {"customModelName": ""},
    ]
    listed.switch.faults = [
        lambda call, _: json_answer({RESULT_KEY: alike}) if call.operation == JOBS else None
    ]
    assert listed().listed == len(alike)
    assert quiet(listed())


@pytest.mark.parametrize("doors", [(5, "five"), ("five", 5)], ids=["odd first", "odd last"])
def test_one_odd_item_changes_none_of_its_neighbours(listed, doors):
    """When an odd item sends its page through the other door, its neighbours stay as they were."""
    neighbours = [
        customization_job(
            number,
            endTime="2026-11-03T02:00:00.123456789Z",
            statusDetails={"validationDetails": {"status": "Completed", "creationTime": 1.5e9}},
        )
        for number in range(5)
    ]
    for item in neighbours:
        item["statusDetails"]["validationDetails"]["creationTime"] = "2026-11-03T02:00:00Z"
    first, second = (customization_job(9, jobName=name) for name in doors)
    listed(*neighbours, first)
    result = listed(*neighbours, second)
    assert (result.listed, result.added, result.changed, result.vanished) == (6, 0, 1, 0)


# --- a newer SDK -----------------------------------------------------------------------------


def newer_sdk(home):
    """A home whose ~/.aws/models teaches botocore members of tomorrow."""
    source = Path(botocore.__file__).parent / "data" / "bedrock"
    version = max(folder.name for folder in source.iterdir())
    model = json.loads(read_model(source / version))
    summary = model["shapes"]["ModelCustomizationJobSummary"]["members"]
    summary["priority"] = {"shape": "Integer"}
    summary["queuedAt"] = {"shape": "Timestamp"}
    model["shapes"]["StatusDetails"]["members"]["queue"] = {"shape": "JobName"}
    folder = home / ".aws" / "models" / "bedrock" / version
    folder.mkdir(parents=True)
    (folder / "service-2.json").write_text(json.dumps(model))


def read_model(folder):
    plain = folder / "service-2.json"
    if plain.exists():
        return plain.read_text()
    return gzip.decompress((folder / "service-2.json.gz").read_bytes()).decode()


NEWER_RUN = """
import sys
from datetime import datetime
from pathlib import Path
sys.path.insert(0, {tests!r})
from exporting import export_scope_alone
for at in sys.stdin:
    result = export_scope_alone(Path(sys.argv[1]), at=datetime.fromisoformat(at.strip()))
    print(result.outcome, result.listed, result.added, result.changed, result.vanished, flush=True)
"""


def test_what_a_newer_sdk_learns_is_no_change(listed, lake, night, tmp_path):
    """A member that an older run kept in `extra` becomes a column without a false observation.

    Also inside structures and for items without a key; a true change of it is still seen, and
    what vanishes takes the member along in its column.
    """
    newer_sdk(tmp_path)

    def items(priority):
        tomorrow = {"queuedAt": "2026-11-03T02:00:00Z", "future": {"kept": 1}}
        details = {"statusDetails": {"queue": "long", "unknown": True}}
        return [
            customization_job(1, priority=1, **tomorrow, **details),
            customization_job(2, priority=priority, **tomorrow),
            customization_job(3, jobArn=None, priority=3, **details),
            customization_job(4),
            customization_job(5, priority="high"),
        ]

    assert listed(*items(priority=2)).added == 5

    script = NEWER_RUN.format(tests=str(Path(__file__).parents[1]))
    with subprocess.Popen(
        [sys.executable, "-c", script, str(lake)],
        env=os.environ | {"HOME": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:

        def newer_night(number):
            print((night + number * DAY).isoformat(), file=process.stdin, flush=True)
            return process.stdout.readline().strip()

        assert newer_night(10) == "complete 5 0 0 0"
        listed.resources.lists[JOBS] = items(priority=20)
        assert newer_night(11) == "complete 5 0 1 0"
        assert newer_night(12) == "complete 5 0 0 0"
        listed.resources.lists[JOBS] = items(priority=20)[1:2]
        assert newer_night(13) == "complete 1 0 0 4"
        assert newer_night(14) == "complete 1 0 0 0"
    rows = stored(lake, "job_name, change, priority, extra, status_details__queue")
    changed = [row for row in rows if row["change"] == "changed"]
    assert [(row["job_name"], row["priority"]) for row in changed] == [("job-000002", 20)]
    (gone,) = [r for r in rows if r["change"] == "vanished" and r["job_name"] == "job-000001"]
    assert (gone["priority"], gone["status_details__queue"]) == (1, "long")
    assert json.loads(gone["extra"]) == {
        "future": {"kept": 1},
        "statusDetails": {"unknown": True},
    }
