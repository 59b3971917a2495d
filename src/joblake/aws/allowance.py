"""The allowance of an account and region: scopes listed at once, and the pace of requests."""

import threading
from dataclasses import dataclass
from typing import Any

from botocore.retries.standard import RetryEventAdapter, ThrottlingErrorDetector

from joblake.aws.pace import Pace

_THROTTLING = ThrottlingErrorDetector(retry_event_adapter=RetryEventAdapter())


@dataclass(frozen=True)
class Politeness:
    """The limits that a run sets itself towards AWS.

    `max_attempts` is how often one request is sent at most; `max_workers` scopes are listed at
    once in one account and region, with `max_requests_per_second` there where it is set.
    """

    max_attempts: int = 5
    max_workers: int = 4
    max_requests_per_second: float | None = None


@dataclass(frozen=True)
class Allowance:
    """The limits that the scopes of one account and region share.

    A scope is listed while it holds one of the `turns`; requests are sent at the `pace`.
    """

    turns: threading.Semaphore
    pace: Pace

    def bind(self, client: Any) -> None:
        """Make every request of a client keep the pace, repeated ones too."""
        client.meta.events.register("before-send", lambda **_: self.pace.wait())
        client.meta.events.register("needs-retry", self._hear)

    def _hear(self, response: Any, **event: Any) -> None:
        """Tell the pace whether a request was throttled; a lost or damaged answer does not say."""
        if _THROTTLING.is_throttling_error(response=response, **event):
            self.pace.throttled()
        elif response is not None and "Error" not in response[1]:
            self.pace.succeeded()
