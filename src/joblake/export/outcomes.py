"""What became of a run and of each of its scopes, in the words of `--json`."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from joblake.lake.local import Scope

GOOD_OUTCOMES = frozenset({"complete", "filtered", "unsupported"})


@dataclass(frozen=True)
class ScopeResult:
    """What became of one scope, in the words of `--json`.

    `listed` to `vanished` count resources, `seconds` is wall time. `next_token` is what
    --starting-token takes to go on where --max-items cut the listing. `odd_values` counts what
    fitted no column and is kept as JSON text in `extra`.
    """

    table_name: str
    account_id: str
    region_name: str
    parent: str | None
    outcome: str
    listed: int = 0
    added: int = 0
    changed: int = 0
    vanished: int = 0
    pages: int = 0
    requests: int = 0
    seconds: float = 0.0
    error: str | None = None
    next_token: str | None = None
    odd_values: int = 0

    @property
    def is_good(self) -> bool:
        """Whether the scope counts as done for the exit code."""
        return self.outcome in GOOD_OUTCOMES

    def as_json(self) -> dict[str, Any]:
        """The documented members; `next_token` and `odd_values` only where there are any."""
        members = asdict(self)
        for name in ("next_token", "odd_values"):
            if not members[name]:
                del members[name]
        return members


@dataclass(frozen=True)
class RunResult:
    """What became of a whole run."""

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


def result_of(scope: Scope, **figures: Any) -> ScopeResult:
    """The result of a scope with the other members of `ScopeResult`."""
    return ScopeResult(
        table_name=scope.table,
        account_id=scope.account_id,
        region_name=scope.region_name,
        parent=scope.parent,
        **figures,
    )


def failed_result(scope: Scope, error: str) -> ScopeResult:
    """The result of a scope of which nothing else is known than why it failed."""
    return result_of(scope, outcome="failed", error=error)
