"""Plan a run: check its settings, ask STS who we are, and name the scopes.

Nothing is listed here but memberships, which are what the scopes of Clean Rooms ML are made of.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import partial

from joblake.aws import Access, Connections, account_of_role, describe, known_regions, outcome_of
from joblake.catalog import SOURCES, Source, memberships_operation, source_named
from joblake.errors import UsageError
from joblake.lake import Lake, Scope
from joblake.listing import Pager, Position, Query, decode_position
from joblake.service_model import ParameterValue, convert_parameter
from joblake.settings import Settings

MEMBERSHIP_PARAMETER = "membershipIdentifier"
_ACTIVE_MEMBERSHIPS: Mapping[str, ParameterValue] = {"status": "ACTIVE"}

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class PlannedScope:
    """A scope and how to reach it; `outcome` and `error` are set where planning already failed."""

    scope: Scope
    role_arn: str | None = None
    outcome: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Run:
    """One run: its identity, its instant, its settings and its scopes."""

    run_id: str
    observed_at: datetime
    settings: Settings
    scopes: tuple[PlannedScope, ...]


def plan(settings: Settings, *, clock: Clock = utc_now) -> Run:
    """Check every setting, ask STS who we are, discover memberships, and name the scopes.

    UsageError for settings that cannot work, CredentialsError when nothing can be listed,
    LakeError when the lake cannot be one.
    """
    sources = [source_named(table) for table in settings.table or SOURCES]
    lake_of(settings)
    for source in sources:
        query_of(source, settings)
    memberships = _given_memberships(settings)
    if len(settings.role_arn) > len({account_of_role(role_arn) for role_arn in settings.role_arn}):
        raise UsageError("two of the roles are of one account; name one role for each account")
    connections = Connections(max_attempts=settings.max_attempts)
    regions = _regions(settings, connections)
    roles: Sequence[str | None] = settings.role_arn or (None,)
    scopes: list[PlannedScope] = []
    for role in roles:
        access = connections.identify(role, regions[0])
        for region_name in regions:
            scopes += _place_scopes(connections, access, region_name, sources, memberships)
    if len(scopes) > 1 and any(
        query_of(source, settings).start != Position() for source in sources
    ):
        raise UsageError(
            "a starting token belongs to one listing; choose it with --table, --region and "
            "--membership"
        )
    lake_of(settings).prepare()
    return Run(str(uuid.uuid4()), clock(), settings, tuple(dict.fromkeys(scopes)))


def lake_of(settings: Settings) -> Lake:
    """The lake that the settings name."""
    return Lake.at(settings.lake, file_mode=settings.file_mode)


def _regions(settings: Settings, connections: Connections) -> list[str]:
    if not settings.region:
        return [connections.default_region()]
    regions: list[str] = []
    for pattern in settings.region:
        known = known_regions() if pattern in known_regions() else connections.partition_regions()
        found = sorted(region for region in known if fnmatchcase(region, pattern))
        if not found:
            raise UsageError(
                f"unknown region {pattern!r}; botocore knows names such as us-east-1 "
                "(a newer boto3 may know more)"
            )
        regions += found
    return list(dict.fromkeys(regions))


def _given_memberships(settings: Settings) -> tuple[str, ...]:
    filters = _filters(settings)
    given = list(settings.membership)
    if MEMBERSHIP_PARAMETER in filters:
        given.append(filters[MEMBERSHIP_PARAMETER])
    for membership in given:
        Scope("memberships", "000000000000", "us-east-1", membership)
    return tuple(dict.fromkeys(given))


def _place_scopes(
    connections: Connections,
    access: Access,
    region_name: str,
    sources: Iterable[Source],
    memberships: tuple[str, ...],
) -> Iterator[PlannedScope]:
    for source in sources:
        scope = Scope(source.table, access.account_id, region_name)
        if not source.needs_membership:
            yield PlannedScope(scope, access.role_arn)
            continue
        if memberships:
            yield from (_planned(scope, access.role_arn, name) for name in memberships)
        else:
            yield from _discovered(connections, access, scope)


def _discovered(connections: Connections, access: Access, scope: Scope) -> Iterator[PlannedScope]:
    """The scopes of every active membership; one that failed where not all could be found."""
    found_count = 0
    try:
        for membership in _discover(connections, access, scope.region_name):
            found_count += 1
            yield _planned(scope, access.role_arn, membership)
    except Exception as error:  # noqa: BLE001 - the edge: an error becomes the scope's outcome
        outcome = outcome_of(
            error,
            service=memberships_operation().client,
            region_name=scope.region_name,
            are_accepted=partial(connections.are_accepted, scope.region_name, access.role_arn),
        )
        yield PlannedScope(scope, access.role_arn, outcome, describe(error))
        return
    if not found_count:
        # Looked and found none: a complete listing of nothing, on record.
        yield PlannedScope(scope, access.role_arn, "complete")


def _planned(scope: Scope, role_arn: str | None, membership: str) -> PlannedScope:
    """The membership's scope; where its name is none, that failure in its place."""
    try:
        return PlannedScope(replace(scope, membership_identifier=membership), role_arn)
    except UsageError as error:
        return PlannedScope(scope, role_arn, "failed", f"ListMemberships: {error}")


def _discover(connections: Connections, access: Access, region_name: str) -> Iterator[str]:
    operation = memberships_operation()
    client = connections.client(operation.client, region_name, access.role_arn)
    query = Query(_ACTIVE_MEMBERSHIPS, operation.page_maximum)
    for page in Pager(client, operation, query).pages(None):
        yield from (str(membership) for membership in page.rows.column("id").to_pylist())


def query_of(source: Source, settings: Settings) -> Query:
    """What the settings ask of a source's operation, converted and checked by its service model.

    UsageError names the filter that is wrong and what is allowed.
    """
    operation = source.operation
    given = _filters(settings)
    converted = {
        name: convert_parameter(operation, name, text)
        for name, text in given.items()
        if not (name == MEMBERSHIP_PARAMETER and source.needs_membership)
    }
    page_size = converted.pop(operation.limit_key, None)
    if settings.page_size is not None:
        page_size = convert_parameter(operation, operation.limit_key, str(settings.page_size))
    token = converted.pop(operation.input_token, None)
    if settings.starting_token is not None:
        token = settings.starting_token
    start = Position() if token is None else decode_position(str(token), operation)
    return Query(
        parameters={**source.ascending, **converted},
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
