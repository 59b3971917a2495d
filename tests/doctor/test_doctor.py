"""The doctor finds each thing that can be wrong, alone, and tells its next step."""

import http.server
import json
import os
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from command_line import WITHOUT_POWERS, run_joblake, run_joblake_process
from exporting import (
    INFERENCES,
    MEMBERSHIPS,
    MODELS,
    resources_of,
    run_export,
)
from joblake.doctor.doctor import Finding, diagnose, exit_code
from joblake.endpoint import EndpointServer, FixedResources, error_answer
from joblake.endpoint.identity import sts_error_answer
from joblake.settings.settings import lake_at, load_settings
from s3_server import READ_ONLY

OTHER = "444455556666"
ROLE = f"arn:aws:iam::{OTHER}:role/reader"
TABLES = [
    "model_customization_jobs",
    "custom_models",
    "model_invocation_jobs",
    "trained_model_inference_jobs",
]


@pytest.fixture
def resources() -> FixedResources:
    return resources_of(jobs=30, inferences=1)


def found(**options: object) -> tuple[dict[str, Finding], int]:
    """The findings by their subjects, and the exit code."""
    clock = options.pop("clock", lambda: datetime.now(UTC))
    options.setdefault("lake", "lake")
    findings = list(diagnose(load_settings(**options), clock=clock))
    subjects = [finding.subject for finding in findings]
    assert len(set(subjects)) == len(subjects)
    return {finding.subject: finding for finding in findings}, exit_code(findings)


def problems(findings: dict[str, Finding]) -> list[str]:
    return [subject for subject, finding in findings.items() if not finding.is_ok]


def test_all_is_well(serve, resources):
    """Everything has its line, each table is asked for one item, and nothing is written."""
    server = serve(resources)
    findings, code = found()
    assert (code, problems(findings)) == (0, [])
    assert list(findings) == [
        "versions",
        "settings",
        "credentials default",
        "clock",
        *(f"{table} 111122223333" for table in sorted((*TABLES, "memberships"))),
        "lake lake",
        "Prefect",
    ]
    listings = [call for call in server.calls if call.client != "sts"]
    assert {call.parameters["maxResults"] for call in listings} == {"1"}
    assert len(listings) == len(TABLES) + 1
    assert "not there yet" in findings["lake lake"].detail
    assert not any(Path().iterdir())


def test_a_denied_table_names_its_action(serve, resources):
    """The next step names the action and the command that prints the policy; the rest is well."""

    def deny(call, _answer):
        refusal = error_answer("AccessDeniedException", "is not authorized to perform", 403)
        return refusal if call.operation == MODELS else None

    serve(resources, intercept=deny)
    findings, code = found()
    assert (code, problems(findings)) == (1, ["custom_models 111122223333"])
    finding = findings["custom_models 111122223333"]
    assert "denied in us-east-1: AccessDeniedException" in finding.detail
    assert finding.next_step == (
        "allow bedrock:ListCustomModels: `joblake iam-policy` prints what to allow"
    )


@pytest.mark.parametrize(
    ("operation", "table", "action"),
    [
        (MEMBERSHIPS, "memberships", "cleanrooms:ListMemberships"),
        (
            INFERENCES,
            "trained_model_inference_jobs",
            "cleanrooms-ml:ListTrainedModelInferenceJobs",
        ),
    ],
)
def test_of_two_actions_the_denied_one_is_named(serve, resources, operation, table, action):
    """Clean Rooms ML needs its memberships listed and then their jobs."""
    refusal = error_answer("AccessDeniedException", "no", 403)
    serve(resources, intercept=lambda call, _: refusal if call.operation == operation else None)
    findings, code = found()
    assert (code, problems(findings)) == (1, [f"{table} 111122223333"])
    finding = findings[f"{table} 111122223333"]
    assert finding.next_step.startswith(f"allow {action}: ")


def test_no_membership_is_no_problem(serve):
    """An account without memberships is told as such."""
    serve()
    findings, code = found()
    assert code == 0
    detail = findings["trained_model_inference_jobs 111122223333"].detail
    assert detail == "listed in us-east-1: none of the memberships"


def test_regions_are_told_apart(serve, resources):
    """A region that is not opted in is passed over, one that fails is a problem of its own."""

    def refuse(call, _answer):
        if call.client == "sts":
            return None
        if call.region_name == "eu-west-1":
            return error_answer("UnrecognizedClientException", "not opted in", 403)
        if call.region_name == "us-west-2":
            return error_answer("InternalServerException", "sorry", 500)
        return None

    serve(resources, intercept=refuse)
    options = {"region": ("us-east-1", "us-east-2", "eu-west-1", "us-west-2")}
    settings = load_settings(lake="lake", table=("custom_models",), **options)
    findings = [f for f in diagnose(settings) if f.subject.startswith("custom_models")]
    told = {finding.detail: finding.is_ok for finding in findings}
    assert told == {
        "failed in us-west-2: InternalServerException: sorry": False,
        "listed in us-east-1, us-east-2: one item asked for": True,
        (
            "unsupported in eu-west-1: UnrecognizedClientException: not opted in; "
            "an export passes over it"
        ): True,
    }


def test_no_region(serve, monkeypatch):
    """The next step names the option and the variable of the region."""
    serve()
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    findings, code = found()
    assert (code, problems(findings)) == (3, ["regions"])
    assert "AWS_REGION" in findings["regions"].next_step


def test_no_credentials(serve, monkeypatch):
    """Without credentials no export can begin: exit code 3; the lake is looked at all the same."""
    server = serve()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    findings, code = found()
    assert (code, problems(findings)) == (3, ["credentials default"])
    assert "Unable to locate credentials" in findings["credentials default"].detail
    assert "lake lake" in findings
    assert server.calls == ()


def test_a_role_that_cannot_be_assumed(serve, resources):
    """The other account goes on: exit code 1, and both sides of the trust are named."""

    def refuse(call, _answer):
        if call.operation == "AssumeRole":
            return sts_error_answer("AccessDenied", "not authorized to assume", 403)
        return None

    serve(resources, intercept=refuse)
    findings, code = found(account=({}, {"role_arn": ROLE}), table=("custom_models",))
    assert (code, problems(findings)) == (1, [f"credentials {ROLE}"])
    step = findings[f"credentials {ROLE}"].next_step
    assert "trust policy" in step
    assert "sts:AssumeRole: `joblake iam-policy` prints" in step
    assert "custom_models 111122223333" in findings
    alone, code = found(role_arn=(ROLE,))
    assert (code, problems(alone)) == (3, [f"credentials {ROLE}"])


def test_a_role_of_a_profile_that_is_none(serve, resources):
    """Refused credentials of the caller are named, and the trust of its role is not."""
    serve(resources)
    findings, code = found(account=({"profile": "nobody", "role_arn": ROLE},))
    assert (code, problems(findings)) == (3, [f"credentials {ROLE}"])
    finding = findings[f"credentials {ROLE}"]
    assert "profile (nobody) could not be found" in finding.detail
    assert finding.next_step == "mend profile:nobody first, which is to assume the role"


def test_credentials_of_another_account(serve, resources):
    """Credentials of another account than account_id are a problem of that account."""
    serve(resources)
    findings, code = found(account=({"account_id": OTHER},))
    assert (code, problems(findings)) == (3, ["credentials default"])
    assert f"of account 111122223333, not of {OTHER}" in findings["credentials default"].detail


@pytest.mark.parametrize("is_refused", [False, True])
@pytest.mark.parametrize(
    ("minutes", "words"), [(20, r"1,20\d s ahead of"), (-20, r"1,\d+ s behind")]
)
def test_a_clock_that_is_wrong(serve, resources, minutes, words, is_refused):
    """The Date header of AWS tells the difference, even when AWS refuses the request for it."""

    def refuse(call, _answer):
        if is_refused and call.client == "sts":
            return sts_error_answer("RequestExpired", "Signature expired", 403)
        return None

    serve(resources, intercept=refuse)
    findings, code = found(clock=lambda: datetime.now(UTC) + timedelta(minutes=minutes))
    assert "clock" in problems(findings)
    assert re.match(words, findings["clock"].detail)
    assert "set the clock of this machine" in findings["clock"].next_step
    assert code == (3 if is_refused else 1)


def test_a_lake_with_files(serve, resources, tmp_path):
    """Its files are read, a file is written and taken away again."""
    serve(resources)
    run_export(tmp_path / "lake", table=tuple(TABLES))
    before = sorted(tmp_path.rglob("*"))
    findings, code = found()
    assert code == 0
    assert re.match("readable and writable: 8 files, ", findings["lake lake"].detail)
    assert sorted(tmp_path.rglob("*")) == before


def test_damaged_files_are_each_named(serve, resources, tmp_path):
    """A damaged file stops some queries and no export: exit code 1, with the way out."""
    serve(resources)
    run_export(tmp_path / "lake", table=tuple(TABLES))
    files = sorted((tmp_path / "lake").rglob("*.parquet"))[:2]
    for file in files:
        file.write_bytes(b"not parquet")
    findings, code = found()
    assert (code, problems(findings)) == (1, [f"file {file}" for file in files])
    assert all("backup" in findings[f"file {file}"].next_step for file in files)


@pytest.mark.parametrize("place", ["file", "file/lake", "/proc/lake", "gs://bucket/lake"])
def test_a_lake_that_cannot_be(serve, resources, place):
    """A lake that cannot be written ends with exit code 3 before an export finds out."""
    serve(resources)
    Path("file").touch()
    findings, code = found(lake=place)
    assert (code, problems(findings)) == (3, [f"lake {place}"])
    assert findings[f"lake {place}"].next_step


def test_a_lake_without_rights(serve, resources, tmp_path):
    """The lake of another user is refused with the path that cannot be written."""
    server = serve(resources)
    run_export(tmp_path / "lake")
    (tmp_path / "lake" / ".locks").chmod(0o500)
    finished = run_joblake_process("doctor", "--lake", "lake", before=WITHOUT_POWERS)
    (tmp_path / "lake" / ".locks").chmod(0o700)
    assert finished.returncode == 3, finished.stderr
    assert "problem  lake lake: cannot write " in finished.stdout
    assert server.calls


def test_a_lake_on_s3(serve, resources, s3, night):
    """A lake on S3 is there or not yet, as a folder is, and damaged objects are named."""
    serve(resources)
    findings, code = found(lake=s3)
    assert (code, findings[f"lake {s3}"].detail) == (0, "not there yet; the first export makes it")
    run_export(s3, at=night, table=tuple(TABLES))
    findings, code = found(lake=s3)
    assert code == 0
    assert re.match("readable and writable: 8 files, ", findings[f"lake {s3}"].detail)
    lake = lake_at(s3)
    (file,) = lake.table_files("model_customization_jobs")
    with lake.overwriting(file.path) as path:
        path.write_bytes(b"not parquet")
    findings, code = found(lake=s3)
    assert (code, problems(findings)) == (1, [f"file {file.name}"])


def test_a_bucket_without_rights(serve, resources, s3, monkeypatch):
    """Rights that only read are found before an export finds them."""
    serve(resources)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", READ_ONLY[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", READ_ONLY[1])
    findings, code = found(lake=s3)
    assert (code, problems(findings)) == (3, [f"lake {s3}"])
    assert "AccessDenied" in findings[f"lake {s3}"].detail


@pytest.fixture
def prefect(monkeypatch) -> Iterator[list[tuple[str, str | None]]]:
    """A server in the place of Prefect's API; gives path and authorization of each request."""
    asked: list[tuple[str, str | None]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers["Authorization"]))
            self.send_response(200 if self.path == "/api/health" else 404)
            self.end_headers()
            self.wfile.write(b"true")

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{server.server_port}/api")
        yield asked
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("variable", "value", "authorization"),
    [
        ("HOME", "/", None),
        ("PREFECT_API_KEY", "key", "Bearer key"),
        ("PREFECT_API_AUTH_STRING", "user:word", "Basic dXNlcjp3b3Jk"),
    ],
)
def test_prefect_answers(  # noqa: PLR0913, PLR0917 - fixtures
    serve, resources, monkeypatch, prefect, variable, value, authorization
):
    """Its health is asked for with the credentials that Prefect's client would send."""
    serve(resources)
    monkeypatch.setenv(variable, value)
    findings, code = found()
    assert (code, problems(findings)) == (0, [])
    assert prefect == [("/api/health", authorization)]


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/api", "nowhere", "file:///etc/passwd"])
def test_prefect_does_not_answer(serve, resources, monkeypatch, url):
    """The flow would fail at once: the URL is named, and how to start a server."""
    serve(resources)
    monkeypatch.setenv("PREFECT_API_URL", url)
    findings, code = found()
    assert (code, problems(findings)) == (1, ["Prefect"])
    assert url in findings["Prefect"].detail
    assert "prefect server start" in findings["Prefect"].next_step


def test_prefect_at_another_address(serve, resources, monkeypatch, prefect):
    """A server without the API is told by its status."""
    serve(resources)
    monkeypatch.setenv("PREFECT_API_URL", os.environ["PREFECT_API_URL"].replace("/api", "/other"))
    findings, code = found()
    assert (code, problems(findings)) == (1, ["Prefect"])
    assert "answers 404" in findings["Prefect"].detail
    assert prefect


def test_the_command_prints_a_line_for_each_finding(serve, resources):
    """`ok`, or `problem` with the next step below it; stderr is silent."""
    refusal = error_answer("AccessDeniedException", "no", 403)
    serve(resources, intercept=lambda call, _: refusal if call.operation == MODELS else None)
    finished = run_joblake("doctor", "--lake", "lake")
    assert (finished.returncode, finished.stderr) == (1, "")
    lines = finished.stdout.splitlines()
    bad = next(number for number, line in enumerate(lines) if line.startswith("problem  "))
    assert lines[bad].startswith("problem  custom_models 111122223333: denied in us-east-1: ")
    assert lines[bad + 1].startswith("         next: allow bedrock:ListCustomModels")
    assert all(line.startswith("ok       ") for line in [*lines[:bad], *lines[bad + 2 :]])


def test_the_command_as_json(serve, resources):
    """One object with the documented members, and the same exit code."""
    serve(resources)
    finished = run_joblake("doctor", "--lake", "/proc/lake", "--json")
    assert (finished.returncode, finished.stderr) == (3, "")
    told = json.loads(finished.stdout)
    assert list(told) == ["is_ok", "findings"]
    assert told["is_ok"] is False
    assert {tuple(f) for f in told["findings"]} == {("subject", "status", "detail", "next_step")}
    (bad,) = (finding for finding in told["findings"] if finding["status"] == "problem")
    assert bad["subject"] == "lake /proc/lake"


def test_no_secret_is_told(serve, resources, monkeypatch):
    """Neither keys nor the words of an API's credentials stand in a finding."""
    serve(resources)
    monkeypatch.setenv("PREFECT_API_URL", "http://user:hunter2@127.0.0.1:9/api")
    monkeypatch.setenv("PREFECT_API_KEY", "pnu_secret")
    finished = run_joblake("doctor", "--lake", "lake")
    assert finished.returncode == 1
    told = finished.stdout + finished.stderr
    for secret in ("hunter2", "pnu_secret", os.environ["AWS_SECRET_ACCESS_KEY"]):
        assert secret not in told


def test_settings_that_cannot_work(serve: object) -> None:
    """An unknown region is a finding, and nothing is asked of AWS."""
    server: EndpointServer = serve()  # type: ignore[operator]
    findings, code = found(region=("us-esat-1",))
    assert (code, problems(findings)) == (3, ["settings"])
    assert "unknown region 'us-esat-1'" in findings["settings"].detail
    assert server.calls == ()
