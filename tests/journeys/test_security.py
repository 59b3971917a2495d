"""No secret leaves the run, no foreign value touches a path, no stranger reaches the endpoint."""

import json
import logging
import os
import re
import stat
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from command_line import JOBLAKE, run_joblake
from exporting import (
    ACCOUNT,
    BATCHES,
    INFERENCES,
    JOBS,
    MEMBERSHIP,
    MEMBERSHIPS,
    REGION,
    batch_job,
    customization_job,
    export_scope_alone,
    inference_job,
    listing_rows,
    membership_of,
    observations,
    run_export,
)
from faults import RESULT_KEY, TOKEN, Switch
from joblake.aws.refusals import describe
from joblake.cli import commands as cli
from joblake.endpoint import Answer, EndpointServer, FixedResources, error_answer, json_answer
from joblake.errors import CredentialsError, UsageError
from joblake.export.planning import plan
from joblake.lake.layout import scope_path
from joblake.lake.scope import Scope
from joblake.settings.settings import load_settings

DAY = timedelta(days=1)
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SESSION_TOKEN = "FwoGZXIvYXdzEBYaDKj0SecretSessionToken" + "Zx9/+=" * 20
ROLE_SECRET = "roleSecret/K7MDENG/bPxRfiCYROLESECRETKEY"
ROLE_TOKEN = "RoleSessionTokenFwoGZXIvYXdz" * 5
MESSAGE = "the-confidential-words-of-a-message"
SHORT_TOKEN = "page-token-7"
LONG_TOKEN = "AQICAHh" + "LongPageToken+/=" * 12
ROLE = "arn:aws:iam::444455556666:role/reader"
HOSTILE = [
    "../../x",
    "..",
    "/etc/passwd",
    "111122223333/../..",
    "111122223333\x00",
    "",
    " ",
    "account=1",
    "*",
    "11112222333",
    "1111222233334",
    "\uff11" * 12,
    "111122223333\n",
    "x" * 100_000,
]
"""What no account, region and membership is, though a service or an environment might say so."""


@pytest.fixture
def service(serve, monkeypatch):
    """An endpoint, and credentials whose secrets can be told from anything else."""

    class Service:
        resources = FixedResources()
        switch = Switch()

    serve(Service.resources, intercept=Service.switch)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_SESSION_TOKEN", SESSION_TOKEN)
    return Service()


def leaks(text):
    """The secrets that stand in a text, or a good part of them."""
    secrets = {
        "access key id": os.environ["AWS_ACCESS_KEY_ID"],
        "secret key": SECRET_KEY,
        "session token": SESSION_TOKEN[:40],
        "role's secret key": ROLE_SECRET,
        "role's session token": ROLE_TOKEN[:40],
        "message": MESSAGE,
        "short token": SHORT_TOKEN,
        "long token": LONG_TOKEN[:30],
    }
    return [name for name, secret in secrets.items() if secret in text]


def files_of(lake):
    return [path for path in lake.rglob("*") if path.is_file()]


def sts_xml(content):
    return Answer(200, headers={"content-type": "text/xml"}, body=content.encode())


def assumed(end=""):
    return (
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>'
        f"<Credentials><AccessKeyId>ASIA444455556666</AccessKeyId><SecretAccessKey>{ROLE_SECRET}"
        f"</SecretAccessKey><SessionToken>{ROLE_TOKEN}</SessionToken>"
        f"<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>{end}"
    )


QUOTING = [
    lambda token: error_answer("ValidationException", f"Value '{token}' at 'nextToken' is invalid"),
    lambda token: error_answer("AccessDeniedException", f"{SESSION_TOKEN} for {token}", 403),
    lambda _: error_answer(
        "SignatureDoesNotMatch",
        f"Credential={os.environ['AWS_ACCESS_KEY_ID']}/20261110, token {SESSION_TOKEN}",
        403,
    ),
    lambda token: Answer(200, body=json.dumps({"message": MESSAGE, TOKEN: token}).encode()),
    lambda token: Answer(200, body=f"<html>{MESSAGE} {token} {SECRET_KEY}".encode()),
    lambda token: Answer(200, body=b"{}", cut_after=1, headers={"x": token}),
    lambda _: Answer(200, is_dropped=True),
    lambda _: Answer(500, body=f"{SESSION_TOKEN}".encode()),
]


@pytest.mark.parametrize("token", [SHORT_TOKEN, LONG_TOKEN], ids=["short", "long"])
def test_nothing_that_is_said_holds_a_secret(  # noqa: PLR0913, PLR0917 - fixtures
    service, lake, monkeypatch, capfd, caplog, token
):
    """Whatever the service quotes: stdout, stderr, --json, our logs and listing rows stay clean.

    The run ends with errors that quote page tokens, session tokens and `message` texts.
    """
    first = [batch_job(number, message=MESSAGE) for number in range(2)]

    def quoting(call, _answer):
        if call.operation != JOBS:
            return None
        if TOKEN not in call.parameters:
            items = json.loads(json.dumps([customization_job(1)], default=str))
            return json_answer({RESULT_KEY: items, TOKEN: token})
        return QUOTING[quoting.number](token)

    service.resources.lists[BATCHES] = first
    service.switch.faults = [quoting]
    caplog.set_level(logging.DEBUG, logger="joblake")
    monkeypatch.setenv("JOBLAKE_MAX_ATTEMPTS", "1")
    arguments = ["joblake", "export", "--lake", str(lake), "--region", REGION, "--json"]
    arguments += ["--table", "model_customization_jobs", "--table", "model_invocation_jobs"]
    monkeypatch.setattr(sys, "argv", arguments)
    for quoting.number in range(len(QUOTING)):
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == 1
        said = capfd.readouterr()
        assert leaks(said.out + said.err) == []
        assert "partial" in said.err
    ours = [record for record in caplog.records if record.name.startswith("joblake")]
    assert leaks(" ".join(record.getMessage() for record in ours)) == []
    assert leaks(repr(listing_rows(lake))) == []
    assert len(listing_rows(lake)) == 2 * len(QUOTING)


def test_a_page_that_cannot_be_reached_shows_no_token(service, lake):
    """The text of a connection error holds the URL with its token; what we say of it does not."""

    def dying(call, _answer):
        if call.operation != JOBS:
            return None
        if TOKEN in call.parameters:
            return Answer(200, is_dropped=True)
        return json_answer({RESULT_KEY: [], TOKEN: SHORT_TOKEN})

    service.switch.faults = [dying]
    result = export_scope_alone(lake, max_attempts=1)
    assert result.outcome == "partial"
    assert "http://" in result.error
    assert leaks(repr(result) + repr(listing_rows(lake))) == []


@pytest.mark.parametrize("end", ["", "</AssumeRoleResult>", "\x00"], ids=["cut", "open", "NUL"])
def test_an_answer_with_a_roles_credentials_is_never_quoted(service, lake, capfd, end, monkeypatch):
    """A damaged answer of AssumeRole ends its scopes; not even botocore's own log quotes it."""
    monkeypatch.setattr(logging, "lastResort", logging.StreamHandler())
    service.switch.faults = [
        lambda call, _: sts_xml(assumed(end)) if call.operation == "AssumeRole" else None
    ]
    result = run_export(lake, account=({}, {"role_arn": ROLE}), max_attempts=1)
    said = capfd.readouterr()
    assert [scope.outcome for scope in result.scopes] == ["complete", "denied"]
    assert leaks(said.out + said.err + repr(result) + repr(listing_rows(lake))) == []


@pytest.mark.parametrize(
    "text",
    [
        f"https://bedrock.us-east-1.amazonaws.com/jobs?nextToken={SHORT_TOKEN}&x=1 failed",
        f"http://[::1]:80/a?X-Amz-Signature={'0' * 64}&X-Amz-Security-Token=abc",
        f"key {'AKIA'}ABCDEFGHIJKLMNOP is unknown",
        f"token {SESSION_TOKEN} is expired",
        f"a\nb {LONG_TOKEN}",
    ],
)
def test_descriptions_of_errors_are_one_redacted_line(text):
    """URLs lose their query, keys and tokens become an ellipsis, lines become one."""
    said = describe(ValueError(text))
    assert said.isprintable()
    assert "…" in said
    assert not [
        part
        for part in (SHORT_TOKEN, SESSION_TOKEN, LONG_TOKEN, "0" * 64, "AKIAABCD", "abc")
        if part in said.replace("amazonaws", "")
    ]


def test_messages_can_be_left_out(service, lake, night):
    """`store_sensitive = false` keeps `message` out of every file, odd ones and old ones too.

    By default it is stored. Changing the setting is no change of a job; what vanishes afterwards
    is stored without its message, and so is what stood in `extra`.
    """
    table = ("model_invocation_jobs",)
    jobs = [batch_job(number, message=MESSAGE) for number in range(3)]
    service.resources.lists[BATCHES] = [*jobs, batch_job(3, message=[MESSAGE])]
    export_scope_alone(lake, at=night, table=table)
    stored = observations(lake, "model_invocation_jobs")
    assert [row["message"] for row in stored] == [MESSAGE] * 3 + [None]
    assert MESSAGE in stored[3]["extra"]

    result = export_scope_alone(lake, at=night + DAY, table=table, store_sensitive=False)
    assert (result.added, result.changed, result.vanished) == (0, 0, 0)
    service.resources.lists[BATCHES] = [batch_job(0, message=MESSAGE, status="Completed")]
    service.resources.lists[BATCHES] += [batch_job(9, message={"text": MESSAGE})]
    result = export_scope_alone(lake, at=night + 2 * DAY, table=table, store_sensitive=False)
    assert (result.added, result.changed, result.vanished) == (1, 1, 3)
    new = [r for r in observations(lake, "model_invocation_jobs") if r["observed_at"] > night]
    assert len(new) == 5
    assert leaks(repr(new)) == []


def test_messages_never_reach_the_disk_when_left_out(service, lake):
    """Not even the spool of an interrupted listing holds a `message` that is not to be stored."""

    def deny(call, _answer):
        if call.operation == BATCHES and TOKEN in call.parameters:
            return error_answer("AccessDeniedException", "no", 403)
        return None

    service.switch.faults = [deny]
    service.resources.lists[BATCHES] = [batch_job(n, message=MESSAGE) for n in range(4)]
    options = {"table": ("model_invocation_jobs",), "page_size": 2, "store_sensitive": False}
    assert export_scope_alone(lake, **options).outcome == "partial"
    files = files_of(lake)
    assert any(file.name == "pages.arrows" for file in files)
    assert not [file for file in files if MESSAGE.encode() in file.read_bytes()]


@pytest.mark.parametrize(
    ("umask", "setting", "expected"),
    [(0o000, None, 0o600), (0o077, None, 0o600), (0o077, "0o640", 0o640), (0o000, "0o644", 0o644)],
)
def test_files_are_the_owners_alone(  # noqa: PLR0913, PLR0917 - fixtures and figures
    service, lake, night, umask, setting, expected
):
    """Every file of the lake, spool and locks included, has the mode of the setting, or 0600."""

    def deny(call, _answer):
        if call.operation == JOBS and TOKEN in call.parameters:
            return error_answer("AccessDeniedException", "no", 403)
        return None

    service.resources.lists[JOBS] = [customization_job(number) for number in range(4)]
    service.resources.lists[BATCHES] = [batch_job(1)]
    options = {"table": ("model_customization_jobs", "model_invocation_jobs"), "page_size": 2}
    if setting is not None:
        options["file_mode"] = setting
    before = os.umask(umask)
    try:
        service.switch.faults = [deny]
        run_export(lake, at=night, **options)
        run_export(lake, at=night + timedelta(minutes=1), **options)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in files_of(lake)}
    assert {Path(name).suffix for name in modes} == {".parquet", ".arrows", ".lock"}
    assert set(modes.values()) == {expected}


# --- values that become paths ----------------------------------------------------------------


def caller_identity(account):
    escaped = account.replace("\x00", "&#9;")
    return sts_xml(
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        f"<GetCallerIdentityResult><Account>{escaped}</Account></GetCallerIdentityResult>"
        "</GetCallerIdentityResponse>"
    )


@pytest.mark.parametrize("account", HOSTILE, ids=lambda text: repr(text[:20]))
def test_an_account_that_is_none_ends_the_run(service, tmp_path, account):
    """What STS calls an account and is none never becomes a folder: no run, a clear error."""
    service.switch.faults = [
        lambda call, _: caller_identity(account) if call.client == "sts" else None
    ]
    before = sorted(tmp_path.parent.rglob("*"))
    with pytest.raises(CredentialsError, match="no account") as refused:
        plan(load_settings(lake=str(tmp_path / "lake")))
    assert len(str(refused.value)) < 300
    assert sorted(tmp_path.parent.rglob("*")) == before


@pytest.mark.parametrize(
    "answer",
    [
        sts_xml("<GetCallerIdentityResponse/>"),
        sts_xml("<GetCallerIdentityResponse"),
        sts_xml(""),
        Answer(200, body=b"{}"),
        Answer(200, body=b"\xff\xfe"),
        Answer(500, body=b"<html>"),
        Answer(403, body=b""),
    ],
    ids=["no account", "cut", "empty", "JSON", "bytes", "500", "403"],
)
def test_an_odd_answer_about_the_identity_ends_the_run(service, lake, answer):
    """Whatever STS answers: credentials that cannot be used are exit code 3 and one line."""
    service.switch.faults = [lambda call, _: answer if call.client == "sts" else None]
    with pytest.raises(CredentialsError) as refused:
        plan(load_settings(lake=str(lake), max_attempts=1))
    assert refused.value.exit_code == 3
    assert str(refused.value).isprintable()
    assert not lake.exists()


def test_memberships_that_are_none_stop_no_other(service, tmp_path, lake):
    """Hostile membership ids are named in their own row, touch no path, and stop no sound one."""
    ids = [*HOSTILE, None]
    service.resources.lists[MEMBERSHIPS] = [
        membership_of(MEMBERSHIP, id=identifier) for identifier in [*ids, MEMBERSHIP]
    ]
    service.resources.lists[INFERENCES] = [inference_job(1)]
    result = run_export(lake, table=("trained_model_inference_jobs",))
    by_membership = {}
    for scope in result.scopes:
        by_membership.setdefault(scope.parent, []).append(scope)
    (sound,) = by_membership[MEMBERSHIP]
    assert (sound.outcome, sound.listed) == ("complete", 1)
    (refused,) = by_membership[None]
    assert refused.outcome == "partial"
    assert "allowed are 36 to 36 characters (and" in refused.error
    assert not result.is_good
    assert [entry.name for entry in tmp_path.iterdir()] == ["lake"]
    folders = {path.name for path in lake.rglob("parent=*")}
    assert folders == {f"parent={MEMBERSHIP}"}


@pytest.mark.parametrize("value", HOSTILE, ids=lambda text: repr(text[:20]))
def test_scopes_refuse_what_is_no_name_of_theirs(value):
    """Account and region are checked where the path is made; a parent leads nowhere else."""
    sound = {"table": "custom_models", "account_id": ACCOUNT, "region_name": REGION}
    sound["parent"] = MEMBERSHIP
    assert scope_path(Scope(**sound))
    for name in ("account_id", "region_name"):
        with pytest.raises(UsageError):
            Scope(**sound | {name: value})
    with suppress(UsageError):
        folder = scope_path(Scope(**sound | {"parent": value}))
        assert re.fullmatch(r"parent=[0-9A-Za-z-]+", folder.name)
        assert len(folder.parts) == 3


@pytest.mark.parametrize("region", HOSTILE, ids=lambda text: repr(text[:20]))
@pytest.mark.parametrize("source", ["AWS_REGION", "JOBLAKE_REGION"])
@pytest.mark.usefixtures("service")
def test_a_region_that_is_none_ends_the_run(tmp_path, monkeypatch, source, region):
    """A region from the environment is checked before anything is sent or made."""
    if "\x00" in region or (source == "JOBLAKE_REGION" and region in {"", " ", "*"}):
        return
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.setenv(source, region)
    with pytest.raises((UsageError, CredentialsError)):
        plan(load_settings(lake=str(tmp_path / "lake")))
    assert list(tmp_path.iterdir()) == []


# --- the endpoint ----------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com", "", "127.0.0.1.x"])
def test_the_endpoint_listens_on_loopback_only(host):
    """Another interface is refused before anything listens, and the message says why."""
    with pytest.raises(UsageError, match="loopback"):
        EndpointServer(FixedResources(), host=host)


def test_the_endpoint_says_that_it_is_loopback_only():
    """`joblake endpoint` tells on stderr where it listens, and its help says the same."""
    assert "loopback only" in run_joblake("endpoint", "--help").stdout
    command = [*JOBLAKE, "endpoint", "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        line = process.stderr.readline()
        process.terminate()
    assert "http://127.0.0.1:" in line
    assert "loopback only" in line
