"""The exceptions that joblake raises.

    JoblakeError
    ├── UsageError           an option, setting, filter or query is wrong (exit code 2)
    ├── LakeError            the lake cannot be used (exit code 3)
    │   ├── UnreadableFileError  one of its files is foreign or damaged
    │   └── RaceLostError    a file was replaced by another writer: read it again
    ├── CredentialsError     no listing can begin with these credentials (exit code 3)
    └── ListingError         one listing failed; becomes the outcome of its scope
        ├── DamagedPageError     an answer that is not a page of the operation
        └── TokenLoopError       the service gave a token a second time

Every message names what failed, on which object, and the next step.
"""


class JoblakeError(Exception):
    """Root of every error that joblake raises on purpose."""

    exit_code = 1


class UsageError(JoblakeError):
    """What the user asked for cannot be done as asked."""

    exit_code = 2


class LakeError(JoblakeError):
    """The lake cannot be read or written."""

    exit_code = 3


class UnreadableFileError(LakeError):
    """A file of the lake is not the Parquet file that its name promises."""


class RaceLostError(LakeError):
    """A file was replaced by another writer after or while it was read; read it again."""


class CredentialsError(JoblakeError):
    """The credentials are missing or refused before any listing began."""

    exit_code = 3


class ListingError(JoblakeError):
    """A listing could not be finished."""


class DamagedPageError(ListingError):
    """The body of an answer is not a page of the operation that was called."""


class TokenLoopError(ListingError):
    """The service handed out a page token that this listing has already used."""
