"""Counts with intervals. Wilson, E. B. (1927): an interval for a share that behaves near 0 and 1 and for few cases."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Final

Z95: Final = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `total`, with its 95 % interval; all None when there is nothing to count."""

    hits: int
    total: int

    @property
    def value(self) -> float | None:
        """The share."""
        return self.hits / self.total if self.total else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's interval."""
        if not self.total:
            return None
        n, p, zz = self.total, self.hits / self.total, Z95 * Z95
        middle = (p + zz / (2 * n)) / (1 + zz / n)
        half = Z95 * sqrt(p * (1 - p) / n + zz / (4 * n * n)) / (1 + zz / n)
        return max(0.0, middle - half), min(1.0, middle + half)

    def __str__(self) -> str:
        """`0.83 [0.71, 0.91] of 40`."""
        if self.value is None or self.interval is None:
            return "nothing to count"
        low, high = self.interval
        return f"{self.value:.3f} [{low:.3f}, {high:.3f}] of {self.total}"
