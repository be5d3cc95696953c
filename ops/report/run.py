"""What a report tells, as values: rows, and the figures that follow from them. No HTML, no files, no clock."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from policies.engine.taxonomy import CATEGORIES, Action
from policies.engine.verdict import Verdict

TOP_RULES = 5
HIGH_SCORE = 0.5  # from here on a category counts as found in the overview


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event and its verdict. Texts are masked and pictures blurred before they come here."""

    number: int
    note: str
    source: str
    verdict: Verdict
    texts: tuple[str, ...] = ()  # masked
    thumbnails: tuple[str, ...] = ()  # data: URLs; empty for a picture that could not be read
    latency_ms: float | None = None  # from the broker's ack of the event to the arrival of its verdict here
    timings_ms: dict[str, float] = field(default_factory=dict)  # as the worker measured them


@dataclass(frozen=True, slots=True)
class DeadLetterRow:
    """A record that could not be judged."""

    number: int
    note: str
    code: str
    detail: str
    fault: str
    where: str  # topic/partition/offset
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The figures of a run."""

    events: int
    verdicts: int
    flagged: int  # above allow
    dead_letters: int
    missing: int  # published, and neither verdict nor dead letter arrived in time
    actions: dict[str, int]  # every action, in order of severity
    categories: dict[str, int]  # events with a score from HIGH_SCORE on
    rules: tuple[tuple[str, int], ...]  # the rules that matched most, with how often
    degraded: int  # verdicts with signals that broke
    p50_ms: float | None
    p95_ms: float | None


@dataclass(frozen=True, slots=True)
class RunReport:
    """A whole run."""

    title: str
    started: str  # as shown: `2026-11-24 05:30 UTC`
    took_s: float
    setting: tuple[tuple[str, str], ...]  # what it ran on: name, value
    published: int
    events: Sequence[EventRow]
    dead_letters: Sequence[DeadLetterRow]
    notes: Sequence[str] = ()  # what a reader must know: limits, failures

    def outcomes(self) -> Outcomes:
        """The figures."""
        actions = Counter(row.verdict.action for row in self.events)
        found = Counter(
            c.name
            for row in self.events
            for c in row.verdict.categories
            if c.score is not None and c.score >= HIGH_SCORE
        )
        rules = Counter(match.rule for row in self.events for match in row.verdict.matches)
        latencies = [row.latency_ms for row in self.events if row.latency_ms is not None]
        return Outcomes(
            events=self.published,
            verdicts=len(self.events),
            flagged=sum(count for action, count in actions.items() if action != Action.ALLOW.word),
            dead_letters=len(self.dead_letters),
            missing=max(0, self.published - len(self.events) - len(self.dead_letters)),
            actions={action.word: actions.get(action.word, 0) for action in Action},
            categories={name: found.get(name, 0) for name in CATEGORIES},
            rules=tuple(sorted(rules.items(), key=lambda one: (-one[1], one[0]))[:TOP_RULES]),
            degraded=sum(bool(row.verdict.degraded) for row in self.events),
            p50_ms=percentile(latencies, 0.50),
            p95_ms=percentile(latencies, 0.95),
        )


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of `values` do not exceed (nearest rank); None of nothing."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
