"""A point in time that work must not pass, as an argument instead of a scattered timeout."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deadline:
    """`at_s` on the clock's monotonic scale."""

    at_s: float

    @classmethod
    def after(cls, now_s: float, seconds: float) -> Deadline:
        """The deadline `seconds` from `now_s`."""
        return cls(now_s + seconds)

    def left_s(self, now_s: float) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.at_s - now_s)
