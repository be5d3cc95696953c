"""Rules in shadow without an end: nobody remembers them, and they cost time for every event."""

from __future__ import annotations

from collections.abc import Iterator

from policies.engine.checks.view import View, problem
from policies.engine.errors import Problem


def check(view: View) -> Iterator[Problem]:
    """ENDLESS-SHADOW."""
    for rule, doc, path in view.rules():
        if rule.mode == "shadow" and rule.expires_at is None:
            message = f"rule {rule.id!r} is in shadow without an end"
            yield problem(doc, (*path, "mode"), "ENDLESS-SHADOW", message, hint="add expires: with the day of decision")
        elif rule.mode == "enforce" and rule.rollout_percent < 100 and rule.expires_at is None:
            message = f"rule {rule.id!r} stays at {rule.rollout_percent:g} % without an end"
            yield problem(doc, (*path, "rollout"), "ENDLESS-ROLLOUT", message, hint="widen it, or add expires:")
