"""What a scope's listing asks for: its parameters, where it begins and where it is cut."""

from datetime import datetime

from joblake.aws.regions import HOME_REGION
from joblake.errors import UsageError
from joblake.lake.scope import Scope
from joblake.listing.pager import Query
from joblake.listing.start import BEGINNING, decode_start
from joblake.settings.settings import Account, Settings
from joblake.sources.catalogue import Source
from joblake.sources.service_model import convert_parameter


def query_of(source: Source, settings: Settings, parent: str | None = None) -> Query:
    """The query that the settings make for a source, checked by its operation's service model.

    `parent` identifies the resource to list in, where the scope has one. UsageError names the
    filter that is wrong and what is allowed.
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
    named = {} if source.parent is None or parent is None else {source.parent.parameter: parent}
    return Query(
        parameters={**source.request, **converted, **named},
        page_size=operation.page_maximum if page_size is None else int(str(page_size)),
        max_items=settings.max_items,
        start=start,
    )


def narrowing_of(source: Source, query: Query) -> dict[str, object]:
    """The parameters and limits of a query that narrow its listing; order and parent do not."""
    own = {*source.request} if source.parent is None else {*source.request, source.parent.parameter}
    narrowed: dict[str, object] = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in query.parameters.items()
        if name not in own
    }
    if query.max_items is not None:
        narrowed["max_items"] = query.max_items
    if query.start != BEGINNING:
        # The token itself is the service's secret; that there was one is enough.
        narrowed["starting_token"] = True
    return narrowed


def _filters(settings: Settings) -> dict[str, str]:
    filters: dict[str, str] = {}
    for text in settings.filter:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise UsageError(
                f"filter {text!r}: expected name=value, such as statusEquals=Completed"
            )
        if name in filters:
            raise UsageError(f"filter {name!r} is given twice; a parameter takes one value")
        filters[name] = value
    return filters


def require_parent(source: Source, parent: str) -> None:
    """Raise UsageError for an identifier of a parent that the source's operation would refuse."""
    if source.parent is None:
        return
    convert_parameter(source.operation, source.parent.parameter, parent)
    Scope(source.table, "000000000000", HOME_REGION, parent)


def given_parents(settings: Settings, account: Account, source: Source) -> tuple[str, ...]:
    """The parents that the settings name for a table; without one, all are listed in."""
    if source.parent is None:
        return ()
    filters = _filters(settings.for_table(source.table))
    given = [*settings.parents_of(account), filters.get(source.parent.parameter)]
    return tuple(dict.fromkeys(parent for parent in given if parent is not None))
