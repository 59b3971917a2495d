"""An adapter, as harlequin calls its plug-ins, that opens a lake in this SQL shell.

`joblake shell` starts harlequin with it; so does `harlequin --adapter joblake LAKE`. Every query
goes through the warehouse's fence, as on the command line.
"""

from collections.abc import Sequence
from typing import Any

from harlequin import HarlequinAdapter
from harlequin.exception import HarlequinConnectionError, HarlequinQueryError
from harlequin.options import FlagOption, HarlequinAdapterOption
from harlequin_duckdb.adapter import DuckDbConnection, DuckDbCursor

import joblake
from joblake.errors import JoblakeError
from joblake.warehouse.warehouse import Warehouse

_SKIP_CORRUPT = FlagOption(
    name="skip-corrupt",
    description="Leave out files that are no readable Parquet, and name them.",
)


class LakeConnection(DuckDbConnection):
    """An open warehouse, whose queries can only read."""

    def __init__(self, warehouse: Warehouse) -> None:
        skipped = "\n".join(f"skipped {path}: {reason}" for path, reason in warehouse.skipped)
        super().__init__(warehouse.connection, init_message=skipped)
        self._warehouse = warehouse

    def execute(self, query: str) -> DuckDbCursor | None:
        """Run one statement; a refused or wrong one raises harlequin's own error."""
        try:
            statement = self._warehouse.read_only(query)
        except JoblakeError as error:
            raise HarlequinQueryError(str(error), title="joblake refused the query") from error
        return super().execute(statement)

    def close(self) -> None:
        """Release memory and spilled rows."""
        self._warehouse.close()


class LakeAdapter(HarlequinAdapter):
    """Opens the lake that harlequin is given, or the one of the settings."""

    ADAPTER_OPTIONS: list[HarlequinAdapterOption] | None = [_SKIP_CORRUPT]  # noqa: RUF012 - as harlequin declares it
    IMPLEMENTS_CANCEL = True
    IMPLEMENTS_CATALOG_SEARCH = True
    IMPLEMENTS_READ_ONLY = True
    ADAPTER_DETAILS = "The views of a joblake lake, read only."

    def __init__(
        self,
        conn_str: Sequence[str] = (),
        read_only: bool = True,  # noqa: FBT001, FBT002 - harlequin's signature
        *,
        skip_corrupt: bool = False,
        **_: Any,
    ) -> None:
        del read_only  # there is no other way
        self._location = next(iter(conn_str), None)
        self._skip_corrupt = skip_corrupt

    @property
    def connection_id(self) -> str:
        """The name under which harlequin keeps the history of queries."""
        return f"joblake {self._location or ''}".strip()

    def connect(self) -> LakeConnection:
        """Open the lake as it is now; one that cannot be read raises harlequin's own error."""
        try:
            opened = joblake.open(self._location, skip_unreadable=self._skip_corrupt)
            return LakeConnection(opened)
        except JoblakeError as error:
            raise HarlequinConnectionError(
                str(error), title="joblake cannot open the lake"
            ) from error
