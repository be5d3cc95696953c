"""Conditions that can never hold, or always do, because of their own shape: sums out of reach, contradictions.

Reasoning is by signal: an `all` whose comparisons leave no value for a signal is empty. What depends on two signals
at once is left to the tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from policies.engine.checks.view import View, problem
from policies.engine.errors import Problem
from policies.engine.intervals import Range, range_of
from policies.engine.leaves import All, Any, Condition, Leaf, Not, Points


def check(view: View) -> Iterator[Problem]:
    """NEVER-TRUE and ALWAYS-TRUE, errors; POINTS-ALONE, a warning."""
    for rule, doc, path in view.rules():
        when = rule.when
        if isinstance(when, Points):
            total = sum(weight for weight, _ in when.items)
            here = (*path, "at_least")
            if total < when.at_least:
                message = f"the points add up to {total:g}, {when.at_least:g} can never be reached"
                yield problem(doc, here, "NEVER-TRUE", message, level="error")
            elif any(weight >= when.at_least for weight, _ in when.items):
                message = "one line alone reaches the sum"
                yield problem(doc, here, "POINTS-ALONE", message, hint="raise at_least:, or write any:")
            continue
        clash = contradiction(when, view.policies.thresholds)
        if clash:
            message = f"rule {rule.id!r} can never match: {clash}"
            yield problem(doc, (*path, "when"), "NEVER-TRUE", message, level="error")


def contradiction(condition: Condition, thresholds: Mapping[str, float]) -> str:
    """Why the condition can never hold, or an empty string when it may."""
    if isinstance(condition, Any):
        clashes = [contradiction(child, thresholds) for child in condition.children]
        return clashes[0] if all(clashes) else ""
    if isinstance(condition, (Leaf, Not, Points)):
        return ""
    return _all_clash(condition, thresholds)


def _all_clash(condition: All, thresholds: Mapping[str, float]) -> str:
    ranges: dict[str, Range] = {}
    for child in condition.children:
        if not isinstance(child, Leaf):
            clash = contradiction(child, thresholds)
            if clash:
                return clash
            continue
        found = range_of(child, thresholds)
        if found is None:
            continue
        before = ranges.get(child.signal)
        both = before.intersect(found) if before is not None else found
        if both.empty:
            return f"no value of {child.signal} fits all of its comparisons"
        ranges[child.signal] = both
    return ""
