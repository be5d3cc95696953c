"""A bundle's judgement of a whole frame at once: the same logic as `policies.evaluate`, on arrays.

Must agree with `evaluate` event by event (a property test holds it to that); evidence and texts are not made.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ops.replay.frame import Bools, Floats, Frame
from policies import PolicyBundle
from policies.engine.bundle import Variant
from policies.engine.evaluator import DEFAULT_QUEUE
from policies.engine.event_signals import find_spec
from policies.engine.leaves import All, Any, Condition, Leaf, Not, Threshold
from policies.engine.reference import compare
from policies.engine.rollout import bucket, rollout_key
from policies.engine.rules import Rule
from policies.engine.taxonomy import Action

Pair = tuple[Bools, Bools]
"""Where a condition surely holds, and where it may."""


@dataclass(slots=True)
class Judged:
    """What a bundle says of a frame."""

    action: NDArray[np.uint8]
    severity: NDArray[np.uint8]
    queue: NDArray[np.int16]  # index into the policies' queues, -1 for none; later entries are less urgent
    queues: tuple[str, ...]
    matched: dict[str, Bools] = field(default_factory=dict)
    shadow: dict[str, Bools] = field(default_factory=dict)
    suppressed: dict[str, Bools] = field(default_factory=dict)
    undecided: dict[str, Bools] = field(default_factory=dict)

    def act(self, where: Bools, action: Action, *, severity: int, queue: str | None) -> None:
        """Raise the action, severity and queue where it is true."""
        np.maximum(self.action, where * np.uint8(action), out=self.action)
        np.maximum(self.severity, where * np.uint8(severity), out=self.severity)
        if queue is not None:
            rank = np.int16(self.queues.index(queue) if queue in self.queues else len(self.queues) - 1)
            more = where & ((self.queue < 0) | (self.queue > rank))
            self.queue[more] = rank


class ColumnJudge:
    """Judges frames by one bundle."""

    def __init__(self, bundle: PolicyBundle) -> None:
        self._bundle = bundle
        self._variants: dict[tuple[str, ...], Variant] = {}
        extra = {r.review for r in bundle.policies.rules if r.review} | {DEFAULT_QUEUE}
        self._queues = (*bundle.policies.queues, *sorted(extra - set(bundle.policies.queues)))
        self._buckets: dict[tuple[str, str], float] = {}

    def judge(self, frame: Frame) -> Judged:
        """The bundle's judgement of every event."""
        work = _Work(self._bundle, frame)
        count = len(frame)
        made = Judged(np.zeros(count, np.uint8), np.zeros(count, np.uint8), np.full(count, -1, np.int16), self._queues)
        exempt = [self._exempt(work, n) for n in range(len(self._bundle.policies.exemptions))]
        for number, rule in enumerate(self._bundle.policies.rules):
            excused = np.zeros(count, np.bool_)
            for n in self._bundle.suppressors[number]:
                excused |= exempt[n]
            self._rule(work, made, rule, excused=excused)
        self._outages(work, made)
        return made

    def _exempt(self, work: _Work, number: int) -> Bools:
        exemption = self._bundle.policies.exemptions[number]
        return work.pair(exemption.when)[0] & (work.created_at < exemption.expires_at)

    def _rule(self, work: _Work, made: Judged, rule: Rule, *, excused: Bools) -> None:
        sure, may = work.pair(rule.when)
        live = work.mode(rule, "off", invert=True)
        if rule.expires_at is not None:
            live = live & (work.created_at < rule.expires_at)
        sure, may = sure & live, may & live
        if not may.any():
            return
        enforced = ~work.mode(rule, "shadow")
        if rule.rollout_percent < 100.0:
            enforced = enforced & self._in_rollout(work, rule, may)
        made.shadow[rule.id] = sure & ~enforced
        made.suppressed[rule.id] = sure & enforced & excused
        hit = sure & enforced & ~excused
        undecided = may & ~sure & enforced & ~excused
        made.undecided[rule.id] = undecided
        if rule.on_unknown == "review" and undecided.any():
            made.act(undecided, Action.REVIEW, severity=0, queue=rule.review or DEFAULT_QUEUE)
        if rule.on_unknown == "match":
            hit = hit | undecided
        made.matched[rule.id] = hit
        tripped = work.tripped(rule) & hit
        self._apply(made, rule, hit & ~tripped, rule.action)
        if tripped.any():
            self._apply(made, rule, tripped, Action.REVIEW)

    @staticmethod
    def _apply(made: Judged, rule: Rule, where: Bools, action: Action) -> None:
        queue = rule.review or (DEFAULT_QUEUE if action is Action.REVIEW else None)
        made.act(where, action, severity=rule.severity, queue=queue)

    def _in_rollout(self, work: _Work, rule: Rule, where: Bools) -> Bools:
        inside = np.zeros(len(work.frame), np.bool_)
        for row in np.flatnonzero(where):
            key = rollout_key(work.frame.subjects[row], rule.rollout_by)
            place = self._buckets.get((rule.id, key))
            if place is None:
                place = self._buckets[rule.id, key] = bucket(rule.id, key)
            inside[row] = place < rule.rollout_percent
        return inside

    def _outages(self, work: _Work, made: Judged) -> None:
        profiles = self._bundle.policies.profiles
        if not profiles or not work.frame.down:
            return
        needed: dict[str, Bools] = {}
        for name, mask in work.frame.broken.items():
            spec = find_spec(self._bundle.catalogue, name)
            if name in self._bundle.program.signals and spec is not None:
                needed[spec.owner] = needed.get(spec.owner, np.zeros(len(work.frame), np.bool_)) | mask
        for owner, down in work.frame.down.items():
            for row in np.flatnonzero(down & needed.get(owner, np.zeros(len(work.frame), np.bool_))):
                fitting = [p for p in profiles if p.scope.fits(work.frame.subjects[row])]
                if not fitting:
                    continue
                profile = max(fitting, key=lambda p: (p.scope.specificity, p.id))
                answer = profile.when_down.get(owner) or profile.when_down.get("*")
                if answer is not None:
                    one = np.zeros(len(work.frame), np.bool_)
                    one[row] = True
                    queue = answer.review or (DEFAULT_QUEUE if answer.action is Action.REVIEW else None)
                    made.act(one, answer.action, severity=0, queue=queue)


def _compare(column: Floats, op: str, wanted: Floats) -> Bools:
    if op == "==":
        same: Bools = column == wanted
        return same
    if op in ("<", "<="):
        return column < wanted if op == "<" else column <= wanted
    return column > wanted if op == ">" else column >= wanted


class _Work:
    """One frame under one bundle: leaves once, thresholds and modes by row."""

    def __init__(self, bundle: PolicyBundle, frame: Frame) -> None:
        self.frame = frame
        self.created_at = np.array([s.created_at for s in frame.subjects], np.float64)
        self._leaves: dict[Leaf, Pair] = {}
        variants: dict[int, int] = {}
        rows = np.zeros(len(frame), np.int32)
        self._variants: list[Variant] = []
        for row, subject in enumerate(frame.subjects):
            variant = bundle.variant(subject, subject.created_at)
            number = variants.setdefault(id(variant), len(variants))
            if number == len(self._variants):
                self._variants.append(variant)
            rows[row] = number
        self._rows = rows

    def mode(self, rule: Rule, word: str, *, invert: bool = False) -> Bools:
        """Where the rule is in that mode (or is not)."""
        answers = np.array([(v.modes.get(rule.id, rule.mode) == word) is not invert for v in self._variants], np.bool_)
        return answers[self._rows]

    def tripped(self, rule: Rule) -> Bools:
        """Where the rule's quota is used up."""
        used = self.frame.numbers.get(rule.quota.signal) if rule.quota is not None else None
        if rule.quota is None or used is None:
            return np.zeros(len(self.frame), np.bool_)
        return np.greater_equal(used, rule.quota.per_hour)

    def pair(self, condition: Condition) -> Pair:
        """Where the condition surely holds and where it may."""
        if isinstance(condition, Leaf):
            known = self._leaves.get(condition)
            if known is None:
                known = self._leaves[condition] = self._leaf(condition)
            return known
        if isinstance(condition, Not):
            sure, may = self.pair(condition.child)
            return ~may, ~sure
        if isinstance(condition, (All, Any)):
            pairs = [self.pair(child) for child in condition.children]
            join = np.logical_and if isinstance(condition, All) else np.logical_or
            return join.reduce([p[0] for p in pairs]), join.reduce([p[1] for p in pairs])
        low = np.zeros(len(self.frame), np.float64)
        high = np.zeros(len(self.frame), np.float64)
        for weight, child in condition.items:
            sure, may = self.pair(child)
            low += weight * sure
            high += weight * may
        return low >= condition.at_least, high >= condition.at_least

    def _leaf(self, leaf: Leaf) -> Pair:
        holds = self._words(leaf) if leaf.signal in self.frame.words else self._numbers(leaf)
        broken = self.frame.broken.get(leaf.signal)
        return (holds, holds) if broken is None else (holds & ~broken, holds | broken)

    def _numbers(self, leaf: Leaf) -> Bools:
        column = self.frame.numbers[leaf.signal]
        if leaf.op == "in":
            return np.isin(column, np.array(leaf.value, np.float64))
        if isinstance(leaf.value, Threshold):
            table = np.array([v.thresholds[leaf.value.name] for v in self._variants], np.float64)
            wanted = table if len(table) == 1 else table[self._rows]
        else:
            wanted = np.array([leaf.value], np.float64)
        if leaf.op == "!=":
            other: Bools = (column != wanted) & ~np.isnan(column)
            return other
        return _compare(column, leaf.op, wanted)

    def _words(self, leaf: Leaf) -> Bools:
        column = self.frame.words[leaf.signal]
        answers = [v is not None and compare(v, leaf.op, leaf.value) for v in column.vocabulary]
        return np.array(answers, np.bool_)[column.codes]
