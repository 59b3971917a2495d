"""The clients of a run, made for accounts and regions: the one door to boto3.

boto3's own environment (profiles, AWS_ENDPOINT_URL, regions) is honoured everywhere. Retries and
time limits are pinned here, in one place: botocore repeats calls, nothing else in the package does.
"""

import re
import threading
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

import botocore.exceptions as boto_errors
from botocore.config import Config

from joblake.aws.allowance import Allowance, Politeness
from joblake.aws.credentials import DEFAULT, Credentials
from joblake.aws.pace import Pace
from joblake.aws.refusals import describe, outcome_of
from joblake.aws.regions import HOME_REGION, service_regions
from joblake.aws.sessions import Sessions
from joblake.errors import CredentialsError, UsageError
from joblake.outcome import ListingOutcome

CONNECT_TIMEOUT_SECONDS = 10
READ_TIMEOUT_SECONDS = 60

_ACCOUNT_ID = re.compile(r"[0-9]{12}")
_ROLE_ACCOUNT = re.compile(r"arn:[^:]+:iam::([0-9]{12}):role/")


class Connections:
    """Clients for one run.

    `fallback_region` is where STS is asked by credentials that have no region of their own.
    """

    def __init__(self, politeness: Politeness, *, fallback_region: str = HOME_REGION) -> None:
        self._lock = threading.Lock()  # boto3 sessions are not safe across threads
        self._politeness = politeness
        self._config = Config(
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=READ_TIMEOUT_SECONDS,
            retries={"mode": "adaptive", "total_max_attempts": politeness.max_attempts},
            user_agent_extra="joblake",
        )
        self._sessions = Sessions(partial(self.client, "sts"), fallback_region=fallback_region)
        self._allowances: dict[tuple[Credentials, str], Allowance] = {}

    def default_region(self, credentials: Credentials = DEFAULT) -> str:
        """The region of the environment or profile; UsageError where there is none.

        CredentialsError where there is no such profile.
        """
        region = self._sessions.of(credentials.base).region_name
        if not region:
            raise UsageError("no region: give --region or set AWS_REGION")
        return str(region)

    def regions(self, service: str, credentials: Credentials = DEFAULT) -> frozenset[str]:
        """The regions of the credentials' partition that offer the service, which `all` means."""
        session = self._sessions.configuration(credentials)
        if credentials.role_arn is not None:
            partition = credentials.role_arn.split(":")[1]
        else:
            partition = session.get_partition_for_region(self._sessions.sts_regions(credentials)[0])
        return service_regions(service).intersection(
            session.get_available_regions("sts", partition)
        )

    def account_of(self, credentials: Credentials) -> str:
        """The account that the credentials belong to, as STS says.

        CredentialsError when STS does not accept them, or answers oddly.
        """
        try:
            answer = self._sessions.caller(credentials)
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
            session = self._sessions.of(credentials.base)
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
            answer = self._sessions.caller(credentials)
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
            return bool(self._sessions.caller(credentials))
        except Exception:  # noqa: BLE001 - whatever the reason: they are not known to be good
            return False

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

        Its requests keep the pace of their account and region.
        """
        session = self._sessions.of(credentials)
        with self._lock:
            client = session.client(service, region_name=region_name, config=self._config)
        self.allowance(region_name, credentials).bind(client)
        return client

    def allowance(self, region_name: str, credentials: Credentials = DEFAULT) -> Allowance:
        """The limits that these credentials' scopes in this region share."""
        with self._lock:
            if (credentials, region_name) not in self._allowances:
                turns = threading.Semaphore(self._politeness.max_workers)
                pace = Pace(self._politeness.max_requests_per_second)
                self._allowances[credentials, region_name] = Allowance(turns, pace)
            return self._allowances[credentials, region_name]
