"""The pace of the requests to one account and region: even, and slower where AWS throttles.

AWS limits requests by account and region, while the rate limiter of botocore's adaptive mode
belongs to one client and every scope has its own: each would learn the limit by being refused, and
none would leave room for the others. A pace is shared by all clients of an account and region. It
knows no AWS; `Allowance` tells it what is sent and what came of it.
"""

import threading
import time
from collections import deque

SLOWEST = 0.5
"""The rate in requests a second that no refusal of AWS cuts any further."""
_CUT = 0.8
_GROWTH = 1.005
_MEASURED_SECONDS = 1.0


class Pace:
    """Spaces requests; threads share it.

    There is no limit until `fastest` (requests a second) sets one or a request is throttled. That
    cuts the rate to less than what was let through; each success raises it a little. Meant to be
    refused once in some fifty requests where AWS allows less than is wanted, and to find out when
    it allows more.
    """

    def __init__(self, fastest: float | None = None) -> None:
        self._fastest = fastest
        self._rate = fastest
        self._free_at = self._cut_at = 0.0
        self._succeeded_at: deque[float] = deque(maxlen=1000)
        self._sent = threading.local()
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Wait until the next request may be sent; the caller's thread then sends it."""
        with self._lock:
            now = time.monotonic()
            starts_at = now
            if self._rate is not None:
                starts_at = max(now, self._free_at)
                self._free_at = starts_at + 1 / self._rate
        if starts_at > now:
            time.sleep(starts_at - now)  # not for nothing: on a busy machine that too takes a while
        self._sent.at = time.monotonic()

    def succeeded(self) -> None:
        """The request of this thread was answered."""
        with self._lock:
            self._succeeded_at.append(time.monotonic())
            if self._rate is not None:
                self._rate = self._within_bounds(self._rate * _GROWTH)

    def throttled(self) -> None:
        """The request of this thread was refused because there were too many."""
        with self._lock:
            if self._sent.at < self._cut_at:
                return  # sent before the last cut, which was made for it too
            now = time.monotonic()
            if self._rate is None:
                recent = [at for at in self._succeeded_at if at > now - _MEASURED_SECONDS]
                self._rate = len(recent) / _MEASURED_SECONDS
            self._rate = self._within_bounds(self._rate * _CUT)
            self._cut_at = now
            self._free_at = max(self._free_at, now + 1 / self._rate)

    def _within_bounds(self, rate: float) -> float:
        rate = max(rate, SLOWEST)
        return rate if self._fastest is None else min(rate, self._fastest)
