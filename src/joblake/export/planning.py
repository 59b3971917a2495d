"""Plan a run: check its settings, ask STS whose the accounts are, and name the scopes.

Scopes are accounts x regions x tables, less what a region cannot offer. Nothing is listed here.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

from joblake.aws.connections import Connections, Credentials
from joblake.aws.regions import HOME_REGION, known_regions
from joblake.errors import CredentialsError, UsageError
from joblake.export.run import Clock, PlannedScope, Run, connections_of, utc_now
from joblake.lake.scope import Scope
from joblake.listing.pager import Query
from joblake.listing.start import BEGINNING, decode_start
from joblake.settings.kinds import account_of_role
from joblake.settings.settings import Account, Settings, lake_of
from joblake.sources.catalogue import Source, shipped_catalogue
from joblake.sources.service_model import convert_parameter

ALL_REGIONS = "all"


def plan(settings: Settings, *, clock: Clock = utc_now) -> Run:
    """Check every setting, ask STS whose the accounts are, and name the scopes.

    They come table by table, so that neighbours are of different places as far as can be.
    UsageError for settings that cannot work, CredentialsError when no account can be listed or one
    cannot be named, LakeError when the lake cannot be one.
    """
    lake_of(settings)
    tables = checked_tables(settings)
    connections = connections_of(settings)
    accounts = _identified(settings, connections)
    catalogue = shipped_catalogue()
    scopes = [
        planned
        for table in tables
        for account_id, account in accounts.items()
        if table in settings.tables_of(account)
        for planned in places_of(settings, connections, catalogue[table], account_id, account)
    ]
    if not scopes:
        raise UsageError("none of the regions offers any of the tables: there is nothing to list")
    _require_one_start(settings, scopes)
    lake_of(settings).prepare()
    return Run(str(uuid.uuid4()), clock(), settings, tuple(dict.fromkeys(scopes)))


def credentials_of(account: Account) -> Credentials:
    """Whose credentials reach an account."""
    return Credentials(account.profile, account.role_arn, account.external_id, account.session_name)


def checked_tables(settings: Settings) -> list[str]:
    """The tables of a run, after everything that can be checked without asking anybody."""
    tables = list(dict.fromkeys(t for a in settings.accounts for t in settings.tables_of(a)))
    for table in tables:
        query_of(shipped_catalogue().named(table), settings)
    for account in settings.accounts:
        for table in tables:
            for pattern in settings.regions_of(account, table):
                _require_known(pattern)
            source = shipped_catalogue().named(table)
            for parent in given_parents(settings, account, source):
                require_parent(source, parent)
    roles = [account.role_arn for account in settings.accounts if account.role_arn is not None]
    if len(roles) > len(set(map(account_of_role, roles))):
        raise UsageError("two of the roles are of one account; name one role for each account")
    return tables


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
    """CredentialsError, the first one, where no role can be assumed."""
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


def places_of(
    settings: Settings, connections: Connections, source: Source, account_id: str, account: Account
) -> Iterator[PlannedScope]:
    """The scopes of a table in an account; UsageError where no region is named anywhere."""
    credentials = credentials_of(account)
    parents = given_parents(settings, account, source)
    patterns = settings.regions_of(account, source.table)
    for region_name in _regions(patterns, connections, source, credentials):
        planned = PlannedScope(Scope(source.table, account_id, region_name), credentials)
        if source.parent is not None and parents:
            yield from map(planned.of_parent, parents)
        else:
            yield planned


def _regions(
    patterns: Sequence[str], connections: Connections, source: Source, credentials: Credentials
) -> list[str]:
    """The regions that are meant: those with a name as they are, of others those that offer it."""
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


def require_parent(source: Source, parent: str) -> None:
    """UsageError where the source's operation would refuse the parent's identifier."""
    if source.parent is None:
        return
    convert_parameter(source.operation, source.parent.parameter, parent)
    Scope(source.table, "000000000000", HOME_REGION, parent)


def given_parents(settings: Settings, account: Account, source: Source) -> tuple[str, ...]:
    """The parents that the settings name for a table; none means all that their source lists."""
    filters = _filters(settings.for_table(source.table))
    given = list(settings.parents_of(account))
    if source.parent is not None and source.parent.parameter in filters:
        given.append(filters[source.parent.parameter])
    return tuple(dict.fromkeys(given))


def _require_one_start(settings: Settings, scopes: Sequence[PlannedScope]) -> None:
    catalogue = shipped_catalogue()
    starts = {query_of(catalogue[planned.scope.table], settings).start for planned in scopes}
    if starts != {BEGINNING} and (len(scopes) > 1 or scopes[0].needs_discovery):
        raise UsageError(
            "a starting token belongs to one listing; choose it with --table, --region and --parent"
        )


def query_of(source: Source, settings: Settings) -> Query:
    """What the settings ask of a source's operation, converted and checked by its service model.

    UsageError names the filter that is wrong and what is allowed.
    """
    operation = source.operation
    settings = settings.for_table(source.table)
    given = _filters(settings)
    converted = {
        name: convert_parameter(operation, name, text)
        for name, text in given.items()
        if source.parent is None or name != source.parent.parameter
    }
    page_size = converted.pop(operation.limit_key, None)
    if settings.page_size is not None:
        page_size = convert_parameter(operation, operation.limit_key, str(settings.page_size))
    token = converted.pop(operation.input_token, None)
    if settings.starting_token is not None:
        token = settings.starting_token
    start = BEGINNING if token is None else decode_start(str(token), operation)
    return Query(
        parameters={**source.request, **converted},
        page_size=operation.page_maximum if page_size is None else int(str(page_size)),
        max_items=settings.max_items,
        start=start,
    )


def _filters(settings: Settings) -> dict[str, str]:
    filters: dict[str, str] = {}
    for text in settings.filter:
        name, value = _split_filter(text)
        if name in filters:
            raise UsageError(f"filter {name!r} is given twice; a parameter takes one value")
        filters[name] = value
    return filters


def _split_filter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UsageError(f"filter {text!r}: expected name=value, such as statusEquals=Completed")
    return name.strip(), value
