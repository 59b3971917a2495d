"""From raw pages to flat Arrow tables.

Two parsers, `fast` and `tolerant`, give the same rows for a page that both accept; `fast` goes
first. Pure functions: raw pages in, `ParsedRows` out.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import pyarrow as pa

from joblake.listing.fast import parse_rows
from joblake.listing.json_text import canonical_json, load_json
from joblake.listing.pages import RawPage, raising_damage
from joblake.listing.tolerant import flatten_items
from joblake.sources.schema import EXTRA, is_sensitive, item_columns
from joblake.sources.service_model import Member, Operation


@dataclass(frozen=True)
class ParsedRows:
    """The rows of `page_count` consecutive pages, in the columns of `schema.listed_schema`.

    `next_token` leads to the page after them (None: there is none); `odd_values` counts the values
    that fit no column and stand in `extra` instead.
    """

    rows: pa.Table
    next_token: str | None
    odd_values: int = 0
    page_count: int = 1


def parse_pages(
    pages: Sequence[RawPage], operation: Operation, *, store_sensitive: bool = True
) -> Iterator[ParsedRows]:
    """Parse consecutive pages together, or one by one where the fast parser gives up.

    Sensitive members become null unless `store_sensitive`. DamagedPageError when an item is nested
    more deeply than Python's stack allows, which is some five hundred levels.
    """
    odd_values = 0
    rows = parse_rows(list(chain.from_iterable(page.items for page in pages)), operation)
    if rows is None and len(pages) > 1:
        for page in pages:
            yield from parse_pages([page], operation, store_sensitive=store_sensitive)
        return
    if rows is None:
        with raising_damage(operation):
            items = map(load_json, map(bytes, pages[0].items))
            rows, odd_values = flatten_items((i for i in items if i is not None), operation)
    if not store_sensitive:
        rows = _without_sensitive(rows, operation)
    yield ParsedRows(rows, pages[-1].next_token, odd_values, len(pages))


def flatten_extras(
    extras: Iterable[str], operation: Operation, *, store_sensitive: bool = True
) -> pa.Table:
    """Flatten the texts of `extra` like items: members that the model has learnt become columns.

    Whatever still fits no column is in the `extra` of the result, spelled as it was.
    """
    rows, _ = flatten_items(map(json.loads, extras), operation)
    return rows if store_sensitive else _without_sensitive(rows, operation)


def _without_sensitive(rows: pa.Table, operation: Operation) -> pa.Table:
    for index, column in enumerate(item_columns(operation)):
        if column.is_sensitive:
            empty = pa.nulls(rows.num_rows, column.type)
            rows = rows.set_column(index, rows.schema.field(index), empty)
    sensitive = list(_sensitive_paths(operation.item, ()))
    texts = [_drop_paths(text, sensitive) for text in rows.column(EXTRA).to_pylist()]
    return rows.set_column(rows.num_columns - 1, EXTRA, pa.array(texts, pa.string()))


def _sensitive_paths(shape: Member, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for child in shape.members:
        if is_sensitive(child):
            yield (*path, child.name)
        else:
            yield from _sensitive_paths(child, (*path, child.name))


def _drop_paths(text: str | None, paths: Iterable[tuple[str, ...]]) -> str | None:
    if text is None:
        return None
    rest = {"item": json.loads(text)}
    for path in paths:
        place = rest
        for name in ("item", *path[:-1]):
            # A value that stands where a structure belongs may hold what the structure would hold.
            if not isinstance(place.get(name), dict):
                place.pop(name, None)
                break
            place = place[name]
        else:
            place.pop(path[-1], None)
    item = rest.get("item", {})
    return canonical_json(item) if item != {} else None
