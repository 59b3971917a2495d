"""Whether a file is a sound Parquet file of joblake's. It reads files and changes none."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from joblake.errors import LakeError, UnreadableFileError
from joblake.lake.file import LakeFile

_COLUMNS_OF_EVERY_FILE = frozenset(
    {"run_id", "account_id", "region_name", "observed_at", "change", "started_at", "outcome"}
)


@dataclass(frozen=True)
class Refused:
    """A file that is no Parquet file of joblake's, and what shows it."""

    file: LakeFile
    reason: str

    @property
    def error(self) -> UnreadableFileError:
        """The error that names the file and the way out."""
        return _error(self.file, f"is not a readable Parquet file of joblake ({self.reason})")


def schema_of(file: LakeFile, expected: pa.Schema | None = None) -> pa.Schema | Refused:
    """The schema in a file's footer, or why the file is refused.

    With `expected`, files that another program wrote are refused too: those without the columns
    that say which run saw a row where, and those with another type for a column of ours. Older
    files may lack columns and newer ones have more. LakeError for a file that may not be read:
    that is no damage.
    """
    try:
        found = pq.read_schema(file.local)
    except PermissionError as error:
        raise LakeError(
            f"cannot read {file.name}: Permission denied; it may well be sound: read it as its "
            "owner, or have its rights changed (file_mode sets those of new files)"
        ) from error
    except (pa.ArrowInvalid, OSError) as error:
        return Refused(file, str(error).splitlines()[0])
    reason = None if expected is None else _difference(found, expected)
    return found if reason is None else Refused(file, reason)


def require_readable(files: Iterable[LakeFile], expected: pa.Schema | None = None) -> None:
    """UnreadableFileError for the first file whose footer is refused."""
    for file in files:
        verdict = schema_of(file, expected)
        if isinstance(verdict, Refused):
            raise verdict.error


@contextmanager
def reading(file: LakeFile) -> Iterator[pq.ParquetFile]:
    """The file opened for reading; UnreadableFileError where its pages turn out to be damaged."""
    try:
        with pq.ParquetFile(file.local) as opened:
            yield opened
    except (pa.ArrowException, OSError) as error:
        raise damaged(file, error) from error


def first_damaged(files: Iterable[LakeFile]) -> LakeFile | None:
    """The first file that cannot be read to its end; None where all can. It reads every page."""
    for file in files:
        try:
            with reading(file) as opened:
                for _ in opened.iter_batches():
                    pass
        except UnreadableFileError:
            return file
    return None


def damaged(file: LakeFile, reason: object) -> UnreadableFileError:
    """The error of a file whose pages cannot be read, with the way out."""
    return _error(file, f"is damaged ({str(reason).splitlines()[0]})")


def _error(file: LakeFile, what: str) -> UnreadableFileError:
    return UnreadableFileError(
        f"{file.name} {what}; restore it from a backup or move it out of the lake, then run again"
    )


def _difference(found: pa.Schema, expected: pa.Schema) -> str | None:
    """What shows that another program wrote a file; None where none did."""
    for field in expected:
        if field.name not in found.names:
            if field.name in _COLUMNS_OF_EVERY_FILE:
                return f"it has no column {field.name}"
        elif (kind := found.field(field.name).type) != field.type:
            return f"its column {field.name} is {kind}, not {field.type}"
    return None
