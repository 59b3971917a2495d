"""The results of a run and of each of its scopes, in the words of `--json`."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from joblake.export.run import Run
from joblake.lake.ledger import LedgerRow
from joblake.lake.scope import Scope
from joblake.outcome import ListingOutcome

_LEFT_OUT = ("run_id", "started_at", "ended_at", "filters")


@dataclass(frozen=True, kw_only=True)
class ScopeResult(LedgerRow):
    """The result of one scope: its ledger row, and what only the user of this run needs.

    `seconds` is wall time. `next_token` is what --starting-token takes to go on where --max-items
    cut the listing. `odd_values` counts the values that fitted no column and are kept as JSON text
    in `extra`.
    """

    seconds: float = 0.0
    next_token: str | None = None
    odd_values: int = 0

    @property
    def is_good(self) -> bool:
        """Whether the scope counts as done for the exit code."""
        return self.outcome.is_good

    def as_json(self) -> dict[str, Any]:
        """The documented members; `next_token` and `odd_values` only where there are any."""
        members = asdict(self)
        for name in _LEFT_OUT:
            del members[name]
        for name in ("next_token", "odd_values"):
            if not members[name]:
                del members[name]
        return members


@dataclass(frozen=True)
class RunResult:
    """The results of all scopes of a run."""

    run_id: str
    observed_at: datetime
    scopes: tuple[ScopeResult, ...] = field(default=())

    @property
    def is_good(self) -> bool:
        """Whether every scope is done."""
        return all(scope.is_good for scope in self.scopes)

    def as_json(self) -> dict[str, Any]:
        """The object that `joblake export --json` prints."""
        return {
            "run_id": self.run_id,
            "observed_at": self.observed_at.isoformat(),
            "scopes": [scope.as_json() for scope in self.scopes],
        }


def failed_result(run: Run, scope: Scope, error: str) -> ScopeResult:
    """The result of a scope that failed before anything else was known of it."""
    return ScopeResult(
        run_id=run.run_id,
        table_name=scope.table,
        account_id=scope.account_id,
        region_name=scope.region_name,
        parent=scope.parent,
        started_at=run.observed_at,
        ended_at=run.observed_at,
        outcome=ListingOutcome.failed,
        error=error,
    )
