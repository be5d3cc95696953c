"""The values for which one comparison holds, as an interval or a set of words. Pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from policies.engine.leaves import Leaf, Threshold


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers between `low` and `high` (ends included or not), or a set of words."""

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False
    words: frozenset[object] | None = None  # None: numbers

    @property
    def empty(self) -> bool:
        """Whether nothing is inside."""
        if self.words is not None:
            return not self.words
        return self.low > self.high or (self.low == self.high and (self.low_open or self.high_open))

    def intersect(self, other: Range) -> Range:
        """What is inside of both."""
        if self.words is not None or other.words is not None:
            mine, theirs = self.words, other.words
            both = mine & theirs if mine is not None and theirs is not None else mine or theirs or frozenset()
            return Range(words=both)
        low, low_open = max((self.low, self.low_open), (other.low, other.low_open))
        high, high_closed = min((self.high, not self.high_open), (other.high, not other.high_open))
        return Range(low, high, low_open, not high_closed)

    def inside(self, other: Range) -> bool:
        """Whether everything in here is also in `other`."""
        if self.words is not None or other.words is not None:
            return self.words is not None and other.words is not None and self.words <= other.words
        above = self.low > other.low or (self.low == other.low and (self.low_open or not other.low_open))
        below = self.high < other.high or (self.high == other.high and (self.high_open or not other.high_open))
        return above and below


def range_of(leaf: Leaf, thresholds: Mapping[str, float]) -> Range | None:
    """The values for which the leaf holds; None when that is no single interval (`!=`)."""
    value = thresholds.get(leaf.value.name, math.nan) if isinstance(leaf.value, Threshold) else leaf.value
    if leaf.op == "!=":
        return None
    if leaf.op == "in":
        return Range(words=frozenset(value)) if isinstance(value, tuple) else None
    if isinstance(value, (bool, str)):
        return Range(words=frozenset({value}))
    if isinstance(value, tuple):
        return None
    if leaf.op == "==":
        return Range(value, value)
    if leaf.op in (">", ">="):
        return Range(low=value, low_open=leaf.op == ">")
    return Range(high=value, high_open=leaf.op == "<")
