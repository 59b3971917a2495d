"""The columns of observations with their types, and the columns that a declaration names."""

from collections.abc import Mapping

import pyarrow as pa

from joblake.quoting import identifier
from joblake.sources.catalogue import Catalogue, Source
from joblake.sources.schema import column_of, observation_schema

ARROW_TYPES: Mapping[str, pa.DataType] = {
    "VARCHAR": pa.string(),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", tz="UTC"),
}
"""The types of the lake's columns, as DuckDB calls them."""
SQL_TYPES = {kind: name.lower() for name, kind in ARROW_TYPES.items()}


def observation_schemas(catalogue: Catalogue) -> dict[str, pa.Schema]:
    """The columns of every table of observations."""
    return {source.table: observation_schema(source) for source in catalogue.values()}


def empty_select(schema: pa.Schema) -> str:
    """A select of no rows that has a schema's columns and types."""
    columns = (f"null::{SQL_TYPES[field.type]} as {identifier(field.name)}" for field in schema)
    return f"select {', '.join(columns)} where false"


def key_columns(source: Source) -> list[str]:
    """The columns that identify a resource within its account and region."""
    return [column_of(source, member) for member in source.key]


def resource_id(source: Source) -> str:
    """The expression of a resource's identifier; null where a part of its key is absent."""
    return " || ' ' || ".join(
        f"nullif({identifier(key)}::varchar, '')" for key in key_columns(source)
    )


def declared(source: Source, key: str, kind: str) -> str:
    """The column of the member that a key of the declaration names, else a null of that type."""
    member = getattr(source, key)
    return f"null::{kind}" if member is None else identifier(column_of(source, member))
