"""Refused and failed requests: the outcome they stand for, and one line on them without secrets."""

import re
from collections.abc import Callable

import botocore.exceptions as boto_errors
from botocore.parsers import ResponseParserError

from joblake.errors import CredentialsError, JoblakeError
from joblake.outcome import ListingOutcome

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
# These codes mean 'region not enabled' or 'credentials invalid'; only STS tells which.
REGION_REFUSED_CODES = frozenset(
    {
        "AuthFailure",
        "InvalidClientTokenId",
        "OptInRequired",
        "RegionDisabledException",
        "UnrecognizedClientException",
    }
)
_WITHOUT_CREDENTIALS = (
    boto_errors.CredentialRetrievalError,
    boto_errors.LoginError,
    boto_errors.NoCredentialsError,
    boto_errors.PartialCredentialsError,
    boto_errors.SSOError,  # nobody has signed in, or too long ago
    boto_errors.TokenRetrievalError,
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


def outcome_of(
    error: Exception, *, is_offered: Callable[[], bool], are_accepted: Callable[[], bool]
) -> ListingOutcome:
    """The outcome of a listing that failed before its first page.

    `is_offered` asks whether the service is known in the region, and `are_accepted` whether the
    credentials are still good: regions that are not opted in refuse good ones with the words that
    are meant for bad ones.
    """
    if isinstance(error, boto_errors.ClientError):
        code, message = error_words(error)
        if code in REGION_REFUSED_CODES:
            return ListingOutcome.unsupported if are_accepted() else ListingOutcome.denied
        if code in _DENIED_CODES:
            return ListingOutcome.denied
        unknown = "UnknownOperation" in code or message.startswith("Unknown operation")
        return ListingOutcome.unsupported if unknown else ListingOutcome.failed
    if isinstance(error, (*_WITHOUT_CREDENTIALS, CredentialsError)):
        return ListingOutcome.denied
    if isinstance(error, _UNREACHABLE) and not is_offered():
        return ListingOutcome.unsupported
    return ListingOutcome.failed


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
