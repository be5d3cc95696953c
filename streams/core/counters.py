"""Counts over the facts of the last hour: earlier events of an author, earlier events with a text, distinct others.

An event that is judged again counts once, and is told the same number as the first time: what came after it does not
count. Pure bookkeeping, owned by one event loop; `now` is the wall clock and only decides what may be forgotten.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque
from typing import Final

from policies.engine.counters import By, Count
from streams.core.facts import Fact

#: The longest window that can be declared, and how much longer facts are kept for events that come late.
MAX_WINDOW_S: Final = 3_600.0
SLACK_S: Final = 600.0
#: Distinct others are counted up to here; a text that so many people copy is spam by any threshold.
MAX_DISTINCT: Final = 1_000
#: Events of a window among which an other is looked for whose newest event came after the window's end.
MAX_SCAN: Final = 500
_LAST: Final = 1 << 62

_Place = tuple[float, int]  # (created at, number of arrival): what the lists are ordered by
_Kept = tuple[float, int, Fact]


class _Lane:
    """The facts with one key, ordered by time, and the others in them: an author's threads, or a text's authors."""

    __slots__ = ("entries", "latest")

    def __init__(self) -> None:
        self.entries: list[_Kept] = []
        self.latest: dict[int, float] = {}  # other -> its newest fact's time

    def add(self, kept: _Kept, other: int | None) -> None:
        if not self.entries or self.entries[-1][0] <= kept[0]:
            self.entries.append(kept)  # nearly always: events come about in order
        else:
            insort(self.entries, kept, key=_place)
        if other is not None:
            self.latest[other] = max(kept[0], self.latest.pop(other, kept[0]))  # to the end: newest last
            if len(self.latest) > 2 * MAX_DISTINCT:
                del self.latest[next(iter(self.latest))]

    def remove(self, kept: _Kept, other: int | None) -> None:
        at = bisect_left(self.entries, kept[:2], key=_place)
        if at < len(self.entries) and self.entries[at][1] == kept[1]:
            del self.entries[at]
        if other is not None and self.latest.get(other) == kept[0]:
            del self.latest[other]


class Tally:
    """The facts of the last hour, by author, text and rule; at most `max_facts` of them."""

    def __init__(self, max_facts: int) -> None:
        self._max_facts = max_facts
        self._arrivals: deque[tuple[float, _Kept]] = deque()
        self._numbers: dict[int, int] = {}  # event -> number of arrival
        self._by_author: dict[int, _Lane] = {}
        self._by_text: dict[int, _Lane] = {}
        self._by_rule: dict[str, list[_Place]] = {}
        self._next = 0
        self._newest = 0.0
        self.cut_at = float("-inf")  # facts created up to then were forgotten for want of room

    def __len__(self) -> int:
        return len(self._arrivals)

    def add(self, fact: Fact, now: float) -> bool:
        """Remember the fact; False when its event is known already."""
        if fact.id in self._numbers:
            return False
        self._newest = max(self._newest, min(fact.at, now))
        self._make_room(now)
        kept: _Kept = (fact.at, self._next, fact)
        self._numbers[fact.id] = self._next
        self._arrivals.append((now, kept))
        self._next += 1
        for keys, key, other in self._lanes(fact):
            if key is not None:
                lane = keys.get(key)
                if lane is None:
                    lane = keys[key] = _Lane()
                lane.add(kept, other)
        self.add_rules(fact)
        return True

    def add_rules(self, fact: Fact) -> None:
        """Note the rules that the event matched; they are known only after it was added by its judging."""
        number = self._numbers.get(fact.id)
        if number is None:
            return
        for rule in fact.rules:
            places = self._by_rule.setdefault(rule, [])
            place = (fact.at, number)
            at = bisect_left(places, place)
            if at == len(places) or places[at] != place:
                places.insert(at, place)
            del places[: bisect_left(places, (self._newest - MAX_WINDOW_S - SLACK_S, 0))]

    def count(self, count: Count, by: By, fact: Fact, window_s: float) -> int:
        """How many in the window that ends with the fact's event, without it and what came after it."""
        key, keys = (fact.author, self._by_author) if by == "author" else (fact.text, self._by_text)
        lane = keys.get(key) if key is not None else None
        if lane is None:
            return 0
        since, number = fact.at - window_s, self._numbers.get(fact.id, _LAST)
        first = bisect_right(lane.entries, since, key=_time)
        last = bisect_right(lane.entries, fact.at, key=_time)
        if number == _LAST:
            return last - first if count == "events" else _distinct(lane, count, fact, first=first, last=last)
        earlier = [other for _, arrived, other in lane.entries[first:last] if arrived < number]
        if count == "events":
            return len(earlier)
        not_me = fact.author if count == "authors" else None
        return min(len({_other(one, count) for one in earlier} - {None, not_me}), MAX_DISTINCT)

    def uses(self, rule: str, fact: Fact) -> int:
        """How many earlier events of the last hour matched the rule."""
        places = self._by_rule.get(rule, [])
        first = bisect_right(places, (fact.at - MAX_WINDOW_S, _LAST))
        last = bisect_right(places, (fact.at, _LAST))
        number = self._numbers.get(fact.id, _LAST)
        return last - first if number == _LAST else sum(place[1] < number for place in places[first:last])

    def _make_room(self, now: float) -> None:
        arrivals, keep_s = self._arrivals, MAX_WINDOW_S + SLACK_S
        while arrivals and arrivals[0][0] < now - keep_s and arrivals[0][1][0] < self._newest - keep_s:
            self._forget(arrivals.popleft()[1])
        if len(arrivals) >= self._max_facts:
            oldest = arrivals.popleft()[1]
            self.cut_at = max(self.cut_at, oldest[0])
            self._forget(oldest)

    def _forget(self, kept: _Kept) -> None:
        fact = kept[2]
        self._numbers.pop(fact.id, None)
        for keys, key, other in self._lanes(fact):
            lane = keys.get(key) if key is not None else None
            if key is not None and lane is not None:
                lane.remove(kept, other)
                if not lane.entries:
                    del keys[key]

    def _lanes(self, fact: Fact) -> tuple[tuple[dict[int, _Lane], int | None, int | None], ...]:
        return (self._by_author, fact.author, fact.thread), (self._by_text, fact.text, fact.author)


def _distinct(lane: _Lane, count: Count, fact: Fact, *, first: int, last: int) -> int:
    """Distinct others in `entries[first:last]`, from their newest facts; those that went on later are looked for."""
    if first == last:
        return 0
    since = lane.entries[first][0]
    not_me = fact.author if count == "authors" else None
    found, later = 0, set[int]()
    for other, at in lane.latest.items():
        if other == not_me or at < since:
            continue
        if at <= fact.at:
            found += 1
        else:
            later.add(other)
    for _, _, one in reversed(lane.entries[max(first, last - MAX_SCAN) : last]):
        if not later:
            break
        other_ = _other(one, count)
        if other_ in later:
            later.discard(other_)
            found += 1
    return min(found, MAX_DISTINCT)


def _other(fact: Fact, count: Count) -> int | None:
    return fact.author if count == "authors" else fact.thread


def _time(kept: _Kept) -> float:
    return kept[0]


def _place(kept: _Kept) -> _Place:
    return kept[:2]
