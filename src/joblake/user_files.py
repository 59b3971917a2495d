"""Files that the user names: how they are read as text, and replaced when the new one is whole."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from joblake.errors import UsageError


def read_text(file: Path) -> str:
    """The text of a file in UTF-8, which may begin with a byte order mark; UsageError else."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise UsageError(f"cannot read {file}: {reason}") from None


@contextmanager
def replaced(output: Path) -> Iterator[Path]:
    """A path to write that takes the place of `output` when the block ends well.

    What is no regular file, a pipe or a device, is written as it is.
    """
    try:
        if output.exists() and not output.is_file():
            yield output
            return
        target = output.resolve()
        path = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        try:
            yield path
            path.replace(target)
        finally:
            with suppress(OSError):
                path.unlink(missing_ok=True)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise UsageError(f"cannot write {output}: {error.strerror or error}") from error
