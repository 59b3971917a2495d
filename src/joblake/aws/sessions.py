"""boto3's sessions, one for each credentials; roles are assumed for them by STS."""

import os
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import boto3
import botocore.exceptions as boto_errors
import botocore.session
from botocore.credentials import DeferredRefreshableCredentials, create_assume_role_refresher
from botocore.parsers import ResponseParserError

from joblake.aws.credentials import DEFAULT, Credentials
from joblake.aws.refusals import REGION_REFUSED_CODES, describe, error_words
from joblake.aws.regions import home_of
from joblake.errors import CredentialsError
from joblake.sources.service_model import loader_of


class Sessions:
    """The sessions of one run.

    `fallback_region` is where STS is asked by credentials that have no region of their own, and
    `sts_client` makes the clients that ask it.
    """

    def __init__(
        self, sts_client: Callable[[str, Credentials], Any], *, fallback_region: str
    ) -> None:
        self._lock = threading.RLock()  # a role's session is made with another's
        self._sts_client = sts_client
        self._fallback_region = fallback_region
        self._sessions: dict[Credentials, boto3.Session] = {}

    def of(self, credentials: Credentials) -> boto3.Session:
        """The session of the credentials; CredentialsError where it cannot be configured."""
        with self._lock:
            if credentials not in self._sessions:
                self._sessions[credentials] = (
                    base_session(credentials.profile)
                    if credentials.role_arn is None
                    else self._role_session(credentials)
                )
            return self._sessions[credentials]

    def configuration(self, credentials: Credentials) -> boto3.Session:
        """The session whose configuration counts: the default one, where there is no profile."""
        try:
            return self.of(credentials.base)
        except CredentialsError:
            if credentials.base == DEFAULT:
                raise
            return self.of(DEFAULT)

    def sts_regions(self, credentials: Credentials) -> list[str]:
        """The regions where STS is asked, in order.

        STS of a region that is not opted in refuses even good credentials. So a region that is
        listed is never asked, and the partition's first region has the last word.
        """
        session = self.configuration(credentials)
        region = str(session.region_name or self._fallback_region)
        return list(dict.fromkeys((region, home_of(region))))

    def caller(self, credentials: Credentials) -> Any:
        """STS's answer to GetCallerIdentity, which names the account of the credentials."""
        clients = [self._sts_client(r, credentials) for r in self.sts_regions(credentials)]
        return _first_accepted([client.get_caller_identity for client in clients])

    def _role_session(self, credentials: Credentials) -> boto3.Session:
        """A session of an assumed role, which is assumed again whenever its time runs out."""
        wanted = {
            "RoleArn": credentials.role_arn,
            "RoleSessionName": credentials.session_name,
            "ExternalId": credentials.external_id,
        }
        wanted = {name: value for name, value in wanted.items() if value is not None}
        refreshers = [
            create_assume_role_refresher(self._sts_client(region, credentials.base), wanted)
            for region in self.sts_regions(credentials)
        ]
        core = _core_session(credentials.profile)
        core._credentials = DeferredRefreshableCredentials(  # noqa: SLF001 - botocore has no other door
            method="assume-role", refresh_using=partial(_without_quotation, refreshers)
        )
        return boto3.Session(botocore_session=core, region_name=self._fallback_region)


def base_session(profile: str | None = None) -> boto3.Session:
    """The session of a profile, or of the default credentials; CredentialsError as for `of`."""
    try:
        core = _core_session(profile)
        if core.get_config_variable("region") is None:
            # boto3 reads AWS_DEFAULT_REGION alone, unlike every other AWS SDK.
            core.set_config_variable("region", os.environ.get("AWS_REGION"))
        return boto3.Session(botocore_session=core)
    except boto_errors.BotoCoreError as error:  # a profile that does not exist, a broken file
        raise CredentialsError(f"AWS configuration: {describe(error)}") from error


def _core_session(profile: str | None) -> botocore.session.Session:
    """A session of its own over the data files that every session of the process shares."""
    core = botocore.session.Session(profile=profile)
    core.register_component("data_loader", loader_of(core.get_config_variable("data_path")))
    return core


def _first_accepted(attempts: Sequence[Callable[[], Any]]) -> Any:
    """STS's answer in the first region where it does not refuse because of the region."""
    for attempt in attempts[:-1]:
        try:
            return attempt()
        except boto_errors.ClientError as error:
            if error_words(error)[0] not in REGION_REFUSED_CODES:
                raise
    return attempts[-1]()


def _without_quotation(refreshers: Sequence[Callable[[], Any]]) -> Any:
    """Assume a role, and raise no error that quotes STS's answer: botocore logs what fails here."""
    try:
        return _first_accepted(refreshers)
    except ResponseParserError as error:
        raise boto_errors.CredentialRetrievalError(
            provider="assume-role", error_msg=describe(error)
        ) from None
