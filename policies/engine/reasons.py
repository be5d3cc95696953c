"""Why a rule matched: the comparisons that held, as evidence and as the rule's own sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from policies.engine.conditions import walk
from policies.engine.evidence import render
from policies.engine.leaves import Leaf, Points, Threshold
from policies.engine.reference import leaf_truth, points_range, truth
from policies.engine.rules import Rule
from policies.engine.signals import SignalSet
from policies.engine.verdict import Evidence
from policies.engine.verdict_parts import rounded

MAX_EVIDENCE: Final = 20
MAX_WORDS: Final = 20


def show_leaf(leaf: Leaf, thresholds: Mapping[str, float]) -> str:
    """The comparison as written, with the number that a threshold stands for."""
    if isinstance(leaf.value, Threshold):
        return (
            f"{leaf.signal} {leaf.op} threshold.{leaf.value.name.partition('/')[2]} ({thresholds[leaf.value.name]:g})"
        )
    return str(leaf)


def evidence(rule: Rule, signals: SignalSet, thresholds: Mapping[str, float]) -> tuple[Evidence, ...]:
    """The comparisons that speak for the rule: those that held, and those under a `not` that did not."""
    made: dict[tuple[str, str], Evidence] = {}
    for leaf, negated in walk(rule.when):
        held = leaf_truth(leaf, signals, thresholds)
        if held is None or held is negated or leaf.signal not in signals.values:
            continue
        test = f"not ({show_leaf(leaf, thresholds)})" if negated else show_leaf(leaf, thresholds)
        value = signals.values[leaf.signal]
        shown = value[:MAX_WORDS] if isinstance(value, tuple) else rounded(value)
        made.setdefault((leaf.signal, test), Evidence(leaf.signal, shown, test))
        if len(made) >= MAX_EVIDENCE:
            break
    return tuple(made.values())


def sentence(rule: Rule, signals: SignalSet, thresholds: Mapping[str, float]) -> str:
    """The rule's evidence template filled in; its title when it has none."""
    if not rule.evidence:
        return rule.title
    points, hits = None, []
    if isinstance(rule.when, Points):
        points = points_range(rule.when.items, signals, thresholds)[0]
        for _, item in rule.when.items:
            if truth(item, signals, thresholds):
                hits += [show_leaf(leaf, thresholds) for leaf, negated in walk(item) if not negated]
    else:
        hits = [
            show_leaf(leaf, thresholds)
            for leaf, negated in walk(rule.when)
            if leaf_truth(leaf, signals, thresholds) and not negated
        ]
    return render(rule.evidence, signals.values, points=points, hits=hits)
