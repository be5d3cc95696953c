"""When to speak about lag: it grows and nothing is finished, for long enough; and when that is over. Pure.

This is about a consumer that is stuck. A slow one finishes something: its lag is in the metrics, and no word is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Where a partition stands."""

    finished: int  # the offset after the last record that is finished
    lag: int  # records after it


@dataclass(frozen=True, slots=True)
class LagGrew:
    """Worth a warning: partition -> lag, of those that are stuck."""

    lag: Mapping[int, int]
    still_s: float  # how long nothing was finished in the one that waits longest


@dataclass(frozen=True, slots=True)
class LagRecovered:
    """All that were stuck go on, or are another worker's: partition -> lag, of all that are ours."""

    lag: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class _Still:
    """A partition since something was last finished in it."""

    since_s: float
    place: Place


class LagWatch:
    """Tells once that partitions are stuck, and once that none is any more."""

    def __init__(self, warn_s: float) -> None:
        self._warn_s = warn_s
        self._still: dict[int, _Still] = {}  # kept while another worker has the partition: offsets tell what it did
        self._warned = False

    def look(self, now_s: float, places: Mapping[int, Place]) -> LagGrew | LagRecovered | None:
        """What is new, if anything; `now_s` only grows. No places at all, as in a rebalance, say nothing."""
        for partition, place in places.items():
            before = self._still.get(partition)
            if before is None or before.place.finished != place.finished:
                self._still[partition] = _Still(now_s, place)
        stuck = {
            partition: now_s - still.since_s
            for partition, place in places.items()
            if (still := self._still[partition]).place.lag < place.lag and now_s - still.since_s >= self._warn_s
        }
        if not places or bool(stuck) == self._warned:
            return None
        self._warned = bool(stuck)
        if stuck:
            return LagGrew({partition: places[partition].lag for partition in sorted(stuck)}, max(stuck.values()))
        return LagRecovered({partition: place.lag for partition, place in sorted(places.items())})
