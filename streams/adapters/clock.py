"""The machine's clock."""

from __future__ import annotations

import time


class SystemClock:
    """Time as the machine tells it."""

    def time(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return time.monotonic()
