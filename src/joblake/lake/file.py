"""A file of a lake, and what was seen of it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LakeFile:
    """One file of a lake as it was when the lake was asked for it.

    `path` is where it lies in the lake and `local` the file to read from: the same one on a local
    disk, a copy of the object on S3. `name` is what people call it. `version` identifies what the
    object then held; a local disk has none, because a lock keeps other writers away.
    """

    path: Path
    local: Path
    name: str
    version: str | None = None
