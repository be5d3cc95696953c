"""`not` around a model's score: it holds when nothing judged the content, which is rarely meant."""

from __future__ import annotations

from collections.abc import Iterator

from policies.engine.checks.lone_model import MODEL_PREFIXES
from policies.engine.checks.view import View, problem
from policies.engine.errors import Problem


def check(view: View) -> Iterator[Problem]:
    """NOT-OF-A-SCORE."""
    turned = {">=": "<", ">": "<=", "<": ">=", "<=": ">"}
    for rule, doc, _ in view.rules():
        for site in view.sites(rule.id):
            leaf = site.leaf
            if site.negated and leaf.signal.startswith(MODEL_PREFIXES) and leaf.op in turned:
                written = str(leaf).replace(f" {leaf.op} ", f" {turned[leaf.op]} ", 1)
                message = f"not {leaf} also holds when nothing judged it"
                yield problem(doc, site.path, "NOT-OF-A-SCORE", message, hint=f"write {written}, if that is meant")
