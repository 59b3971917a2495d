"""Sessions, roles, regions, identity and clients: the one door to boto3.

boto3's own environment (profiles, AWS_ENDPOINT_URL, regions) is honoured everywhere. Retries and
time limits are pinned here, in one place: botocore repeats calls, nothing else in the package does.
"""

import re
import threading
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import boto3
import botocore.exceptions as boto_errors
import botocore.session
from botocore.config import Config
from botocore.credentials import DeferredRefreshableCredentials, create_assume_role_refresher

from joblake.errors import CredentialsError, UsageError

CONNECT_TIMEOUT_SECONDS = 10
READ_TIMEOUT_SECONDS = 60

_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::([0-9]{12}):role/\S+")
_DENIED_CODES = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "NotAuthorized",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnauthorizedOperation",
    }
)
# Of a region that is not opted in. STS has already shown that the credentials are good.
_REGION_REFUSED_CODES = frozenset(
    {
        "AuthFailure",
        "InvalidClientTokenId",
        "OptInRequired",
        "RegionDisabledException",
        "UnrecognizedClientException",
    }
)
_UNREACHABLE = (boto_errors.EndpointConnectionError, boto_errors.ConnectTimeoutError)
_MESSAGE_LENGTH = 300
_SECRETS = (
    # The query of a URL holds page tokens and, when presigned, signatures.
    (re.compile(r"(https?://[^\s\"'?]+)\?[^\s\"']*"), r"\1?…"),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{8,}\b"), "…"),
    # Page tokens, session tokens, signatures: long runs of their alphabet.
    (re.compile(r"[A-Za-z0-9+/=_-]{60,}"), "…"),
)


@dataclass(frozen=True)
class Access:
    """How to reach one account: the default credentials, or a role assumed with them."""

    account_id: str
    role_arn: str | None = None


class Connections:
    """Clients for one run. `max_attempts` is how often botocore sends one request at most."""

    def __init__(self, *, max_attempts: int) -> None:
        self._lock = threading.Lock()  # boto3 sessions are not safe across threads
        self._config = Config(
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=READ_TIMEOUT_SECONDS,
            retries={"mode": "standard", "total_max_attempts": max_attempts},
            user_agent_extra="joblake",
        )
        self._role_sessions: dict[str, boto3.Session] = {}

    @cached_property
    def _default_session(self) -> boto3.Session:
        try:
            return boto3.Session()
        except boto_errors.BotoCoreError as error:
            raise CredentialsError(f"AWS configuration: {describe(error)}") from error

    def default_region(self) -> str:
        """The region of the environment or profile; UsageError where there is none."""
        region = self._default_session.region_name
        if not region:
            raise UsageError("no region: give --region or set AWS_REGION")
        return str(region)

    def identify(self, role_arn: str | None, region_name: str) -> Access:
        """The account behind the default credentials or behind a role.

        Roles name their account, so they are tried only when a listing needs them.
        CredentialsError when STS does not accept the default credentials.
        """
        if role_arn is not None:
            return Access(account_of_role(role_arn), role_arn)
        try:
            client = self.client("sts", region_name, None)
            return Access(str(client.get_caller_identity()["Account"]))
        except (boto_errors.BotoCoreError, boto_errors.ClientError) as error:
            raise CredentialsError(
                f"AWS does not accept the credentials: {describe(error)}; check the profile or "
                "environment, or try `joblake demo`, which needs none"
            ) from error

    def client(self, service: str, region_name: str, role_arn: str | None) -> Any:
        """A client of its own for one scope: its event handlers touch no other."""
        with self._lock:
            session = self._session(role_arn)
            return session.client(service, region_name=region_name, config=self._config)

    def _session(self, role_arn: str | None) -> boto3.Session:
        if role_arn is None:
            return self._default_session
        if role_arn not in self._role_sessions:
            sts = self._default_session.client("sts", config=self._config)
            core = botocore.session.Session()
            core._credentials = DeferredRefreshableCredentials(  # noqa: SLF001 - botocore has no other door
                method="assume-role",
                refresh_using=create_assume_role_refresher(
                    sts, {"RoleArn": role_arn, "RoleSessionName": "joblake"}
                ),
            )
            region = self._default_session.region_name
            self._role_sessions[role_arn] = boto3.Session(botocore_session=core, region_name=region)
        return self._role_sessions[role_arn]


def account_of_role(role_arn: str) -> str:
    """The account that a role belongs to; UsageError for what is no role ARN."""
    match = _ROLE_ARN.fullmatch(role_arn)
    if match is None:
        raise UsageError(
            f"{role_arn!r} is no role ARN; expected arn:aws:iam::123456789012:role/NAME"
        )
    return match.group(1)


@cache
def known_regions() -> frozenset[str]:
    """Every region of every partition that botocore knows."""
    session = botocore.session.get_session()
    return frozenset(
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("sts", partition)
        if region.rsplit("-", 1)[-1].isdigit()  # STS also has a global pseudo-region
    )


@cache
def _service_regions(service: str) -> frozenset[str]:
    session = botocore.session.get_session()
    # botocore lists no region for Clean Rooms ML; it is offered where Clean Rooms is.
    service = "cleanrooms" if service == "cleanroomsml" else service
    return frozenset(
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions(service, partition)
    )


def outcome_of(error: Exception, *, service: str, region_name: str) -> str:
    """The outcome of a scope that failed before its first page: denied, unsupported or failed."""
    if isinstance(error, boto_errors.ClientError):
        code = error.response.get("Error", {}).get("Code", "")
        message = error.response.get("Error", {}).get("Message", "")
        if code in _DENIED_CODES:
            return "denied"
        unknown = "UnknownOperation" in code or message.startswith("Unknown operation")
        return "unsupported" if unknown or code in _REGION_REFUSED_CODES else "failed"
    if isinstance(error, boto_errors.NoCredentialsError | boto_errors.CredentialRetrievalError):
        return "denied"
    if isinstance(error, _UNREACHABLE) and region_name not in _service_regions(service):
        return "unsupported"
    return "failed"


def describe(error: BaseException) -> str:
    """An error in one line, without credentials, tokens or the queries of URLs."""
    if isinstance(error, boto_errors.ClientError):
        details = error.response.get("Error", {})
        text = f"{details.get('Code', 'Error')}: {details.get('Message', '')}"
    elif isinstance(error, boto_errors.BotoCoreError):
        text = str(error)
    else:
        text = f"{type(error).__name__}: {error}"
    text = " ".join(text.split())
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text[:_MESSAGE_LENGTH]
