"""Plan a run: check its settings, ask STS whose the accounts are, and name the scopes.

Scopes are accounts x regions x tables, less what a region cannot offer. A table whose source has a
parent is listed below it: the plan names the scope of the parent, whose listing shows the others.
Nothing is listed here.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from joblake.aws.connections import Connections
from joblake.aws.credentials import Credentials
from joblake.aws.regions import known_regions
from joblake.errors import CredentialsError, UsageError
from joblake.export.query import given_parents, query_of, require_parent
from joblake.export.run import Clock, PlannedScope, Run, connections_of, utc_now
from joblake.lake.scope import Scope
from joblake.listing.start import BEGINNING
from joblake.settings.kinds import account_of_role
from joblake.settings.settings import Account, Settings, lake_of
from joblake.sources.catalogue import Source

ALL_REGIONS = "all"


def plan(settings: Settings, *, clock: Clock = utc_now) -> Run:
    """Check every setting, ask STS whose the accounts are, and name the scopes.

    The scopes stand in the order of their tables: those that are exported at the same time then lie
    in different accounts and regions where there are several. UsageError for settings that cannot
    work, CredentialsError when no account can be listed or one cannot be named, LakeError when the
    lake cannot be one.
    """
    lake_of(settings)
    check(settings)
    connections = connections_of(settings)
    scopes = planned_scopes(settings, connections, _identified(settings, connections))
    if not scopes:
        raise UsageError("none of the regions offers any of the tables: there is nothing to list")
    _require_one_start(settings, scopes)
    lake_of(settings).prepare()
    return Run(str(uuid.uuid4()), clock(), settings, scopes)


def credentials_of(account: Account) -> Credentials:
    """The credentials that reach an account."""
    return Credentials(account.profile, account.role_arn, account.external_id, account.session_name)


def check(settings: Settings) -> None:
    """Raise UsageError for settings that are wrong whatever AWS would say."""
    for account in settings.accounts:
        for table in settings.tables:
            for pattern in settings.regions_of(account, table):
                _require_known(pattern)
            for source in way_to(settings, account, settings.catalogue[table]):
                query_of(source, settings)
                for parent in given_parents(settings, account, source):
                    require_parent(source, parent)
    roles = [account.role_arn for account in settings.accounts if account.role_arn is not None]
    if len(roles) > len(set(map(account_of_role, roles))):
        raise UsageError("two of the roles are of one account; name one role for each account")


def way_to(settings: Settings, account: Account, source: Source) -> tuple[Source, ...]:
    """A source after the parent that must be listed first, unless the settings name parents."""
    parent = settings.catalogue.parent_of(source)
    if parent is None or given_parents(settings, account, source):
        return (source,)
    return (*way_to(settings, account, parent), source)


def _require_known(pattern: str) -> None:
    if pattern != ALL_REGIONS and not any(fnmatchcase(r, pattern) for r in known_regions()):
        hint = (
            "name each region by itself"
            if "," in pattern
            else "botocore knows names such as us-east-1 (a newer boto3 may know more)"
        )
        raise UsageError(f"unknown region {pattern!r}; {hint}")


def _identified(settings: Settings, connections: Connections) -> dict[str, Account]:
    """The accounts by their ids.

    A role names its account and is tried only when a listing needs it, unless nothing else shows
    that there is anything to list. Other credentials are asked whose they are; where that fails,
    the account must be known from the settings or the profile for the others to go on.
    """
    found: dict[str, Account] = {}
    refusal: CredentialsError | None = None
    is_any_accepted = False
    for account in settings.accounts:
        credentials = credentials_of(account)
        if account.role_arn is not None:
            account_id = account_of_role(account.role_arn)
        else:
            try:
                account_id = connections.account_of(credentials)
                is_any_accepted = True
            except CredentialsError as error:
                known = account.account_id or connections.written_account(credentials)
                if known is None:
                    raise CredentialsError(
                        f"{error}; where its account_id is set, the other accounts go on"
                    ) from error
                account_id, refusal = known, refusal or error
        if account.account_id not in {None, account_id}:
            raise CredentialsError(
                f"the {credentials} are of account {account_id}, not of {account.account_id}"
            )
        if account_id in found:
            raise UsageError(
                f"two of the accounts are {account_id} ({credentials_of(found[account_id])}, "
                f"{credentials}); name each account once"
            )
        found[account_id] = account
    if not is_any_accepted:
        _require_any_role(found.values(), connections, refusal)
    return found


def _require_any_role(
    accounts: Iterable[Account], connections: Connections, refusal: CredentialsError | None
) -> None:
    """Raise the first CredentialsError where no role can be assumed."""
    for account in accounts:
        if account.role_arn is None:
            continue
        try:
            connections.account_of(credentials_of(account))
        except CredentialsError as error:
            refusal = refusal or error
        else:
            return
    if refusal is not None:
        raise refusal


def planned_scopes(
    settings: Settings, connections: Connections, accounts: Mapping[str, Account]
) -> tuple[PlannedScope, ...]:
    """The scopes that an export of the accounts, given by their ids, begins with.

    Each is there once, however many tables need it. UsageError where no region is named anywhere.
    """
    tables_below: dict[tuple[Scope, Credentials], dict[str, None]] = {}
    for table in settings.tables:
        for account_id, account in accounts.items():
            if table not in settings.tables_of(account):
                continue
            source = settings.catalogue[table]
            credentials = credentials_of(account)
            first, *below = way_to(settings, account, source)
            patterns = settings.regions_of(account, table)
            for region_name in _regions(patterns, connections, source, credentials):
                for parent in given_parents(settings, account, first) or (None,):
                    scope = Scope(first.table, account_id, region_name, parent)
                    known = tables_below.setdefault((scope, credentials), {})
                    known.update((child.table, None) for child in below)
    return tuple(
        PlannedScope(scope, credentials, tuple(tables))
        for (scope, credentials), tables in tables_below.items()
    )


def _regions(
    patterns: Sequence[str], connections: Connections, source: Source, credentials: Credentials
) -> list[str]:
    """The regions named, and of those that a pattern matches the ones that offer the service."""
    if not patterns:
        try:
            return [connections.default_region(credentials)]
        except CredentialsError as error:
            raise CredentialsError(
                f"{error}; where its region is set too, the other accounts go on"
            ) from error
    found: list[str] = []
    for pattern in patterns:
        if pattern in known_regions():
            found.append(pattern)
            continue
        offering = sorted(connections.regions(source.client, credentials))
        found += [r for r in offering if pattern == ALL_REGIONS or fnmatchcase(r, pattern)]
    return list(dict.fromkeys(found))


def _require_one_start(settings: Settings, scopes: Sequence[PlannedScope]) -> None:
    tables = {table for planned in scopes for table in planned.tables}
    starts = {query_of(settings.catalogue[table], settings).start for table in tables}
    if starts != {BEGINNING} and (len(scopes) > 1 or scopes[0].tables_below):
        raise UsageError(
            "a starting token belongs to one listing; choose it with --table, --region and --parent"
        )
