"""A file that the user named: it is replaced when what is written is whole, and not before."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from joblake.errors import UsageError


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
