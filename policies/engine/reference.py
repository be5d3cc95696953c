"""The slow, obvious evaluator: what the generated function must agree with. Used by tests and by `explain`.

One rule of logic a line; no cleverness belongs here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from policies.engine.leaves import All, Any, Condition, Leaf, Not, Threshold
from policies.engine.signals import BROKEN, SignalSet, SignalStatus, SignalValue

Truth = bool | None
"""True, False, or None: unknown because a signal broke."""


def truth(condition: Condition, signals: SignalSet, thresholds: Mapping[str, float]) -> Truth:
    """Whether the condition holds, in Kleene's strong three-valued logic."""
    if isinstance(condition, Leaf):
        return leaf_truth(condition, signals, thresholds)
    if isinstance(condition, Not):
        inner = truth(condition.child, signals, thresholds)
        return None if inner is None else not inner
    if isinstance(condition, All):
        found = [truth(child, signals, thresholds) for child in condition.children]
        return False if False in found else None if None in found else True
    if isinstance(condition, Any):
        found = [truth(child, signals, thresholds) for child in condition.children]
        return True if True in found else None if None in found else False
    sure, possible = points_range(condition.items, signals, thresholds)
    return True if sure >= condition.at_least else None if possible >= condition.at_least else False


def points_range(
    items: tuple[tuple[float, Condition], ...], signals: SignalSet, thresholds: Mapping[str, float]
) -> tuple[float, float]:
    """The sum that is certain and the sum that is possible."""
    sure = possible = 0.0
    for weight, child in items:
        answer = truth(child, signals, thresholds)
        sure += weight if answer is True else 0
        possible += weight if answer is not False else 0
    return sure, possible


def leaf_truth(leaf: Leaf, signals: SignalSet, thresholds: Mapping[str, float]) -> Truth:
    """One comparison: absent and not_run do not match, broken is unknown."""
    status = signals.status(leaf.signal)
    if status in BROKEN:
        return None
    if status is not SignalStatus.OK:
        return False
    wanted = thresholds[leaf.value.name] if isinstance(leaf.value, Threshold) else leaf.value
    return compare(signals.values[leaf.signal], leaf.op, wanted)


def compare(value: SignalValue, op: str, wanted: object) -> bool:
    """`value op wanted` for values whose types fit."""
    if op == "in":
        words = wanted if isinstance(wanted, tuple) else (wanted,)
        return any(v in words for v in value) if isinstance(value, tuple) else value in words
    if isinstance(value, float) and math.isnan(value):  # no value at all
        return False
    if op == "==":
        return value == wanted
    if op == "!=":
        return value != wanted
    if isinstance(value, (str, tuple)) or not isinstance(wanted, (int, float)):
        return False
    if op == "<":
        return value < wanted
    if op == "<=":
        return value <= wanted
    return value > wanted if op == ">" else value >= wanted
