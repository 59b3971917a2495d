"""Credentials, roles, identity and clients: the one door to boto3.

boto3's own environment (profiles, AWS_ENDPOINT_URL, regions) is honoured everywhere. Retries and
time limits are pinned here, in one place: botocore repeats calls, nothing else in the package does.
"""

import os
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

import boto3
import botocore.exceptions as boto_errors
from botocore.config import Config
from botocore.credentials import DeferredRefreshableCredentials, create_assume_role_refresher
from botocore.parsers import ResponseParserError
from botocore.retries.standard import RetryEventAdapter, ThrottlingErrorDetector

from joblake.aws.pace import Pace
from joblake.aws.refusals import REGION_REFUSED_CODES, describe, error_words, outcome_of
from joblake.aws.regions import HOME_REGION, home_of, service_regions
from joblake.aws.sessions import core_session
from joblake.errors import CredentialsError, UsageError
from joblake.outcome import ListingOutcome

CONNECT_TIMEOUT_SECONDS = 10
READ_TIMEOUT_SECONDS = 60
STORAGE_ATTEMPTS = 5

_THROTTLING = ThrottlingErrorDetector(retry_event_adapter=RetryEventAdapter())
_ACCOUNT_ID = re.compile(r"[0-9]{12}")
_ROLE_ACCOUNT = re.compile(r"arn:[^:]+:iam::([0-9]{12}):role/")


@dataclass(frozen=True)
class Credentials:
    """Whose credentials to use: the default ones or a profile's, and a role assumed with them."""

    profile: str | None = None
    role_arn: str | None = None
    external_id: str | None = None
    session_name: str = "joblake"

    @property
    def base(self) -> "Credentials":
        """What the role is assumed with; the same where there is no role."""
        return Credentials(self.profile)

    def __str__(self) -> str:
        if self.role_arn is not None:
            return f"role {self.role_arn}"
        return "default credentials" if self.profile is None else f"profile {self.profile}"


DEFAULT = Credentials()
"""What boto3 finds by itself."""


@dataclass(frozen=True)
class Place:
    """What the scopes of one account and region share: their turns, and the pace of requests."""

    turns: threading.Semaphore
    pace: Pace


@dataclass(frozen=True)
class Politeness:
    """How much is asked of AWS at once.

    `max_attempts` is how often one request is sent at most; `max_workers` scopes are listed at
    once in one account and region, with `max_requests_per_second` there where it is set.
    """

    max_attempts: int = 5
    max_workers: int = 4
    max_requests_per_second: float | None = None


class Connections:
    """Clients for one run.

    `fallback_region` is where STS is asked by credentials that have no region of their own.
    """

    def __init__(self, politeness: Politeness, *, fallback_region: str = HOME_REGION) -> None:
        self._lock = threading.RLock()  # boto3 sessions are not safe across threads
        self._politeness = politeness
        self._fallback_region = fallback_region
        self._config = Config(
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=READ_TIMEOUT_SECONDS,
            retries={"mode": "adaptive", "total_max_attempts": politeness.max_attempts},
            user_agent_extra="joblake",
        )
        self._sessions: dict[Credentials, boto3.Session] = {}
        self._places: dict[tuple[Credentials, str], Place] = {}

    def default_region(self, credentials: Credentials = DEFAULT) -> str:
        """The region of the environment or profile; UsageError where there is none.

        CredentialsError where there is no such profile.
        """
        region = self._session(credentials.base).region_name
        if not region:
            raise UsageError("no region: give --region or set AWS_REGION")
        return str(region)

    def regions(self, service: str, credentials: Credentials = DEFAULT) -> frozenset[str]:
        """The regions that `all` means: of the credentials' partition, with the service."""
        session = self._configuration(credentials)
        if credentials.role_arn is not None:
            partition = credentials.role_arn.split(":")[1]
        else:
            partition = session.get_partition_for_region(self._sts_regions(credentials)[0])
        return service_regions(service).intersection(
            session.get_available_regions("sts", partition)
        )

    def account_of(self, credentials: Credentials) -> str:
        """The account that the credentials belong to, as STS says.

        CredentialsError when STS does not accept them, or answers oddly.
        """
        try:
            answer = self._ask_sts(credentials)
        except Exception as error:  # odd answers raise errors of many classes
            raise CredentialsError(
                f"AWS STS does not say whose credentials these are ({credentials}): "
                f"{describe(error)}; check the profile, role or environment, or try "
                "`joblake demo`, which needs none"
            ) from error
        account_id = str(answer.get("Account"))
        if _ACCOUNT_ID.fullmatch(account_id) is None:
            raise CredentialsError(
                f"AWS names {account_id[:40]!r} as the account of the credentials, which is no "
                "account; check the endpoint that AWS_ENDPOINT_URL_STS names"
            )
        return account_id

    def written_account(self, credentials: Credentials) -> str | None:
        """The account that the user's AWS configuration names for a profile; None where none."""
        try:
            session = self._session(credentials.base)
        except CredentialsError:  # there is no such profile
            return None
        written = session._session.get_scoped_config()  # noqa: SLF001 - boto3 has no other door
        role = _ROLE_ACCOUNT.match(str(written.get("role_arn")))
        named = role.group(1) if role else str(written.get("sso_account_id"))
        return named if _ACCOUNT_ID.fullmatch(named) else None

    def service_instant(self, credentials: Credentials) -> datetime | None:
        """The instant of AWS's own clock, to the second, as STS answers; None where it does not.

        STS tells it even where it refuses the request, as it does when our clock is far off.
        """
        try:
            answer = self._ask_sts(credentials)
        except boto_errors.ClientError as error:
            answer = error.response
        except Exception:  # noqa: BLE001 - whatever the reason: there is no answer
            return None
        text = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
        try:
            return parsedate_to_datetime(text).astimezone(UTC)
        except ValueError:
            return None

    def are_accepted(self, credentials: Credentials) -> bool:
        """Whether STS still accepts the credentials."""
        try:
            self._ask_sts(credentials)
        except Exception:  # noqa: BLE001 - whatever the reason: they are not known to be good
            return False
        return True

    def outcome_of(
        self, error: Exception, service: str, region_name: str, credentials: Credentials
    ) -> ListingOutcome:
        """The outcome of a listing that failed before its first page."""
        return outcome_of(
            error,
            is_offered=lambda: region_name in service_regions(service),
            are_accepted=lambda: self.are_accepted(credentials),
        )

    def client(self, service: str, region_name: str, credentials: Credentials = DEFAULT) -> Any:
        """A client of its own for one scope: its event handlers touch no other.

        Its requests keep the pace of their account and region, repeated ones too.
        """
        session = self._session(credentials)
        with self._lock:
            client = session.client(service, region_name=region_name, config=self._config)
        pace = self.place(region_name, credentials).pace
        client.meta.events.register("before-send", lambda **_: pace.wait())
        client.meta.events.register("needs-retry", partial(_hear, pace))
        return client

    def place(self, region_name: str, credentials: Credentials = DEFAULT) -> Place:
        """What is shared by everything that is asked with these credentials in this region."""
        with self._lock:
            if (credentials, region_name) not in self._places:
                self._places[credentials, region_name] = Place(
                    threading.Semaphore(self._politeness.max_workers),
                    Pace(self._politeness.max_requests_per_second),
                )
            return self._places[credentials, region_name]

    def _ask_sts(self, credentials: Credentials) -> Any:
        clients = [
            self.client("sts", region, credentials) for region in self._sts_regions(credentials)
        ]
        return _first_accepted([client.get_caller_identity for client in clients])

    def _sts_regions(self, credentials: Credentials) -> list[str]:
        """Where to ask STS, in order.

        STS of a region that is not opted in refuses the best of credentials, so that a listed
        region is never asked, and the partition's first region has the last word.
        """
        session = self._configuration(credentials)
        region = str(session.region_name or self._fallback_region)
        return list(dict.fromkeys((region, home_of(region))))

    def _session(self, credentials: Credentials) -> boto3.Session:
        with self._lock:
            if credentials not in self._sessions:
                is_base = credentials.role_arn is None
                made = (
                    self._base_session(credentials) if is_base else self._role_session(credentials)
                )
                self._sessions[credentials] = made
            return self._sessions[credentials]

    def _configuration(self, credentials: Credentials) -> boto3.Session:
        """The session whose configuration counts: the default one, where there is no profile."""
        try:
            return self._session(credentials.base)
        except CredentialsError:
            if credentials.base == DEFAULT:
                raise
            return self._session(DEFAULT)

    def _base_session(self, credentials: Credentials) -> boto3.Session:
        try:
            core = core_session(credentials.profile)
            if core.get_config_variable("region") is None:
                # boto3 reads AWS_DEFAULT_REGION alone, unlike every other AWS SDK.
                core.set_config_variable("region", os.environ.get("AWS_REGION"))
            return boto3.Session(botocore_session=core)
        except boto_errors.BotoCoreError as error:
            raise CredentialsError(f"AWS configuration: {describe(error)}") from error

    def _role_session(self, credentials: Credentials) -> boto3.Session:
        """A session of an assumed role, which is assumed again whenever its time runs out."""
        wanted = {
            "RoleArn": credentials.role_arn,
            "RoleSessionName": credentials.session_name,
            "ExternalId": credentials.external_id,
        }
        wanted = {name: value for name, value in wanted.items() if value is not None}
        refreshers = [
            create_assume_role_refresher(self.client("sts", region, credentials.base), wanted)
            for region in self._sts_regions(credentials)
        ]
        core = core_session(credentials.profile)
        core._credentials = DeferredRefreshableCredentials(  # noqa: SLF001 - botocore has no other door
            method="assume-role", refresh_using=partial(_without_quotation, refreshers)
        )
        return boto3.Session(botocore_session=core, region_name=self._fallback_region)


def _hear(pace: Pace, response: Any, caught_exception: Exception | None, **event: Any) -> None:
    """Tell the pace what came of a request; damaged and lost answers say nothing of the rate."""
    if _THROTTLING.is_throttling_error(
        response=response, caught_exception=caught_exception, **event
    ):
        pace.throttled()
    elif response is not None and "Error" not in response[1]:
        pace.succeeded()


def _first_accepted(attempts: Sequence[Callable[[], Any]]) -> Any:
    """The first answer of STS that is no refusal of the region it was asked in."""
    for attempt in attempts[:-1]:
        try:
            return attempt()
        except boto_errors.ClientError as error:
            if error_words(error)[0] not in REGION_REFUSED_CODES:
                raise
    return attempts[-1]()


def storage_client(*, connections: int) -> Any:
    """A client of S3 with the default credentials, for `connections` threads at once.

    Endpoint, region, profile and credentials are boto3's own, and are refreshed as boto3 does.
    CredentialsError where the AWS configuration is broken.
    """
    core = core_session()
    region_name = core.get_config_variable("region") or os.environ.get("AWS_REGION")
    config = Config(
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        retries={"mode": "standard", "total_max_attempts": STORAGE_ATTEMPTS},
        max_pool_connections=connections,
        user_agent_extra="joblake",
    )
    try:
        # The region is for the signature alone: S3 redirects to that of the bucket.
        return boto3.Session(botocore_session=core).client(
            "s3", region_name=region_name or HOME_REGION, config=config
        )
    except (boto_errors.BotoCoreError, ValueError) as error:
        raise CredentialsError(f"AWS configuration of S3: {describe(error)}") from error


def _without_quotation(refreshers: Sequence[Callable[[], Any]]) -> Any:
    """Assume a role; botocore logs what fails here, and some errors quote the whole answer."""
    try:
        return _first_accepted(refreshers)
    except ResponseParserError as error:
        raise boto_errors.CredentialRetrievalError(
            provider="assume-role", error_msg=describe(error)
        ) from None
