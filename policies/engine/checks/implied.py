"""Rules that another rule makes pointless: whenever this one matches, that one does, and does at least as much.

Compares plain `all` rules (and single comparisons) by intervals; anything else is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from policies.engine.checks.view import View, problem
from policies.engine.errors import Problem
from policies.engine.intervals import Range, range_of
from policies.engine.leaves import All, Any, Condition, Leaf
from policies.engine.rules import Rule

#: More rules than this are compared only inside their own policy: the work grows with the square.
MAX_COMPARED = 400


def check(view: View) -> Iterator[Problem]:
    """IMPLIED-RULE and SAME-RULE."""
    plain = [(rule, doc, path, parts) for rule, doc, path in view.rules() if (parts := _parts(rule.when)) is not None]
    ranges = {rule.id: _ranges(parts, view.policies.thresholds) for rule, _, _, parts in plain}
    for narrow, doc, path, _ in plain:
        for wide, *_ in plain:
            if narrow.id == wide.id or (len(plain) > MAX_COMPARED and narrow.policy != wide.policy):
                continue
            if not _covers(ranges[wide.id], ranges[narrow.id]) or not _does_as_much(wide, narrow):
                continue
            same = _covers(ranges[narrow.id], ranges[wide.id])
            if same and narrow.id < wide.id and _does_as_much(narrow, wide):
                continue  # reported once, for the other one
            code, words = ("SAME-RULE", "says the same as") if same else ("IMPLIED-RULE", "adds nothing to")
            yield problem(doc, (*path, "id"), code, f"rule {narrow.id!r} {words} {wide.id!r}", hint="remove it")
            break


def _parts(condition: Condition) -> tuple[Leaf, ...] | None:
    if isinstance(condition, Leaf):
        return (condition,)
    if isinstance(condition, (All, Any)) and (isinstance(condition, All) or len(condition.children) == 1):
        leaves = tuple(c for c in condition.children if isinstance(c, Leaf))
        return leaves if len(leaves) == len(condition.children) else None
    return None


def _ranges(leaves: tuple[Leaf, ...], thresholds: Mapping[str, float]) -> dict[str, Range] | None:
    made: dict[str, Range] = {}
    for leaf in leaves:
        found = range_of(leaf, thresholds)
        if found is None:
            return None
        made[leaf.signal] = made[leaf.signal].intersect(found) if leaf.signal in made else found
    return made


def _covers(wide: dict[str, Range] | None, narrow: dict[str, Range] | None) -> bool:
    """Whether whatever fits `narrow` fits `wide`."""
    if wide is None or narrow is None:
        return False
    return all(name in narrow and narrow[name].inside(limits) for name, limits in wide.items())


def _does_as_much(wide: Rule, narrow: Rule) -> bool:
    return (
        wide.mode == "enforce"
        and wide.action >= narrow.action
        and wide.severity >= narrow.severity
        and wide.rollout_percent >= narrow.rollout_percent
        and (wide.expires_at is None or wide.expires_at == narrow.expires_at)
        and set(wide.labels) >= set(narrow.labels)
        and set(wide.redact) >= set(narrow.redact)
        and (wide.reason == narrow.reason and (wide.review == narrow.review or narrow.review is None))
        and (wide.floor or not narrow.floor)
        and wide.quota is None
    )
