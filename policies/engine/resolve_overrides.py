"""Written overrides and scopes → checked ones: they may set numbers and modes, never a condition, never a floor.

Two overrides that set the same thing in places that may overlap must differ in how narrow they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Final

from policies.engine.conditions import walk
from policies.engine.dates import end_of
from policies.engine.errors import choices_hint
from policies.engine.globs import globs_may_overlap
from policies.engine.leaves import Threshold
from policies.engine.loader import Written
from policies.engine.meaning import qualify
from policies.engine.rules import Mode, Override, Rule, Scope, Site
from policies.engine.schema import MatchFile, OverrideFile, PolicyFile
from policies.engine.yaml_nodes import Path

_MODES: Final[dict[str, Mode]] = {"off": "off", "shadow": "shadow", "enforce": "enforce"}


def read_scope(match: MatchFile) -> Scope:
    """The written scope as values."""
    minors = {"minors": True, "adults": False, "any": None}[match.audience]
    return Scope(tuple(match.locale), tuple(match.surface), tuple(match.tenant), tuple(match.kind), minors)


def read_overrides(
    written: Written[PolicyFile], *, rules: Mapping[str, Rule], thresholds: Mapping[str, float]
) -> list[Override]:
    """The file's overrides; what cannot be used is reported."""
    made: list[Override] = []
    ids: set[str] = set()
    for n, item in enumerate(written.file.overrides):
        path: Path = ("overrides", n)
        if item.id in ids:
            written.doc.report((*path, "id"), "DUPLICATE-ID", f"override {item.id!r} is there twice")
        ids.add(item.id)
        made.append(_override(written, item, path, rules=rules, thresholds=thresholds))
    _check_conflicts(written, made)
    return made


def _override(
    written: Written[PolicyFile],
    item: OverrideFile,
    path: Path,
    *,
    rules: Mapping[str, Rule],
    thresholds: Mapping[str, float],
) -> Override:
    doc, policy = written.doc, written.file.policy
    numbers: dict[str, float] = {}
    modes: dict[str, Mode] = {}
    own_rules = {r.id: r for r in rules.values() if r.policy == policy}
    if read_scope(item.match) == Scope():
        doc.report(
            (*path, "match"), "EMPTY-SCOPE", f"override {item.id!r} matches everything", hint="change the value itself"
        )
    for target, value in item.set.items():
        here: Path = (*path, "set", target)
        name = qualify(policy, target.removeprefix("thresholds."))
        if target.startswith("thresholds.") and name in thresholds:
            if isinstance(value, str):
                doc.report(here, "WRONG-TYPE", f"{target!r} must be a number")
            elif _is_floored(own_rules, name):
                doc.report(here, "WEAK-FLOOR", f"{target!r} is used by a floor: no override reaches it", key=True)
            else:
                numbers[name] = value
        elif target.startswith("rules.") and target.endswith(".mode") and target[6:-5] in own_rules:
            rule = own_rules[target[6:-5]]
            if rule.floor:
                doc.report(here, "WEAK-FLOOR", f"{rule.id!r} is a floor: no override reaches it", key=True)
            elif not isinstance(value, str) or value not in _MODES:
                doc.report(
                    here, "BAD-VALUE", "a mode is off, shadow or enforce", hint=choices_hint(str(value), list(_MODES))
                )
            else:
                modes[rule.id] = _MODES[value]
        else:
            known = [f"thresholds.{t.partition('/')[2]}" for t in thresholds if t.startswith(f"{policy}/")]
            known += [f"rules.{r}.mode" for r in own_rules]
            doc.report(
                here, "UNKNOWN-TARGET", f"an override cannot set {target!r}", hint=choices_hint(target, known), key=True
            )
    mark = doc.mark((*path, "id"))
    site = Site(doc.file, mark.line, mark.column)
    return Override(policy, item.id, read_scope(item.match), numbers, modes, item.reason, end_of(item.expires), site)


def _is_floored(rules: Mapping[str, Rule], threshold: str) -> bool:
    return any(
        rule.floor and any(leaf.value == Threshold(threshold) for leaf, _ in walk(rule.when)) for rule in rules.values()
    )


def _check_conflicts(written: Written[PolicyFile], overrides: list[Override]) -> None:
    for first, second in combinations(overrides, 2):
        clash = [k for k in first.thresholds if second.thresholds.get(k, first.thresholds[k]) != first.thresholds[k]]
        clash += [f"rules.{k}.mode" for k in first.modes if second.modes.get(k, first.modes[k]) != first.modes[k]]
        if clash and first.scope.specificity == second.scope.specificity and _may_overlap(first.scope, second.scope):
            target = clash[0].partition("/")[2] or clash[0]
            written.doc.report(
                ("overrides", overrides.index(second), "match"),
                "OVERRIDE-CONFLICT",
                f"{first.id!r} and {second.id!r} both set {target!r} and may both fit",
                hint="make one of them narrower",
                key=True,
            )


def _may_overlap(a: Scope, b: Scope) -> bool:
    if a.minors is not None and b.minors is not None and a.minors is not b.minors:
        return False
    pairs = ((a.locale, b.locale), (a.surface, b.surface), (a.tenant, b.tenant), (a.kind, b.kind))
    return all(not x or not y or any(globs_may_overlap(g, h) for g in x for h in y) for x, y in pairs)
