"""Two bundles over the same recorded events: what changes, by rule and by slice, and the load on reviewers.

Works frame by frame, keeps only counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from ops.replay.columns import ColumnJudge, Judged
from ops.replay.frame import Frame
from ops.replay.stats import Share
from policies import PolicyBundle
from policies.engine.globs import language_of
from policies.engine.taxonomy import Action

HOUR_S: Final = 3_600


@dataclass(slots=True)
class RuleChange:
    """One rule: where it matched, before and after."""

    old: int = 0
    new: int = 0
    only_old: int = 0
    only_new: int = 0
    old_shadow: int = 0
    new_shadow: int = 0
    old_undecided: int = 0
    new_undecided: int = 0


@dataclass(slots=True)
class SliceChange:
    """One locale, surface or tenant."""

    events: int = 0
    stricter: int = 0
    looser: int = 0


@dataclass(slots=True)
class Quality:
    """One category against reviewers' labels: how often a hit was right, how much was found."""

    hits_right: int = 0
    hits: int = 0
    positives: int = 0

    @property
    def precision(self) -> Share:
        """Of the hits, those that reviewers agree with."""
        return Share(self.hits_right, self.hits)

    @property
    def recall(self) -> Share:
        """Of what reviewers call harmful, that which was hit."""
        return Share(self.hits_right, self.positives)


@dataclass(slots=True)
class Replay:
    """Everything that was counted."""

    old: str
    new: str
    events: int = 0
    partial: int = 0  # events of which only a verdict is known: signals that it does not show count as absent
    stricter: int = 0
    looser: int = 0
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)  # action before → after
    rules: dict[str, RuleChange] = field(default_factory=dict)
    slices: dict[str, dict[str, SliceChange]] = field(default_factory=dict)  # dimension -> value -> change
    old_queues: dict[str, Counter[int]] = field(default_factory=dict)  # queue -> hour -> events
    new_queues: dict[str, Counter[int]] = field(default_factory=dict)
    old_quality: dict[str, Quality] = field(default_factory=dict)
    new_quality: dict[str, Quality] = field(default_factory=dict)
    hours: set[int] = field(default_factory=set)
    examples: list[tuple[str, str, str]] = field(default_factory=list)  # event id, before, after
    seconds: float = 0.0

    @property
    def changed(self) -> int:
        """How many events got another action."""
        return self.stricter + self.looser


class Comparer:
    """Feeds frames to both bundles and counts."""

    def __init__(self, old: PolicyBundle, new: PolicyBundle) -> None:
        self._judges = ColumnJudge(old), ColumnJudge(new)
        self._categories = tuple(
            {r.id: r.category.partition(".")[0] for r in bundle.policies.rules} for bundle in (old, new)
        )
        self.replay = Replay(old.label, new.label)

    def add(self, frame: Frame) -> None:
        """Count one frame."""
        old, new = (judge.judge(frame) for judge in self._judges)
        made = self.replay
        made.events += len(frame)
        made.partial += frame.partial
        up, down = new.action > old.action, new.action < old.action
        made.stricter += int(up.sum())
        made.looser += int(down.sum())
        pairs, counts = np.unique(old.action.astype(np.int16) * 8 + new.action, return_counts=True)
        for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
            made.moves[Action(pair // 8).word, Action(pair % 8).word] += count
        for row in np.flatnonzero(up | down)[: max(0, 20 - len(made.examples))]:
            words = Action(int(old.action[row])).word, Action(int(new.action[row])).word
            made.examples.append((frame.subjects[row].event_id, *words))
        self._count_rules(old, new)
        self._count_slices(frame, up.tolist(), down.tolist())
        hours = [int(s.created_at // HOUR_S) for s in frame.subjects]
        made.hours.update(hours)
        _count_queues(made.old_queues, old, hours)
        _count_queues(made.new_queues, new, hours)
        _count_quality(made.old_quality, frame, old, self._categories[0])
        _count_quality(made.new_quality, frame, new, self._categories[1])

    def _count_rules(self, old: Judged, new: Judged) -> None:
        nothing = np.zeros(len(old.action), np.bool_)
        for name in old.matched.keys() | new.matched.keys():
            change = self.replay.rules.setdefault(name, RuleChange())
            was, now = old.matched.get(name, nothing), new.matched.get(name, nothing)
            change.old += int(was.sum())
            change.new += int(now.sum())
            change.only_old += int((was & ~now).sum())
            change.only_new += int((now & ~was).sum())
            change.old_shadow += int(old.shadow.get(name, nothing).sum())
            change.new_shadow += int(new.shadow.get(name, nothing).sum())
            change.old_undecided += int(old.undecided.get(name, nothing).sum())
            change.new_undecided += int(new.undecided.get(name, nothing).sum())

    def _count_slices(self, frame: Frame, up: list[bool], down: list[bool]) -> None:
        slices = self.replay.slices
        dimensions = [slices.setdefault(name, {}) for name in ("locale", "surface", "tenant")]
        for row, subject in enumerate(frame.subjects):
            keys = language_of(subject.locale), subject.surface or "-", subject.tenant or "-"
            for table, key in zip(dimensions, keys, strict=True):
                change = table.get(key)
                if change is None:
                    change = table[key] = SliceChange()
                change.events += 1
                change.stricter += up[row]
                change.looser += down[row]


def _count_queues(queues: dict[str, Counter[int]], judged: Judged, hours: list[int]) -> None:
    for row in np.flatnonzero(judged.queue >= 0).tolist():
        queues.setdefault(judged.queues[int(judged.queue[row])], Counter())[hours[row]] += 1


def _count_quality(quality: dict[str, Quality], frame: Frame, judged: Judged, categories: dict[str, str]) -> None:
    for category, labels in frame.labels.items():
        hit = np.zeros(len(frame), np.bool_)
        for name, matched in judged.matched.items():
            if categories[name] == category:
                hit |= matched
        found = quality.setdefault(category, Quality())
        found.hits += int((hit & (labels >= 0)).sum())
        found.hits_right += int((hit & (labels == 1)).sum())
        found.positives += int((labels == 1).sum())


def replay_frames(old: PolicyBundle, new: PolicyBundle, frames: Iterable[Frame]) -> Replay:
    """All frames through both bundles."""
    comparer = Comparer(old, new)
    for frame in frames:
        comparer.add(frame)
    return comparer.replay
