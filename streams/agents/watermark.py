"""The ordered watermark: events finish in any order and are acknowledged only in the order they came.

This is what makes the stream loss-proof (FACTS: acknowledging out of order loses events in Faust). Pure bookkeeping:
no clock, no broker; the caller acknowledges what `done` hands back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Entry(Generic[T]):
    """One event's place in the order of its partition."""

    item: T
    lane: _Lane[T]
    done: bool = False


@dataclass(slots=True, eq=False)
class _Lane(Generic[T]):
    """The entries of one partition under one assignment, oldest first."""

    generation: int
    entries: deque[Entry[T]]


class Watermark(Generic[T]):
    """Per partition, the events in the order they came, and which of them are done.

    A partition that is taken away and given back gets a newer generation: what belonged to the old one will be read
    again by whoever owns it, so its entries are dropped and never acknowledged.
    """

    def __init__(self) -> None:
        self._lanes: dict[Hashable, _Lane[T]] = {}
        self._pending = 0

    @property
    def pending(self) -> int:
        """How many events came in and are not yet handed back for acknowledgement."""
        return self._pending

    def add(self, partition: Hashable, generation: int, item: T) -> Entry[T]:
        """The place of `item` at the end of its partition's order."""
        lane = self._lanes.get(partition)
        if lane is None or lane.generation != generation:
            if lane is not None:
                self._drop(lane)
            lane = self._lanes[partition] = _Lane(generation, deque())
        entry = Entry(item, lane)
        lane.entries.append(entry)
        self._pending += 1
        return entry

    def done(self, entry: Entry[T]) -> list[T]:
        """The items to acknowledge now, in order: none while an older event of the partition is still at work."""
        entry.done = True
        ready: list[T] = []
        entries = entry.lane.entries
        while entries and entries[0].done:
            ready.append(entries.popleft().item)
        self._pending -= len(ready)
        return ready

    def revoke(self, partition: Hashable) -> None:
        """Forget the partition: another worker owns it now."""
        lane = self._lanes.pop(partition, None)
        if lane is not None:
            self._drop(lane)

    def _drop(self, lane: _Lane[T]) -> None:
        self._pending -= len(lane.entries)
        lane.entries.clear()
