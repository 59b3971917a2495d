"""Sessions, roles, regions, identity and clients: the one door to boto3.

boto3's own environment (profiles, AWS_ENDPOINT_URL, regions) is honoured everywhere. Retries and
time limits are pinned here, in one place: botocore repeats calls, nothing else in the package does.
"""

import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import Any

import boto3
import botocore.exceptions as boto_errors
import botocore.session
from botocore.config import Config
from botocore.credentials import DeferredRefreshableCredentials, create_assume_role_refresher
from botocore.loaders import Loader, create_loader
from botocore.parsers import ResponseParserError

from joblake.errors import CredentialsError, JoblakeError, UsageError

CONNECT_TIMEOUT_SECONDS = 10
READ_TIMEOUT_SECONDS = 60

_ACCOUNT_ID = re.compile(r"[0-9]{12}")
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
# Of a region that is not opted in, or of credentials that are no longer good: STS knows.
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
            core = _core_session()
            if core.get_config_variable("region") is None:
                # boto3 reads AWS_DEFAULT_REGION alone, unlike every other AWS SDK.
                core.set_config_variable("region", os.environ.get("AWS_REGION"))
            return boto3.Session(botocore_session=core)
        except boto_errors.BotoCoreError as error:
            raise CredentialsError(f"AWS configuration: {describe(error)}") from error

    def default_region(self) -> str:
        """The region of the environment or profile; UsageError where there is none."""
        region = self._default_session.region_name
        if not region:
            raise UsageError("no region: give --region or set AWS_REGION")
        return str(region)

    def partition_regions(self) -> frozenset[str]:
        """The regions of the partition that the default region is in: patterns mean these."""
        region_name = self._default_session.region_name or "us-east-1"
        partition = self._default_session.get_partition_for_region(region_name)
        regions = self._default_session.get_available_regions("sts", partition)
        return known_regions().intersection(regions)

    def identify(self, role_arn: str | None, region_name: str) -> Access:
        """The account behind the default credentials or behind a role.

        Roles name their account, so they are tried only when a listing needs them.
        CredentialsError when STS does not accept the default credentials, or answers oddly.
        """
        if role_arn is not None:
            return Access(account_of_role(role_arn), role_arn)
        try:
            answer = self._ask_sts(region_name, None)
        except Exception as error:  # odd answers raise errors of many classes
            raise CredentialsError(
                f"AWS STS does not say whose credentials these are: {describe(error)}; check the "
                "profile or environment, or try `joblake demo`, which needs none"
            ) from error
        account_id = str(answer.get("Account"))
        if _ACCOUNT_ID.fullmatch(account_id) is None:
            raise CredentialsError(
                f"AWS names {account_id[:40]!r} as the account of the credentials, which is no "
                "account; check the endpoint that AWS_ENDPOINT_URL_STS names"
            )
        return Access(account_id)

    def are_accepted(self, region_name: str, role_arn: str | None) -> bool:
        """Whether STS still accepts the credentials."""
        try:
            self._ask_sts(region_name, role_arn)
        except Exception:  # noqa: BLE001 - whatever the reason: they are not known to be good
            return False
        return True

    def _ask_sts(self, region_name: str, role_arn: str | None) -> Any:
        # The default region goes first: a listed region may not be opted in, and STS there
        # refuses the best of credentials.
        region_name = self._default_session.region_name or region_name
        return self.client("sts", region_name, role_arn).get_caller_identity()

    def client(self, service: str, region_name: str, role_arn: str | None) -> Any:
        """A client of its own for one scope: its event handlers touch no other."""
        with self._lock:
            session = self._session(role_arn, region_name)
            return session.client(service, region_name=region_name, config=self._config)

    def _session(self, role_arn: str | None, region_name: str) -> boto3.Session:
        if role_arn is None:
            return self._default_session
        if role_arn not in self._role_sessions:
            region_name = self._default_session.region_name or region_name
            sts = self._default_session.client("sts", region_name, config=self._config)
            core = _core_session()
            assume = create_assume_role_refresher(
                sts, {"RoleArn": role_arn, "RoleSessionName": "joblake"}
            )
            core._credentials = DeferredRefreshableCredentials(  # noqa: SLF001 - botocore has no other door
                method="assume-role", refresh_using=partial(_without_quotation, assume)
            )
            self._role_sessions[role_arn] = boto3.Session(
                botocore_session=core, region_name=region_name
            )
        return self._role_sessions[role_arn]


def _core_session() -> botocore.session.Session:
    """A session of its own over the data files that every session of the process shares."""
    core = botocore.session.Session()
    try:
        data_path = core.get_config_variable("data_path")
    except boto_errors.BotoCoreError as error:  # a profile that does not exist, a broken file
        raise CredentialsError(f"AWS configuration: {describe(error)}") from error
    core.register_component("data_loader", _loader(data_path))
    return core


@cache
def _loader(data_path: str | None) -> Loader:
    """Botocore's data, parsed once: its list of endpoints alone takes half a second."""
    return create_loader(data_path)


def _without_quotation(assume: Callable[[], Any]) -> Any:
    """Assume a role; botocore logs what fails here, and some errors quote the whole answer."""
    try:
        return assume()
    except ResponseParserError as error:
        raise boto_errors.CredentialRetrievalError(
            provider="assume-role", error_msg=describe(error)
        ) from None


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
    session = _core_session()
    return frozenset(
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("sts", partition)
        if region.rsplit("-", 1)[-1].isdigit()  # STS also has a global pseudo-region
    )


@cache
def _service_regions(service: str) -> frozenset[str]:
    session = _core_session()
    # botocore lists no region for Clean Rooms ML; it is offered where Clean Rooms is.
    service = "cleanrooms" if service == "cleanroomsml" else service
    return frozenset(
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions(service, partition)
    )


def outcome_of(
    error: Exception, *, service: str, region_name: str, are_accepted: Callable[[], bool]
) -> str:
    """The outcome of a scope that failed before its first page: denied, unsupported or failed.

    `are_accepted` asks whether the credentials are still good: regions that are not opted in
    refuse good ones with the words that are meant for bad ones.
    """
    if isinstance(error, boto_errors.ClientError):
        code, message = error_words(error)
        if code in _REGION_REFUSED_CODES:
            return "unsupported" if are_accepted() else "denied"
        if code in _DENIED_CODES:
            return "denied"
        unknown = "UnknownOperation" in code or message.startswith("Unknown operation")
        return "unsupported" if unknown else "failed"
    if isinstance(error, boto_errors.NoCredentialsError | boto_errors.CredentialRetrievalError):
        return "denied"
    if isinstance(error, _UNREACHABLE) and region_name not in _service_regions(service):
        return "unsupported"
    return "failed"


def error_words(error: boto_errors.ClientError) -> tuple[str, str]:
    """The code and the message of a service's error, whatever JSON the service put there."""
    details = error.response.get("Error") or {}
    return str(details.get("Code") or "Error"), str(details.get("Message") or "")


def describe(error: BaseException, *, hidden: str | None = None) -> str:
    """An error in one printable line, without credentials, tokens or the queries of URLs.

    `hidden` is a text that the service may have quoted: the page token of the request.
    """
    if isinstance(error, JoblakeError):
        return str(error)
    if isinstance(error, boto_errors.ClientError):
        text = ": ".join(error_words(error))
    elif isinstance(error, ResponseParserError):
        # Its own text quotes the answer, which of AssumeRole is a secret key.
        text = f"{type(error).__name__}: the answer does not follow the service's protocol"
    elif isinstance(error, boto_errors.BotoCoreError):
        text = str(error)
    else:
        text = f"{type(error).__name__}: {error}"
    if hidden:
        text = text.replace(hidden, "…")
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    text = " ".join(text.split())
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text[:_MESSAGE_LENGTH]
