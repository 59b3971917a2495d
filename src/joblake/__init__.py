"""joblake keeps the history of AWS machine-learning jobs in plain Parquet.

From Python, a lake answers SQL as it does on the command line:

    import joblake

    with joblake.open("data/demo") as lake:
        frame = lake.query("from jobs").df()  # pandas
        table = lake.query("from jobs").arrow()  # pyarrow
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from joblake.warehouse.warehouse import Warehouse

__all__ = ["open"]


def open(  # noqa: A001 - read as joblake.open, like gzip.open
    lake: str | Path | None = None, *, skip_unreadable: bool = False
) -> "Warehouse":
    """Open a lake for queries: its files of now, read only.

        lake = joblake.open("data/demo")
        lake.query("from jobs where status = $status", {"status": "Failed"}).df()

    Every view can be asked for by its bare name; `views()` lists them. What `query` returns has
    `.df()` for pandas and `.arrow()` for a pyarrow Table. Without `lake` it is the one that the
    command line would take: JOBLAKE_LAKE, joblake.toml, data/lake. A lake that does not exist yet
    is empty.

    Args:
        lake: the folder, or s3://bucket/prefix.
        skip_unreadable: leave out files that are not Parquet; `skipped` of the result names them.

    Raises:
        joblake.errors.UnreadableFileError: a file of the lake is damaged.
        joblake.errors.LakeError: the folder cannot be read.
        joblake.errors.UsageError: the path cannot be a lake; from `query`, the SQL is wrong or
            does not only read.
    """
    from joblake.settings.settings import lake_at, lake_of, load_settings
    from joblake.sources.catalogue import shipped_catalogue
    from joblake.warehouse.warehouse import open_warehouse

    if lake is None:
        settings = load_settings()
        opened, catalogue = lake_of(settings), settings.catalogue
    else:
        opened, catalogue = lake_at(lake), shipped_catalogue()
    return open_warehouse(opened, catalogue, skip_unreadable=skip_unreadable)
