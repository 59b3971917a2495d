"""How a listing can end. The words stand in the ledger, in `--json` and in the views."""

from enum import StrEnum


class ListingOutcome(StrEnum):
    """How one run of a scope's list operation ended.

    `complete` has all pages of everything, `filtered` all pages of a filtered or limited listing,
    `partial` some pages before a failure, or a parent that nothing can be listed in. `denied` and
    `failed` have no page. `unsupported` says that the region has no such service.
    """

    complete = "complete"
    filtered = "filtered"
    partial = "partial"
    denied = "denied"
    unsupported = "unsupported"
    failed = "failed"

    @property
    def is_good(self) -> bool:
        """Whether the scope counts as done for the exit code."""
        return self in {self.complete, self.filtered, self.unsupported}

    @property
    def has_all_pages(self) -> bool:
        """Whether the listing ran to the end of what it asked for."""
        return self in {self.complete, self.filtered}
