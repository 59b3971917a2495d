"""The command line, as a shell sees it: exit codes, stdout, stderr, help."""

import csv
import io
import json
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import boto3
import pyarrow.parquet as pq
import pytest

from command_line import JOBLAKE, WITHOUT_POWERS, run_joblake, run_joblake_process
from declared import SOURCES
from exporting import (
    INFERENCES,
    JOBS,
    MEMBERSHIP,
    MODELS,
    custom_model,
    customization_job,
    inference_job,
    listing_rows,
    run_export,
    serving,
)
from joblake.endpoint import FixedResources, error_answer
from joblake.lake.scope import Scope
from joblake.settings.settings import Settings

COMMANDS = (
    "demo",
    "export",
    "query",
    "shell",
    "views",
    "publish",
    "doctor",
    "iam-policy",
    "endpoint",
)
SCOPE_MEMBERS = [
    "table_name",
    "account_id",
    "region_name",
    "parent",
    "outcome",
    "listed",
    "added",
    "changed",
    "vanished",
    "held",
    "pages",
    "requests",
    "error",
    "seconds",
]
ONE_TABLE = ("--table", "model_customization_jobs")
SECONDS = 60


def deny(operation):
    def intercept(call, _answer):
        if call.operation == operation:
            return error_answer("AccessDeniedException", "not authorized", 403)
        return None

    return intercept


def assert_refused(finished, code, message):
    """One clear line on stderr, the exit code, nothing on stdout."""
    assert finished.returncode == code, finished.stderr
    assert finished.stdout == ""
    lines = finished.stderr.splitlines()
    assert len(lines) == 1, finished.stderr
    assert lines[0].startswith("error: ")
    assert re.search(message, lines[0]), lines[0]


# --- exit codes ------------------------------------------------------------------------------


def test_complete_is_0(serve):
    """Every scope complete: exit code 0, stdout empty, a line for each scope and one for all."""
    serve(FixedResources({JOBS: [customization_job(1)], INFERENCES: [inference_job(1)]}))
    finished = run_joblake("export", "--lake", "lake", "--parent", MEMBERSHIP)
    assert (finished.returncode, finished.stdout) == (0, "")
    *lines, total = finished.stderr.splitlines()
    assert len(lines) == 4
    assert all(": complete, " in line for line in lines)
    line = next(line for line in lines if line.startswith("model_customization_jobs "))
    assert line.startswith(
        "model_customization_jobs 111122223333 us-east-1: complete, "
        "1 listed, 1 added, 0 changed, 0 vanished (1 page, "
    )
    assert total.startswith("4 scopes: 4 complete; 2 listed, 2 added, 0 changed, 0 vanished (")


@pytest.mark.parametrize(
    ("intercept", "options", "code"),
    [
        (None, ("--filter", "statusEquals=Failed"), 0),
        (deny(JOBS), (), 1),
        (lambda c, _: error_answer("OptInRequired", "") if c.operation == JOBS else None, (), 0),
        (lambda c, _: error_answer("Odd", "", 400) if c.operation == JOBS else None, (), 1),
    ],
    ids=["filtered", "denied", "unsupported", "failed"],
)
def test_the_outcomes_decide_between_0_and_1(serve, tmp_path, intercept, options, code):
    """0 where every scope is complete, filtered or unsupported; 1 where one is not."""
    serve(intercept=intercept)
    finished = run_joblake("export", "--lake", "lake", *ONE_TABLE, *options)
    assert finished.returncode == code, finished.stderr
    (row,) = listing_rows(tmp_path / "lake")
    assert f": {row['outcome']}, " in finished.stderr


REFUSED = {
    "no such command": (("exprot",), "exprot"),
    "no such option": (("export", "--regions", "us-east-1"), "--regions"),
    "table": (("export", "--table", "jobs"), "unknown table 'jobs'; tables are: model_custom"),
    "region": (("export", "--region", "us-esat-1"), "unknown region 'us-esat-1'"),
    "regions": (("export", "--region", "us-east-1,eu-west-1"), "name each region by itself"),
    "filter name": (("export", *ONE_TABLE, "--filter", "state=x"), "has no parameter 'state'"),
    "filter value": (("export", *ONE_TABLE, "--filter", "statusEquals=Done"), "allowed values are"),
    "timestamp": (
        ("export", *ONE_TABLE, "--filter", "creationTimeAfter=2026-13-01"),
        "creationTimeAfter=2026-13-01: expected a timestamp such as",
    ),
    "filter text": (("export", "--filter", "statusEquals"), "expected name=value"),
    "lake that is a file": (("export", "--lake", "file"), "lake file: .*file is a file"),
    "lake below a file": (("query", "from jobs", "--lake", "file/lake"), "is a file"),
    "lake elsewhere": (("export", "--lake", "gs://bucket/lake"), "gs://bucket/lake"),
    "config that is not there": (("export", "--config", "no.toml"), "cannot read no.toml"),
    "invalid TOML": (("export", "--config", "invalid.toml"), "invalid.toml is not valid TOML"),
    "unknown TOML key": (
        ("export", "--config", "unknown.toml"),
        "unknown.toml: tables: unknown setting",
    ),
    "wrong TOML value": (("export", "--config", "wrong.toml"), "wrong.toml: max_workers"),
    "invalid SQL": (("query", "selekt 1"), "(?i)syntax error"),
    "unknown view": (("query", "from job"), "(?i)job does not exist"),
    "writing SQL": (("query", "create table t as select 1"), "read only"),
    "format": (
        ("query", "select 1", "--format", "xml"),
        "'--format': 'xml' is not one of 'table'",
    ),
    "output": (("query", "select 1", "--output", "no/such/folder.csv"), "cannot write"),
    "suffix": (("query", "select 1", "--output", "x.xlsx"), r"names no format \(known: .*\.csv, "),
    "no suffix": (("query", "select 1", "--output", "x"), "names no format.*add --format"),
    "no SQL": (("query",), 'no SQL: give it as an argument, such as "from jobs", in --file'),
    "SQL twice": (("query", "select 1", "--file", "file"), "SQL is given twice"),
    "no such SQL file": (("query", "-f", "no.sql"), "cannot read no.sql: No such file"),
    "SQL file that is no text": (("query", "-f", "octets"), "cannot read octets: it is no UTF-8"),
    "SQL that is a comment": (("query", "-- select 1"), "there is no statement in the SQL"),
    "parameter without value": (("query", "select $a", "--param", "a"), "expected name=value"),
    "parameter twice": (("query", "select $a", "-p", "a=1", "-p", "a=2"), "a is given twice"),
    "parameter not given": (("query", "select $a"), "following parameters: a"),
    "parameter not asked for": (("query", "select 1", "-p", "a=1"), "the SQL does not have"),
    "one parameter too many": (
        ("query", "select $a", "-p", "a=1", "-p", "b=1"),
        "a parameter that the SQL does not have: b",
    ),
    "parameter of another type": (
        ("query", "select 1 where 0.5 > $a", "-p", "a=long"),
        "(?i)could not convert string .?long",
    ),
    "two columns of one name": (
        ("query", "select 1 as a, 2 as a", "--format", "json"),
        "two columns are called a",
    ),
    "column that Parquet cannot hold": (
        ("query", "select interval 1 day as a", "--output", "x.parquet"),
        "Parquet has no type for a, .*a::varchar",
    ),
    "page size 0": (("export", "--page-size", "0"), "--page-size: .*greater than or equal to 1"),
    "page size too large": (("export", *ONE_TABLE, "--page-size", "1001"), "allowed are 1 to 1000"),
    "page size that is no number": (("export", "--page-size", "many"), "--page-size"),
    "max items": (("export", "--max-items", "-1"), "--max-items: .*greater than or equal to 1"),
    "starting token": (("export", "--starting-token", ""), "starting token is empty"),
    "role": (("export", "--role-arn", "arn:aws:iam::1:role/x"), "is no role ARN"),
    "parent": (("export", "--parent", "m-1"), "m-1: allowed are 36 to 36 characters"),
    "nights": (("demo", "--nights", "1"), "--nights"),
    "demo over another lake": (("demo", "--lake", "other"), "holds a lake that is no demo"),
    "port": (("endpoint", "--port", "70000"), "--port"),
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_a_mistake_is_one_clear_line_and_2(serve, tmp_path, arguments, message):
    """Bad input: one line that names it, exit code 2, no traceback, nothing asked of AWS."""
    server = serve()
    (tmp_path / "file").touch()
    (tmp_path / "octets").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "precious").touch()
    (tmp_path / "invalid.toml").write_text("lake = ")
    (tmp_path / "unknown.toml").write_text('tables = ["custom_models"]')
    (tmp_path / "wrong.toml").write_text("max_workers = 0")
    assert_refused(run_joblake(*arguments), 2, message)
    assert server.calls == ()
    assert (tmp_path / "other" / "precious").exists()


# For each setting a value that is refused before anything is asked of AWS, and with which words.
WRONG = {
    "lake": ("gs://bucket", "gs://bucket"),
    "work_folder": ("s3://bucket/work", "expected a local folder"),
    "account": ("audit", "expected JSON"),
    "role_arn": ("reader", "'reader' is no role ARN"),
    "region": ("us-esat-1", "unknown region 'us-esat-1'"),
    "table": ("jobs", "unknown table 'jobs'"),
    "override": ('{"jobs": {}}', "unknown table 'jobs'"),
    "parent": ("m-1", "m-1: allowed are 36 to 36 characters"),
    "filter": ("state=x", "has no parameter 'state'"),
    "page_size": ("0", "greater than or equal to 1"),
    "source": ("x", "expected JSON"),
    "max_items": ("0", "greater than or equal to 1"),
    "starting_token": (" ", "starting token is empty"),
    "incremental": ("perhaps", "valid boolean"),
    "full_listing_days": ("0", "greater than or equal to 1"),
    "overlap_minutes": ("-1", "greater than or equal to 0"),
    "max_workers": ("0", "greater than or equal to 1"),
    "max_workers_per_region": ("0", "greater than or equal to 1"),
    "max_requests_per_second": ("0", "greater than 0"),
    "max_attempts": ("0", "greater than or equal to 1"),
    "task_runner": ("spark", "'threads' or 'dask'"),
    "task_runner_address": ("localhost", "should match pattern"),
    "scope_retries": ("-1", "greater than or equal to 0"),
    "scope_retry_seconds": ("-1", "greater than or equal to 0"),
    "resume_minutes": ("-1", "greater than or equal to 0"),
    "mass_vanish_share": ("2", "less than or equal to 1"),
    "store_sensitive": ("perhaps", "valid boolean"),
    "file_mode": ("9", "octal digits"),
}
NO_OPTIONS = {
    "scope_retries",
    "scope_retry_seconds",
    "source",
    "task_runner",
    "task_runner_address",
}


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_an_option_a_variable_and_a_key(serve, monkeypatch, name):
    """One value, three places: each is read, and a wrong one refused with the same words."""
    serve()
    value, words = WRONG[name]
    option = f"--{name.replace('_', '-')}"

    def refused(*arguments):
        finished = run_joblake("export", *arguments)
        assert (finished.returncode, finished.stdout) == (2, "")
        assert words in finished.stderr, finished.stderr

    if isinstance(Settings.model_fields[name].default, bool):
        finished = run_joblake("export", f"--no-{option.removeprefix('--')}", "--lake", "lake")
        assert finished.returncode == 0
    elif name not in NO_OPTIONS:
        refused(option, value)
    (tmp := Path("joblake.toml")).write_text(f"{name} = {json.dumps(value)}\n")
    refused()
    tmp.unlink()
    monkeypatch.setenv(f"JOBLAKE_{name.upper()}", value)
    refused()


def test_a_wrong_variable_is_named(serve):
    """A mistake in the environment is named by its variable."""
    serve()
    assert_refused(run_joblake("export", JOBLAKE_PAGE_SIZE="x"), 2, "JOBLAKE_PAGE_SIZE: .*'x'")


def test_no_region_is_2(serve):
    """Without a region the error says where to set one."""
    serve()
    finished = run_joblake("export", AWS_REGION="", AWS_DEFAULT_REGION="")
    assert_refused(finished, 2, "no region: give --region or set AWS_REGION")


def test_no_credentials_is_3(serve, monkeypatch):
    """Without credentials no listing begins: exit code 3, with the way out."""
    serve()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert_refused(run_joblake("export"), 3, "Unable to locate credentials.*joblake demo")


@pytest.mark.parametrize("options", [(), ("--region", "us-east-1")])
def test_an_unknown_profile_is_3(serve, options):
    """A profile that does not exist is named."""
    serve()
    assert_refused(run_joblake("export", *options, AWS_PROFILE="nobody"), 3, "profile.*nobody")


def test_an_unreachable_endpoint_is_3(serve):
    """Where nothing answers, no listing begins; the address is named."""
    serve()
    nowhere = "http://127.0.0.1:9"
    finished = run_joblake("export", AWS_ENDPOINT_URL_STS=nowhere, JOBLAKE_MAX_ATTEMPTS="1")
    assert_refused(finished, 3, f"[cC]ould not connect.*{re.escape(nowhere)}")


def test_an_endpoint_that_is_no_url_is_refused(serve):
    """A malformed AWS_ENDPOINT_URL ends the run in one line, like other unusable configuration."""
    serve()
    assert_refused(run_joblake("export", AWS_ENDPOINT_URL_STS="nowhere"), 3, "nowhere")


# --- data on stdout --------------------------------------------------------------------------


def test_json_is_one_object_with_the_documented_members(serve):
    """--json prints the run and its scopes with exactly the documented members, and only that."""
    serve(FixedResources({JOBS: [customization_job(1)]}), intercept=deny(MODELS))
    tables = ("--table", "custom_models", "--table", "model_customization_jobs")
    finished = run_joblake("export", "--lake", "lake", "--json", *tables)
    assert finished.returncode == 1
    run = json.loads(finished.stdout)
    assert list(run) == ["run_id", "observed_at", "scopes"]
    assert datetime.fromisoformat(run["observed_at"]).utcoffset().total_seconds() == 0
    denied, complete = run["scopes"]
    assert list(denied) == list(complete) == SCOPE_MEMBERS
    assert denied | {"seconds": 0} == {
        "table_name": "custom_models",
        "account_id": "111122223333",
        "region_name": "us-east-1",
        "parent": None,
        "outcome": "denied",
        "listed": 0,
        "added": 0,
        "changed": 0,
        "vanished": 0,
        "held": 0,
        "pages": 0,
        "requests": 1,
        "seconds": 0,
        "error": "AccessDeniedException: not authorized",
    }
    assert complete | {"seconds": 0} == denied | {
        "table_name": "model_customization_jobs",
        "outcome": "complete",
        "listed": 1,
        "added": 1,
        "pages": 1,
        "seconds": 0,
        "error": None,
    }
    *lines, total = finished.stderr.splitlines()
    assert len(lines) == 2
    assert total.startswith("2 scopes: 1 complete, 1 denied; 1 listed, 1 added, ")


def test_json_has_next_token_only_where_a_limit_cut(serve):
    """The token to go on with is a member of a cut scope, and --starting-token takes it."""
    serve(FixedResources({JOBS: [customization_job(number) for number in range(3)]}))
    options = ("export", "--lake", "lake", "--json", *ONE_TABLE)
    (cut,) = json.loads(run_joblake(*options, "--max-items", "2").stdout)["scopes"]
    assert list(cut) == [*SCOPE_MEMBERS, "next_token"]
    assert (cut["outcome"], cut["listed"]) == ("filtered", 2)
    rest = run_joblake(*options, "--starting-token", cut["next_token"])
    (scope,) = json.loads(rest.stdout)["scopes"]
    assert list(scope) == SCOPE_MEMBERS
    assert (scope["outcome"], scope["listed"], scope["added"]) == ("filtered", 1, 1)


def test_options_go_before_the_environment_and_this_before_the_file(serve, tmp_path):
    """An option beats JOBLAKE_…, which beats joblake.toml of the working directory."""
    serve()
    (tmp_path / "joblake.toml").write_text(
        'lake = "of-file"\ntable = ["custom_models"]\n[filter]\nisOwned = true\n'
    )
    run_joblake("export", JOBLAKE_LAKE="of-environment")
    run_joblake("export", "--lake", "of-option", JOBLAKE_LAKE="of-environment")
    run_joblake("export")
    for name in ("of-file", "of-environment", "of-option"):
        (row,) = listing_rows(tmp_path / name)
        assert (row["table_name"], row["filters"]) == ("custom_models", '{"isOwned": true}')


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A lake with two customization jobs, one of them with an odd name; and that name."""
    lake, odd = tmp_path_factory.mktemp("exported") / "lake", 'comma, "quote"\nnew line; é 🙂'
    with serving(FixedResources({JOBS: [customization_job(1), customization_job(2, jobName=odd)]})):
        run_export(lake)
    return lake, odd


@pytest.fixture
def filled_lake(exported, tmp_path):
    """A copy of that lake where commands look for one; gives the odd name."""
    lake, odd = exported
    shutil.copytree(lake, tmp_path / "data" / "lake")
    return odd


SQL = "select job_name, created_at, duration_seconds, is_vanished from jobs order by created_at"


def test_query_formats(filled_lake):
    """csv, json and ndjson hold the rows alone on stdout, whatever their values are."""
    instants = ["2026-01-01T00:01:00.000000Z", "2026-01-01T00:02:00.000000Z"]
    names = ["job-000001", filled_lake]
    expected = [
        {"job_name": name, "created_at": at, "duration_seconds": None, "is_vanished": False}
        for name, at in zip(names, instants, strict=True)
    ]
    finished = {
        name: run_joblake("query", SQL, "--format", name) for name in ("csv", "json", "ndjson")
    }
    assert {run.stderr for run in finished.values()} == {""}
    assert json.loads(finished["json"].stdout) == expected
    assert [json.loads(line) for line in finished["ndjson"].stdout.splitlines()] == expected
    rows = list(csv.DictReader(io.StringIO(finished["csv"].stdout, newline="")))
    assert [row["job_name"] for row in rows] == names
    assert [row["created_at"] for row in rows] == instants
    assert {row["duration_seconds"] for row in rows} == {""}


def test_query_prints_a_table_for_people(filled_lake):
    """Without --format a query prints a table with its column names."""
    finished = run_joblake("query", "select job_name from jobs where job_name not like '%,%'")
    assert (finished.returncode, finished.stderr) == (0, "")
    assert finished.stdout.split()[0] == "job_name"
    assert "job-000001" in finished.stdout
    assert filled_lake not in finished.stdout


def test_query_writes_parquet(filled_lake, tmp_path):
    """Parquet goes to a pipe, or to the file whose suffix asks for it."""
    piped = run_joblake("query", SQL, "--format", "parquet")
    run_joblake("query", SQL, "--output", "jobs.parquet")
    written = pq.read_table(tmp_path / "jobs.parquet")
    assert written.equals(pq.read_table(io.BytesIO(piped.octets)))
    assert written.column("job_name").to_pylist() == ["job-000001", filled_lake]


COUNT = "-- all of them\nselect count(*) as jobs from jobs -- and no more\n"


def test_sql_comes_as_an_argument_from_a_file_or_from_stdin(filled_lake, tmp_path):
    """A comment at its head is no option, and a byte order mark no SQL; stdin needs no dash."""
    (tmp_path / "count.sql").write_text(COUNT, encoding="utf-8-sig")
    (tmp_path / "-").write_text("not this")
    csv_of = ("query", "--format", "csv")
    expected = (0, "jobs\n2\n", "")
    for arguments, stdin in (
        ((COUNT,), "unread"),
        (("--" + COUNT.strip("- "),), ""),
        (("--file", "count.sql"), "unread"),
        (("-f", "-"), COUNT),
        (("-",), COUNT),
        ((), COUNT),
    ):
        finished = run_joblake(*csv_of, *arguments, stdin=stdin)
        assert (finished.returncode, finished.stdout, finished.stderr) == expected, arguments
    assert filled_lake not in expected


def test_octets_that_are_no_text_are_refused(filled_lake):
    """A shell hands over any octets; one line says which of them is no text."""
    for arguments, words in (
        (["query", b"select '\xff'"], "the SQL is no UTF-8 text"),
        (["query", "select $a", "-p", b"a=\xff"], "--param a: the value is no UTF-8 text"),
    ):
        assert_refused(run_joblake(*arguments), 2, words)
    assert filled_lake


def test_output_is_utf_8_whatever_the_locale(filled_lake):
    """A locale that lacks a letter neither stops the output nor changes it."""
    query = ("query", "select 'é 🙂' as a")
    for options in ((), ("--format", "csv"), ("--format", "json")):
        finished = run_joblake_process(*query, *options, PYTHONIOENCODING="ascii")
        assert "é 🙂" in finished.stdout
        assert finished.octets == run_joblake(*query, *options).octets
    assert filled_lake


@pytest.mark.parametrize(
    ("closed", "arguments"),
    [
        ("<&-", ("query",)),
        (">&-", ("query", "from jobs")),
        ("2>&-", ("query",)),
        ("<&- >&- 2>&-", ("views",)),
        ("<&- >&- 2>&-", ("query", "from jobs")),
        ("<&- >&- 2>&-", ("query",)),
    ],
)
def test_a_stream_that_the_shell_closed_is_no_crash(filled_lake, closed, arguments):
    """A closed stdin is empty, and the output to a closed stream is lost."""
    command = shlex.join([*JOBLAKE, *arguments])
    finished = subprocess.run(
        ["bash", "-c", f"exec {command} {closed}"], capture_output=True, text=True, check=False
    )
    assert finished.returncode == (2 if arguments == ("query",) else 0)
    assert "Traceback" not in finished.stderr
    assert filled_lake not in finished.stderr


def test_a_misspelt_option_is_no_sql(filled_lake):
    """An argument that begins with dashes and has no blank is an option, known or not."""
    assert_refused(run_joblake("query", "--frmat", "csv", "from jobs"), 2, "--frmat.*--format")
    assert_refused(run_joblake("query", "--frmat=csv", "from jobs"), 2, "--frmat.*--format")
    finished = run_joblake("query", "--param=a=two words", "select $a as a", "--format=csv")
    assert finished.stdout == "a\ntwo words\n"
    assert filled_lake not in finished.stdout


@pytest.mark.parametrize(
    ("condition", "value", "jobs"),
    [
        ("job_name = $x", "job-000001", 1),
        ("job_name = $x", "'; drop view jobs --", 0),
        ("account_id = $x", "111122223333", 2),
        ("created_at > $x", "2026-01-01 00:01:30", 1),
        ("created_at::date = $x", "2026-01-01", 2),
        ("is_vanished = $x", "false", 2),
        ("coalesce(duration_seconds, 0) < $x", "0.5", 2),
        ("length(job_name) in ($x)", "10", 1),
        ("job_name like $x", "job-%", 1),
    ],
)
def test_a_parameter_becomes_what_it_is_compared_with(filled_lake, condition, value, jobs):
    """A value is a text that DuckDB takes as it would a quoted one, and never SQL."""
    sql = f"select count(*) as jobs from jobs where {condition}"
    finished = run_joblake("query", sql, "--param", f"x={value}", "--format", "csv")
    assert (finished.stdout, finished.stderr) == (f"jobs\n{jobs}\n", "")
    assert filled_lake not in finished.stdout


def test_a_parameter_stands_for_a_limit_and_in_a_pivot(filled_lake):
    """Wherever SQL takes a value it takes a parameter."""
    finished = run_joblake(
        "query", "from jobs select 1 as a limit $n", "-p", "n=1", "--format", "csv"
    )
    assert finished.stdout == "a\n1\n"
    assert filled_lake not in finished.stdout


@pytest.mark.parametrize("suffix", ["jsonl", "ndjson", "NDJSON"])
def test_a_suffix_chooses_the_format(filled_lake, tmp_path, suffix):
    """The names that people give to a format are known."""
    finished = run_joblake("query", SQL, "--output", f"jobs.{suffix}")
    assert (finished.returncode, finished.stdout) == (0, "")
    lines = (tmp_path / f"jobs.{suffix}").read_text().splitlines()
    assert [json.loads(line)["job_name"] for line in lines] == ["job-000001", filled_lake]


@pytest.mark.parametrize(
    "arguments",
    [
        ("query", "from range(100_000_000)", "--format", "csv"),
        ("query", "from range(100_000_000)", "--format", "ndjson"),
        ("query", "from range(100_000_000)", "--format", "json"),
        ("query", "from range(100_000)"),
        ("views",),
    ],
)
def test_a_reader_that_has_seen_enough_is_no_error(arguments):
    """`| head -1` gets its line and ends the command quietly, long before the last row."""
    command = [*JOBLAKE, *arguments]
    pipe, errors = subprocess.PIPE, subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=errors, stdin=subprocess.DEVNULL) as process:
        assert process.stdout.readline().strip()
        process.stdout.close()
        told = process.stderr.read().decode()
        assert process.wait(SECONDS) == 0
    assert told == ""


def test_a_large_result_is_streamed(tmp_path, record_property):
    """Three gigabytes of rows go through a process that never holds a third of them."""
    sql = "select range as n, repeat('x', 1000) as text from range(3_000_000)"
    command = [*JOBLAKE, "query", sql, "--output", "large.parquet"]
    process = os.posix_spawn(sys.executable, command, os.environ)
    _, status, used = os.wait4(process, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert pq.ParquetFile(tmp_path / "large.parquet").metadata.num_rows == 3_000_000
    record_property("figures", f"3 GB of rows, {used.ru_maxrss / 1024:.0f} MiB at most")
    assert used.ru_maxrss < 1024 * 1024


def test_a_query_that_fails_leaves_the_old_file(filled_lake, tmp_path):
    """The output is replaced when the result is whole, and not before."""
    (tmp_path / "jobs.csv").write_text("precious\n")
    late = (
        "select case when range > 900_000 then error('late') else range end from range(1_000_000)"
    )
    assert_refused(run_joblake("query", late, "-o", "jobs.csv"), 2, "late")
    assert (tmp_path / "jobs.csv").read_text() == "precious\n"
    run_joblake("query", "from jobs select job_name order by all", "-o", "jobs.csv")
    assert filled_lake in (tmp_path / "jobs.csv").read_bytes().decode().replace('""', '"')
    assert sorted(path.name for path in tmp_path.iterdir() if "jobs" in path.name) == ["jobs.csv"]


def test_marts_are_not_made_of_a_lake_that_is_not_there():
    """A mistyped lake is refused, and nothing is made there, whether or not there is a folder."""
    Path("folder").mkdir()
    Path("folder", "notes.txt").touch()
    for lake in ("nowhere", "folder"):
        finished = run_joblake("publish", "--lake", lake)
        assert_refused(finished, 3, f"there is no lake at {lake}, so there is nothing to publish")
    assert not Path("nowhere").exists()
    assert [path.name for path in Path("folder").iterdir()] == ["notes.txt"]


def test_a_lake_that_is_not_there_is_told():
    """A question to no lake is answered with no rows, and the reason."""
    finished = run_joblake("query", "from jobs", "--lake", "nowhere")
    assert finished.returncode == 0
    assert (
        "there is no lake at nowhere yet, so every view is empty; `joblake export` makes one"
    ) in finished.stderr.splitlines()


def test_a_damaged_lake_is_3_and_can_be_skipped(filled_lake, tmp_path):
    """A file that is no Parquet is named, with exit code 3; --skip-corrupt leaves it out."""
    (file,) = tmp_path.glob("data/lake/model_customization_jobs/**/*.parquet")
    file.write_bytes(b"not parquet")
    finished = run_joblake("query", "select count(*) as jobs from jobs")
    assert_refused(finished, 3, re.escape(str(file)))
    finished = run_joblake(
        "query", "select count(*) as j from jobs", "--skip-corrupt", "--format=csv"
    )
    assert (finished.returncode, finished.stdout) == (0, "j\n0\n")
    assert str(file) in finished.stderr
    assert filled_lake not in finished.stdout


@pytest.mark.parametrize("options", [(), ("--skip-corrupt",)])
def test_a_file_that_may_not_be_read_is_a_matter_of_rights(filled_lake, tmp_path, options):
    """Rights that are missing are told as such, with exit code 3, and never passed over."""
    (file,) = tmp_path.glob("data/lake/model_customization_jobs/**/*.parquet")
    file.chmod(0)
    finished = run_joblake_process("query", "from jobs", *options, before=WITHOUT_POWERS)
    assert_refused(finished, 3, f"cannot read {re.escape(str(file))}: Permission denied.*rights")
    assert "backup" not in finished.stderr
    assert filled_lake not in finished.stdout


def test_views_are_named_with_grain_and_columns():
    """Every view is listed with its description, grain, key, and what its columns hold."""
    finished = run_joblake("views")
    assert (finished.returncode, finished.stderr) == (0, "")
    blocks = finished.stdout.strip().split("\n\n")
    named = {block.splitlines()[0]: block for block in blocks}
    assert {"history.jobs", "current.custom_models", "reports.job_durations"} <= set(named)
    assert all("\n  grain: " in b and "\n  columns:\n    " in b for b in blocks)
    assert "    duration_seconds: from created_at to ended_at; " in named["history.jobs"]
    assert "    base_model_arn: The base model Amazon" in named["current.custom_models"]


# --- help ------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_is_on_stdout(command):
    """`--help` of each command, and `joblake` alone, explain themselves with exit code 0."""
    finished = run_joblake(*([command] if command else []), "--help")
    assert (finished.returncode, finished.stderr) == (0, "")
    assert "Usage: " in finished.stdout
    if command is None:
        assert set(COMMANDS) <= set(finished.stdout.split())


def test_help_of_export_names_every_documented_option():
    """No option of the export is left unexplained."""
    text = run_joblake("export", "--help").stdout
    options = ("lake", "config", "table", "region", "role-arn", "parent", "filter")
    options += ("page-size", "max-items", "starting-token", "json")
    assert {f"--{option}" for option in options} <= set(re.findall(r"--[a-z-]+", text))


@pytest.mark.parametrize("arguments", [["--help"], ["export", "--help"], ["query", "--help"]])
def test_help_loads_none_of_the_heavy_libraries(arguments):
    """Help is fast because prefect, pyarrow, duckdb, pandas and boto3 are not imported for it."""
    script = f"""
import sys
sys.argv[1:] = {arguments!r}
from joblake.cli.commands import main
try:
    main()
finally:
    heavy = {{"prefect", "pyarrow", "duckdb", "pandas", "boto3", "botocore"}}
    print("LOADED", sorted(heavy & set(sys.modules)))
"""
    finished = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=SECONDS, check=True
    )
    assert finished.stdout.splitlines()[-1] == "LOADED []"


# --- the endpoint ----------------------------------------------------------------------------


def test_endpoint_serves_and_prints_a_usable_environment():
    """The printed exports are all that boto3 needs; Ctrl-C ends the endpoint quietly."""
    command = [*JOBLAKE, "endpoint", "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            announced = process.stderr.readline()
            assert re.match(r"serving http://127\.0\.0\.1:\d+ on loopback only", announced)
            environment = {}
            while "AWS_REGION" not in environment:  # everything was flushed before the line above
                export = re.fullmatch(r"export (\w+)=(\S+)\n", process.stdout.readline())
                environment[export[1]] = export[2]
            finished = run_joblake("export", "--lake", "lake", "--json", **environment)
            assert finished.returncode == 0, finished.stderr
            listed = {s["table_name"]: s["listed"] for s in json.loads(finished.stdout)["scopes"]}
            assert set(listed) == {*SOURCES, "memberships"}
            assert all(listed.values())
            client = boto3.Session().client(
                "bedrock",
                endpoint_url=environment["AWS_ENDPOINT_URL"],
                region_name=environment["AWS_REGION"],
                aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            )
            jobs = client.list_model_customization_jobs()["modelCustomizationJobSummaries"]
            assert max(job["creationTime"].date() for job in jobs) <= date.today()  # noqa: DTZ011
        finally:
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=SECONDS)
    assert errors == ""
    assert process.returncode == 0


# --- progress --------------------------------------------------------------------------------


def on_a_terminal(*arguments):
    """The stderr of a command on a terminal, its stdout in a pipe, and its exit code."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*JOBLAKE, *arguments],
        env=os.environ | {"TERM": "xterm", "COLUMNS": "120"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 65536):
                shown += part
        except OSError:  # EIO: the other side is closed
            pass
        finally:
            os.close(ours)
        return shown.decode(), process.stdout.read().decode(), process.wait(SECONDS)


def test_a_terminal_sees_progress_and_a_pipe_does_not(serve):
    """On a terminal stderr shows a live bar with scopes, rows and pages; piped, plain lines."""
    serve(FixedResources({JOBS: [customization_job(number) for number in range(30)]}))
    options = ("export", "--lake", "lake", *ONE_TABLE, "--page-size", "10", "--json")
    shown, data, code = on_a_terminal(*options)
    assert code == 0
    assert re.search(r"scopes.*1/1.*30 rows, 3 pages", shown)
    assert "\x1b[" in shown
    assert ": complete, 30 listed, 30 added" in shown
    assert json.loads(data)["scopes"][0]["listed"] == 30
    piped = run_joblake(*options)
    assert "\x1b" not in piped.stderr
    assert "scopes" not in piped.stderr
    assert piped.stderr.count("\n") == 2


def test_ctrl_c_ends_at_once_and_the_next_run_goes_on(serve, tmp_path):
    """The exit code is 130, a line tells of the kept pages, and none of them is requested again."""
    hanging = threading.Event()

    def hang(call, answer):
        if call.operation == JOBS and call.number == 3:
            hanging.set()
            return replace(answer, delay_seconds=SECONDS)
        return None

    jobs = [customization_job(number) for number in range(30)]
    server = serve(FixedResources({JOBS: jobs, MODELS: [custom_model(1)]}), intercept=hang)
    options = ("export", "--lake", "lake", "--page-size", "10", *ONE_TABLE)
    options += ("--table", "custom_models", "--json")
    with subprocess.Popen(
        [*JOBLAKE, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        done = process.stderr.readline()
        assert done.startswith("custom_models 111122223333 us-east-1: complete, 1 listed")
        assert hanging.wait(SECONDS)
        time.sleep(1)  # no other page is coming: what has come is taken
        process.send_signal(signal.SIGINT)
        data, narrated = process.communicate(timeout=SECONDS)
    assert (process.returncode, data) == (130, "")
    assert narrated == (
        "interrupted: 1 of 2 scopes finished and in the lake; the pages of the others are kept, "
        "and the same export goes on with them within 60 minutes\n"
    )
    assert [row["table_name"] for row in listing_rows(tmp_path / "lake")] == ["custom_models"]
    before = len(server.calls)
    finished = run_joblake(*options)
    assert finished.returncode == 0, finished.stderr
    asked = [call for call in server.calls[before:] if call.operation == JOBS]
    assert len(asked) == 1
    (scope,) = (
        scope
        for scope in json.loads(finished.stdout)["scopes"]
        if scope["table_name"] == "model_customization_jobs"
    )
    assert (scope["outcome"], scope["listed"], scope["added"]) == ("complete", 30, 30)


def test_scope_names_of_the_line_are_those_of_the_lake():
    """The place in a narrated line is the scope as the lake spells it."""
    scope = Scope("custom_models", "111122223333", "us-east-1", MEMBERSHIP)
    assert str(scope) == f"custom_models 111122223333 us-east-1 {MEMBERSHIP}"
