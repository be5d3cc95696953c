"""Thresholds and lists that no condition uses: left behind, or misspelled elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

from policies.engine.checks.view import View, problem
from policies.engine.conditions import walk
from policies.engine.errors import Problem
from policies.engine.leaves import Threshold
from policies.engine.meaning import qualify


def check(view: View) -> Iterator[Problem]:
    """UNUSED-THRESHOLD and UNUSED-LIST."""
    conditions = [r.when for r in view.policies.rules] + [e.when for e in view.policies.exemptions]
    leaves = [leaf for condition in conditions for leaf, _ in walk(condition)]
    used = {leaf.value.name for leaf in leaves if isinstance(leaf.value, Threshold)}
    for written in view.files():
        for name, points in written.file.thresholds.items():
            for point in points:
                if qualify(written.file.policy, f"{name}.{point}") not in used:
                    path = ("thresholds", name, point)
                    message = f"threshold {name}.{point} is used by no rule"
                    yield problem(written.doc, path, "UNUSED-THRESHOLD", message)
    signals = {leaf.signal for leaf in leaves}
    for item in view.loaded.folder.lists:
        prefix = f"list.{item.file.name}."
        if not any(name.startswith(prefix) for name in signals):
            message = f"list {item.file.name!r} is used by no rule"
            yield problem(item.doc, ("list",), "UNUSED-LIST", message)
