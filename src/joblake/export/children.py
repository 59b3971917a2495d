"""The scopes below a listed one: its children are listed in the resources that it showed."""

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from joblake.errors import UsageError
from joblake.export.query import require_parent
from joblake.export.run import PlannedScope
from joblake.sources.catalogue import Catalogue
from joblake.sources.schema import column_of


@dataclass(frozen=True)
class Children:
    """The scopes of the children. `error` names resources that no child can be listed in."""

    scopes: tuple[PlannedScope, ...] = ()
    error: str | None = None


def children_of(
    catalogue: Catalogue, planned: PlannedScope, rows: Iterable[pa.RecordBatch]
) -> Children:
    """The scopes of every child of a planned scope's source, by the rows that its listing showed.

    They come table by table, and carry the tables below on to their own children.
    """
    source = catalogue[planned.scope.table]
    children = [
        (child, child.parent)
        for child in map(catalogue.__getitem__, planned.tables_below)
        if child.parent is not None and child.parent.source == source.table
    ]
    shown: dict[str, dict[object, None]] = {parent.member: {} for _, parent in children}
    for batch in rows:
        for member, names in shown.items():
            names.update(dict.fromkeys(batch.column(column_of(source, member)).to_pylist()))
    scopes: list[PlannedScope] = []
    refusals: list[str] = []
    for child, parent in children:
        for name in shown[parent.member]:
            if name is None:
                refusals.append(f"one of the {source.table} has no {parent.member}")
                continue
            try:
                require_parent(child, str(name))
                scopes.append(planned.child(child.table, str(name)))
            except UsageError as error:
                refusals.append(str(error))
    if not refusals:
        return Children(tuple(scopes))
    more = f" (and {len(refusals) - 1} more)" if refusals[1:] else ""
    return Children(tuple(scopes), f"{refusals[0]}{more}")
