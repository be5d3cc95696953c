"""Rules that no example exercises: nobody has shown that they do what they say."""

from __future__ import annotations

from collections.abc import Iterator

from policies.engine.checks.view import View, problem
from policies.engine.coverage import measure_coverage
from policies.engine.errors import Problem
from policies.engine.selftest import failing_examples, run_examples


def check(view: View) -> Iterator[Problem]:
    """UNTESTED-RULE, NO-NEAR-MISS; FAILING-TEST, an error."""
    bundle = view.loaded.bundle
    results = run_examples(bundle, now=view.now)
    yield from failing_examples(bundle, now=view.now)
    covered = {c.rule.id: c for c in measure_coverage(bundle, results, now=view.now)}
    for rule, doc, path in view.rules():
        found = covered.get(rule.id)
        if found is None:
            continue
        if not found.hit:
            yield problem(doc, (*path, "id"), "UNTESTED-RULE", f"no test of {rule.policy!r} makes {rule.id!r} match")
        elif not found.near_miss:
            message = f"no test of {rule.policy!r} nearly makes {rule.id!r} match"
            hint = "add a test that differs in one signal and is not matched"
            yield problem(doc, (*path, "id"), "NO-NEAR-MISS", message, hint=hint)
