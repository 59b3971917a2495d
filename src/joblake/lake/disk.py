"""Operations on a local disk whose names and content outlast a power failure."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from joblake.errors import LakeError


def walk(folder: Path) -> Iterator[Path]:
    """Every file below a folder, none where it is missing; unlike os.walk, this hides no error."""
    try:
        with os.scandir(folder) as entries:
            found = list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in found:
        if entry.is_dir():
            yield from walk(Path(entry.path))
        else:
            yield Path(entry.path)


def make_durable_folder(folder: Path) -> None:
    """Make a folder and those above it durable."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for made in reversed(missing):
        made.mkdir(exist_ok=True)
        fsync(made.parent)


@contextmanager
def lake_errors(path: Path, what: str = "write") -> Iterator[None]:
    """Turn what the operating system refuses into a LakeError that names the path."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise LakeError(
            f"cannot {what} {path}: {reason}; check the disk's space and rights"
        ) from error


def create(path: Path, mode: int) -> int:
    """Make a new file with these permissions, whatever the umask says; its open descriptor.

    A file that lies there is taken away, because ext4 writes one that is emptied to the disk when
    it is closed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    os.fchmod(descriptor, mode)
    return descriptor


def fsync(path: Path) -> None:
    """Flush a file's content, or a folder's names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
