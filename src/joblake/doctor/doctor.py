"""The doctor looks at credentials, permissions, clock, lake, versions and Prefect.

Each finding is either well or comes with the next step. Nothing is listed but one item of each
table in each place, and nothing is called that an export does not call.
"""

import os
import platform
import re
import shutil
from base64 import b64encode
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from itertools import chain, groupby
from typing import Any

import httpx

from joblake.aws.connections import Connections
from joblake.doctor.policy import name_of
from joblake.doctor.trials import Trial, try_listing
from joblake.errors import CredentialsError, JoblakeError, UsageError
from joblake.export.planning import check, credentials_of, planned_scopes
from joblake.export.run import Clock, connections_of, utc_now
from joblake.lake.layout import S3_SCHEME
from joblake.lake.ledger import LEDGER_SCHEMA
from joblake.lake.local import Lake
from joblake.lake.parquet import Refused, schema_of
from joblake.outcome import ListingOutcome
from joblake.settings.settings import Account, Settings, lake_of
from joblake.sources.schema import observation_schema

_PACKAGES = ("joblake", "boto3", "botocore", "duckdb", "pyarrow", "prefect")
_CLOCK_SECONDS = 240
"""How far off a clock may be: AWS refuses requests that are five minutes old."""
_ATTEMPTS = 2
_FREE_BYTES = 1 << 30
_PREFECT_SECONDS = 10
_USER_INFO = re.compile(r"//[^/@]*@")  # a secret, and Prefect takes it elsewhere
_RIGHTS = "check the lake's place, its rights and the disk, or choose another with --lake"


@dataclass(frozen=True)
class Finding:
    """The state of one thing that an export needs. `next_step` is set where it is not well.

    No export can begin while a thing that `is_vital` is not well.
    """

    subject: str
    detail: str
    next_step: str | None = None
    is_vital: bool = False

    @property
    def is_ok(self) -> bool:
        """Whether there is nothing to do about it."""
        return self.next_step is None

    def as_json(self) -> dict[str, Any]:
        """The documented members."""
        return {
            "subject": self.subject,
            "status": "ok" if self.is_ok else "problem",
            "detail": self.detail,
            "next_step": self.next_step,
        }


def diagnose(settings: Settings, *, clock: Clock = utc_now) -> Iterator[Finding]:
    """Look at everything that an export with these settings needs, in the order that it does."""
    yield _versions()
    yield from _configuration_and_aws(settings, clock)
    yield from _lake(settings)
    yield _prefect()


def exit_code(findings: Iterable[Finding]) -> int:
    """0 where all is well, 3 where no export can begin, else 1."""
    bad = [finding for finding in findings if not finding.is_ok]
    if any(finding.is_vital for finding in bad):
        return 3
    return 1 if bad else 0


def _versions() -> Finding:
    packages = ", ".join(f"{package} {version(package)}" for package in _PACKAGES)
    return Finding("versions", f"Python {platform.python_version()}, {packages}")


def _configuration_and_aws(settings: Settings, clock: Clock) -> Iterator[Finding]:
    try:
        check(settings)
        quick = settings.model_copy(update={"max_attempts": min(settings.max_attempts, _ATTEMPTS)})
        connections = connections_of(quick)
    except UsageError as error:
        yield Finding("settings", str(error), "mend this setting", is_vital=True)
        return
    names = ", ".join(name_of(credentials_of(account)) for account in settings.accounts)
    yield Finding("settings", f"accounts: {names}; tables: {', '.join(settings.tables)}")
    accounts: dict[str, Account] = {}
    findings = []
    for account in settings.accounts:
        finding, account_id = _identity(connections, account)
        if account_id in accounts:
            other = name_of(credentials_of(accounts[account_id]))
            step = "name each account once"
            finding = replace(finding, detail=f"{finding.detail}, as {other}", next_step=step)
        elif account_id is not None:
            accounts[account_id] = account
        findings.append(finding)
    # One account that works is enough for an export to begin.
    yield from (replace(finding, is_vital=not accounts) for finding in findings)
    yield from _clock(connections, settings, clock)
    yield from _permissions(settings, connections, accounts)


def _identity(connections: Connections, account: Account) -> tuple[Finding, str | None]:
    credentials = credentials_of(account)
    subject = f"credentials {name_of(credentials)}"
    try:
        account_id = connections.account_of(credentials)
    except CredentialsError as error:
        if account.role_arn is None:
            step = "sign in, or set credentials that AWS accepts (`aws sts get-caller-identity`)"
        elif not connections.are_accepted(credentials.base):
            step = f"mend {name_of(credentials.base)} first, which is to assume the role"
        else:
            step = (
                "let the role's trust policy name the caller (and the external_id, if it asks for "
                "one), and allow the caller sts:AssumeRole: "
                + _policy_command(name_of(credentials.base))
            )
        return Finding(subject, str(error), step), None
    if account.account_id not in {None, account_id}:
        detail = f"they are of account {account_id}, not of {account.account_id}"
        return Finding(subject, detail, "mend account_id, or use other credentials"), None
    return Finding(subject, f"account {account_id}"), account_id


def _clock(connections: Connections, settings: Settings, clock: Clock) -> Iterator[Finding]:
    before = clock()
    told = connections.service_instant(credentials_of(settings.accounts[0]).base)
    if told is None:
        return
    ahead = (before + (clock() - before) / 2 - told).total_seconds()
    if abs(ahead) <= _CLOCK_SECONDS:
        yield Finding("clock", f"within {max(abs(ahead), 1):.0f} s of AWS's")
        return
    detail = f"{abs(ahead):,.0f} s {'ahead of' if ahead > 0 else 'behind'} AWS's"
    step = "set the clock of this machine (NTP): AWS refuses requests from another time"
    yield Finding("clock", detail, step)


def _permissions(
    settings: Settings, connections: Connections, accounts: dict[str, Account]
) -> Iterator[Finding]:
    """A finding for each table and account; regions with the same outcome share one."""
    try:
        planned = planned_scopes(settings, connections, accounts)
    except UsageError as error:
        yield Finding(
            "regions", str(error), "name a region with --region or AWS_REGION", is_vital=True
        )
        return
    with ThreadPoolExecutor(settings.max_workers, thread_name_prefix="doctor") as pool:
        tried = pool.map(partial(try_listing, settings, connections), planned)
        trials = list(chain.from_iterable(tried))
    for _, same in groupby(sorted(trials, key=lambda t: t.group), lambda t: t.group):
        yield _permission(list(same))


def _permission(trials: list[Trial]) -> Finding:
    first = trials[0]
    scope = first.planned.scope
    subject = f"{scope.table} {scope.account_id}"
    regions = ", ".join(trial.planned.scope.region_name for trial in trials)
    detail = f"{first.outcome} in {regions}: {first.detail}"
    match first.outcome:
        case ListingOutcome.denied:
            step = f"allow {first.action}: {_policy_command(name_of(first.planned.credentials))}"
            return Finding(subject, detail, step)
        case ListingOutcome.failed:
            return Finding(subject, detail, "try again; if it stays so, the words above say why")
        case ListingOutcome.unsupported:
            return Finding(subject, f"{detail}; an export passes over it")
        case _:
            return Finding(subject, f"listed in {regions}: {first.detail}")


def _policy_command(identity: str) -> str:
    option = "" if identity == "default" else f" --identity {identity}"
    return f"`joblake iam-policy{option}` prints what to allow"


def _lake(settings: Settings) -> Iterator[Finding]:
    subject = f"lake {settings.lake}"
    try:
        lake = lake_of(settings)
        was_there = lake.exists()
        lake.try_writing()
        if was_there:
            yield from _lake_files(settings, lake, subject)
        else:
            yield Finding(subject, "not there yet; the first export makes it")
    except JoblakeError as error:
        policy = f"; {_policy_command('default')}" if settings.lake.startswith(S3_SCHEME) else ""
        yield Finding(subject, str(error), f"{_RIGHTS}{policy}", is_vital=True)


def _lake_files(settings: Settings, lake: Lake, subject: str) -> Iterator[Finding]:
    groups = [
        (lake.table_files(source.table), observation_schema(source))
        for source in settings.catalogue.values()
    ]
    groups.append((lake.listing_files(), LEDGER_SCHEMA))
    verdicts = [schema_of(file, schema) for files, schema in groups for file in files]
    refused = [verdict for verdict in verdicts if isinstance(verdict, Refused)]
    free = shutil.disk_usage(lake.work).free
    place = "" if lake.work == lake.root else f" in {lake.work}"
    room = f"{len(verdicts)} files, {free / (1 << 30):,.0f} GiB free{place}"
    if free < _FREE_BYTES:
        yield Finding(subject, f"writable: {room}", "make room on this disk")
    else:
        yield Finding(subject, f"{'writable' if refused else 'readable and writable'}: {room}")
    for bad in refused:
        detail = f"no readable Parquet of joblake: {bad.reason}"
        step = "restore it from a backup or move it out of the lake"
        yield Finding(f"file {bad.file.name}", detail, step)


def _prefect() -> Finding:
    url = _USER_INFO.sub("//", os.environ.get("PREFECT_API_URL", "")).rstrip("/")
    if not url:
        return Finding("Prefect", "PREFECT_API_URL is not set: the flow runs on an API of its own")
    step = "start it (`prefect server start`), mend PREFECT_API_URL, or unset it"
    try:
        answer = httpx.get(
            f"{url}/health",
            headers=_prefect_authorization(),
            timeout=_PREFECT_SECONDS,
            follow_redirects=True,
        )
    except (httpx.HTTPError, httpx.InvalidURL, ImportError, ValueError) as error:
        # httpx raises the last two for a proxy that it cannot use.
        return Finding("Prefect", f"{url} does not answer: {error}", step)
    detail = f"{url} answers {answer.status_code} {answer.reason_phrase}"
    return Finding("Prefect", detail, None if answer.is_success else step)


def _prefect_authorization() -> dict[str, str]:
    """The header that Prefect's own client would send."""
    if key := os.environ.get("PREFECT_API_KEY"):
        return {"Authorization": f"Bearer {key}"}
    if words := os.environ.get("PREFECT_API_AUTH_STRING"):
        return {"Authorization": f"Basic {b64encode(words.encode()).decode()}"}
    return {}
