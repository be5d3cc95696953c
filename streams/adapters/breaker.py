"""A circuit breaker: while a dependency is down, answer at once instead of waiting for every deadline.

Without it an outage of the model would hold every batch for the whole deadline, and events that need no model at all
would wait with the rest. Pure: the caller says what time it is.
"""

from __future__ import annotations

import structlog

log = structlog.get_logger(__name__)

#: Failures in a row before it opens: one slow batch is not an outage.
THRESHOLD = 3
#: How often one call is let through to see whether it is back.
PROBE_S = 1.0


class Breaker:
    """Closed (calls pass) until THRESHOLD calls in a row failed; then open, with a probe every PROBE_S."""

    def __init__(self) -> None:
        self._failures = 0
        self._next_probe_s = 0.0

    @property
    def open(self) -> bool:
        """Whether calls are answered at once with a failure."""
        return self._failures >= THRESHOLD

    def admits(self, now_s: float) -> bool:
        """Whether a call may pass: always while closed, one probe at a time while open."""
        if not self.open:
            return True
        if now_s < self._next_probe_s:
            return False
        self._next_probe_s = now_s + PROBE_S
        return True

    def failed(self, now_s: float) -> None:
        """A call that passed gave no answer in time."""
        self._failures += 1
        if self._failures == THRESHOLD:
            self._next_probe_s = now_s + PROBE_S
            log.error("model.went_down", failures=self._failures)

    def succeeded(self) -> None:
        """A call that passed was answered."""
        if self.open:
            log.info("model.came_back")
        self._failures = 0
