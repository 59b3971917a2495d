"""The rows that a query gives, for pandas, Arrow and everything that speaks Arrow."""

from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    import pandas as pd


class QueryResult:
    """The rows that a query gave, in memory; the lake may go on changing.

    polars, DuckDB and others take it as it is: `polars.DataFrame(result)`.
    """

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def arrow(self) -> pa.Table:
        """The rows as a pyarrow Table, in DuckDB's types."""
        return self._table

    def df(self) -> "pd.DataFrame":
        """The rows as a pandas DataFrame.

        Integers and booleans are pandas' nullable ones, so that no row decides a column's type;
        decimals and sums of integers are floats, as DuckDB gives them to pandas.
        """
        import pandas as pd

        kinds = {pa.int64(): pd.Int64Dtype(), pa.int32(): pd.Int32Dtype()}
        nullable = {**kinds, pa.bool_(): pd.BooleanDtype()}
        table = self._table.cast(pa.schema([_for_pandas(field) for field in self.schema]))
        frame: pd.DataFrame = table.to_pandas(types_mapper=nullable.get, date_as_object=False)
        return frame

    def to_pylist(self) -> list[dict[str, Any]]:
        """The rows as dicts."""
        rows: list[dict[str, Any]] = self._table.to_pylist()
        return rows

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema."""
        return self._table.schema

    @property
    def column_names(self) -> list[str]:
        """The columns, in order."""
        names: list[str] = self._table.column_names
        return names

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        return int(self._table.num_rows)

    def __len__(self) -> int:
        return self.num_rows

    def __repr__(self) -> str:
        return f"<{self.num_rows} rows of {', '.join(self.column_names)}>"

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


def _for_pandas(field: pa.Field) -> pa.Field:
    return field.with_type(pa.float64()) if pa.types.is_decimal(field.type) else field
