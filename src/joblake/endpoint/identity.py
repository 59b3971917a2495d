"""The caller, by the account and region in a request's signature, and the two STS operations.

Signatures are read, never verified: the endpoint serves invented resources on the loopback
interface, and whoever reaches it may have them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4
from xml.sax.saxutils import escape

from joblake.endpoint.resources import Place
from joblake.endpoint.wire import Answer, ServiceError

_CREDENTIAL = re.compile(
    r"AWS4-HMAC-SHA256\s+.*?Credential=(?P<key>[^/,\s]+)/[0-9]{8}/(?P<region>[^/,\s]+)/"
)
_ACCOUNT_AT_END = re.compile(r"[0-9]{12}$")
_ROLE_ARN = re.compile(r"arn:aws[-a-z]*:iam::(?P<account>[0-9]{12}):role/(?:.*/)?(?P<name>[^/]+)")
_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
_SESSION_SECONDS = (900, 3600, 43200)  # shortest, default and longest that STS grants


@dataclass(frozen=True)
class Caller:
    """The signer of a request, and the region that it was signed for."""

    access_key_id: str
    account_id: str
    region_name: str

    @property
    def place(self) -> Place:
        """The place that the caller's listings look at."""
        return Place(self.account_id, self.region_name)


def read_caller(authorization: str, default_account_id: str) -> Caller | None:
    """The caller named in an Authorization header; None where there is no SigV4 credential.

    The account is the 12 digits at the end of the access key id, else the default one.
    """
    credential = _CREDENTIAL.match(authorization)
    if credential is None:
        return None
    account = _ACCOUNT_AT_END.search(credential["key"])
    account_id = account[0] if account else default_account_id
    return Caller(credential["key"], account_id, credential["region"])


def access_key_id(account_id: str, *, is_temporary: bool = False) -> str:
    """An access key id that belongs to the account."""
    return ("ASIA" if is_temporary else "AKIA") + account_id


def answer_sts(caller: Caller, form: Mapping[str, str]) -> Answer:
    """Answer GetCallerIdentity or AssumeRole; ServiceError for anything else."""
    match form.get("Action"):
        case "GetCallerIdentity":
            return _xml("GetCallerIdentity", _caller_identity(caller))
        case "AssumeRole":
            return _xml("AssumeRole", _assumed_role(form))
        case action:
            message = f"Could not find operation {action} for version {form.get('Version')}"
            raise ServiceError("InvalidAction", message)


def sts_error_answer(code: str, message: str, status: int) -> Answer:
    """An error in the query protocol."""
    body = (
        f'<ErrorResponse xmlns="{_NAMESPACE}"><Error><Type>Sender</Type><Code>{escape(code)}</Code>'
        f"<Message>{escape(message)}</Message></Error><RequestId>{uuid4()}</RequestId>"
        "</ErrorResponse>"
    )
    return Answer(status, {"content-type": "text/xml"}, body.encode())


def _caller_identity(caller: Caller) -> str:
    if caller.access_key_id.startswith("ASIA"):
        user_id, arn = "AROA" + caller.account_id + ":session", "sts::{}:assumed-role/role/session"
    else:
        user_id, arn = "AIDA" + caller.account_id, "iam::{}:user/joblake"
    return (
        f"<UserId>{user_id}</UserId><Account>{caller.account_id}</Account>"
        f"<Arn>arn:aws:{arn.format(caller.account_id)}</Arn>"
    )


def _assumed_role(form: Mapping[str, str]) -> str:
    role = _ROLE_ARN.fullmatch(form.get("RoleArn", ""))
    session_name = form.get("RoleSessionName", "")
    if role is None:
        raise ServiceError("ValidationError", f"{form.get('RoleArn', '')} is invalid")
    if not re.fullmatch(r"[\w+=,.@-]{2,64}", session_name, re.ASCII):
        raise ServiceError(
            "ValidationError", f"Value '{session_name}' at 'roleSessionName' is invalid"
        )
    account_id = role["account"]
    expiration = datetime.now(UTC) + timedelta(seconds=_session_seconds(form))
    return (
        "<Credentials>"
        f"<AccessKeyId>{access_key_id(account_id, is_temporary=True)}</AccessKeyId>"
        f"<SecretAccessKey>secret-of-{account_id}</SecretAccessKey>"
        f"<SessionToken>session-of-{account_id}</SessionToken>"
        f"<Expiration>{expiration:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials><AssumedRoleUser>"
        f"<AssumedRoleId>AROA{account_id}:{session_name}</AssumedRoleId>"
        f"<Arn>arn:aws:sts::{account_id}:assumed-role/{escape(role['name'])}/{session_name}</Arn>"
        "</AssumedRoleUser>"
    )


def _session_seconds(form: Mapping[str, str]) -> int:
    shortest, default, longest = _SESSION_SECONDS
    text = form.get("DurationSeconds", str(default))
    if not text.isdecimal() or not shortest <= int(text) <= longest:
        raise ServiceError("ValidationError", f"Value '{text}' at 'durationSeconds' is invalid")
    return int(text)


def _xml(operation: str, result: str) -> Answer:
    body = (
        f'<{operation}Response xmlns="{_NAMESPACE}"><{operation}Result>{result}'
        f"</{operation}Result><ResponseMetadata><RequestId>{uuid4()}</RequestId>"
        f"</ResponseMetadata></{operation}Response>"
    )
    return Answer(200, {"content-type": "text/xml"}, body.encode())
