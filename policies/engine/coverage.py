"""What a bundle's examples exercise: rules hit and nearly hit, comparisons seen true and false, both sides of numbers.

A near miss is an example in which the rule did not match, but would have with one comparison of a value that is there
turned around.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Final

from policies.engine.bundle import PolicyBundle
from policies.engine.conditions import walk
from policies.engine.event_signals import find_spec
from policies.engine.judgement import judge
from policies.engine.leaves import All, Condition, Leaf, Not, Points, Threshold
from policies.engine.reasons import show_leaf
from policies.engine.reference import Truth, leaf_truth, truth
from policies.engine.rules import Rule
from policies.engine.selftest import ExampleResult, example_input, isolate
from policies.engine.signals import SignalSet, SignalSpec

EPSILON: Final = 1e-6


@dataclass(slots=True)
class LeafCoverage:
    """One comparison of a rule."""

    text: str
    seen_true: bool = False
    seen_false: bool = False


@dataclass(slots=True)
class RuleCoverage:
    """One rule, and how far its policy's examples exercise it."""

    rule: Rule
    hit: bool = False
    near_miss: bool = False
    leaves: list[LeafCoverage] = field(default_factory=list)
    boundaries: int = 0  # generated cases
    boundary_faults: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether there is a hit and a near miss: what the gate wants of a rule in force."""
        return self.hit and self.near_miss

    @property
    def leaves_covered(self) -> int:
        """How many comparisons were seen true and seen false."""
        return sum(1 for leaf in self.leaves if leaf.seen_true and leaf.seen_false)


def measure_coverage(bundle: PolicyBundle, results: Sequence[ExampleResult], *, now: float) -> list[RuleCoverage]:
    """The coverage of every rule that is not off, in rule order."""
    made = {r.id: RuleCoverage(r) for r in bundle.policies.rules if r.mode != "off"}
    parts: dict[str, PolicyBundle] = {}
    for result in results:
        policy = result.example.policy
        part = parts.setdefault(policy, isolate(bundle, policy)) if policy not in parts else parts[policy]
        subject, given = example_input(part, result.example, now=now)
        judged = judge(part, subject, given)
        for rule in part.policies.rules:
            if rule.id in made:
                _note(made[rule.id], judged.signals, judged.variant.thresholds)
                _note_boundaries(made[rule.id], part, judged.signals, judged.variant.thresholds)
    return list(made.values())


def _note(covered: RuleCoverage, signals: SignalSet, thresholds: Mapping[str, float]) -> None:
    rule = covered.rule
    leaves = [leaf for leaf, _ in walk(rule.when)]
    if not covered.leaves:
        covered.leaves = [LeafCoverage(show_leaf(leaf, thresholds)) for leaf in leaves]
    for seen, leaf in zip(covered.leaves, leaves, strict=True):
        answer = leaf_truth(leaf, signals, thresholds)
        seen.seen_true |= answer is True
        seen.seen_false |= answer is False
    answer = truth(rule.when, signals, thresholds)
    covered.hit |= answer is True
    if answer is False and not covered.near_miss:
        covered.near_miss = _flips(rule.when, signals, thresholds)


def _flips(condition: Condition, signals: SignalSet, thresholds: Mapping[str, float]) -> bool:
    leaves = [leaf for leaf, _ in walk(condition)]
    answers = [leaf_truth(leaf, signals, thresholds) is True for leaf in leaves]
    for n, leaf in enumerate(leaves):
        if leaf.signal not in signals.values:
            continue  # what is not there is not nearly there
        turned = [(not a if k == n else a) for k, a in enumerate(answers)]
        if truth_of(condition, turned):
            return True
    return False


def truth_of(condition: Condition, answers: Sequence[bool]) -> bool:
    """Whether the condition holds when its leaves, left to right, have these answers."""
    place = count()

    def ask(part: Condition) -> bool:
        if isinstance(part, Leaf):
            return answers[next(place)]
        if isinstance(part, Not):
            return not ask(part.child)
        if isinstance(part, Points):
            return sum([weight for weight, child in part.items if ask(child)]) >= part.at_least
        found = [ask(child) for child in part.children]
        return all(found) if isinstance(part, All) else any(found)

    return ask(condition)


def _note_boundaries(
    covered: RuleCoverage, part: PolicyBundle, signals: SignalSet, thresholds: Mapping[str, float]
) -> None:
    """Generate both sides of every number of a rule that holds; the compiled rule must answer as the reference does."""
    rule = covered.rule
    if truth(rule.when, signals, thresholds) is not True:
        return
    number = part.policies.rules.index(next(r for r in part.policies.rules if r.id == rule.id))
    points = tuple(thresholds[t] for t in part.program.thresholds)
    for leaf, _ in walk(rule.when):
        for value in boundary_values(leaf, thresholds, find_spec(part.catalogue, leaf.signal)):
            case = replace_value(signals, leaf.signal, value)
            wanted: Truth = truth(rule.when, case, thresholds)
            got = number in part.program.decide(case.values.get, case.values.get, points)
            covered.boundaries += 1
            if wanted is not None and got is not wanted:
                covered.boundary_faults.append(f"{show_leaf(leaf, thresholds)} at {value:g}: {got}, expected {wanted}")


def boundary_values(leaf: Leaf, thresholds: Mapping[str, float], spec: SignalSpec | None) -> tuple[float, ...]:
    """The number of a comparison and its neighbours on both sides, inside the signal's range."""
    wanted = thresholds[leaf.value.name] if isinstance(leaf.value, Threshold) else leaf.value
    if spec is None or isinstance(wanted, (bool, str, tuple)):
        return ()
    step = 1 if spec.type == "int" else EPSILON
    values = (wanted - step, wanted, wanted + step)
    return tuple(
        v for v in values if (spec.minimum is None or v >= spec.minimum) and (spec.maximum is None or v <= spec.maximum)
    )


def replace_value(signals: SignalSet, name: str, value: float) -> SignalSet:
    """The signals with one other number."""
    missing = {k: v for k, v in signals.missing.items() if k != name}
    return replace(signals, values={**signals.values, name: value}, missing=missing)
