"""Blocking on one model's word alone: a model is wrong a few times in a hundred, and nobody would notice."""

from __future__ import annotations

from collections.abc import Iterator

from policies.engine.checks.view import View, problem
from policies.engine.errors import Problem
from policies.engine.event_signals import OWNER as EVENT_OWNER
from policies.engine.event_signals import find_spec
from policies.engine.leaves import All, Condition, Leaf, Not, Points
from policies.engine.signals import Catalogue
from policies.engine.taxonomy import Action

MODEL_PREFIXES = ("score.", "severity.", "joint.", "disagreement.", "novelty.")


def check(view: View) -> Iterator[Problem]:
    """BLOCK-ON-ONE-MODEL."""
    for rule, doc, path in view.rules():
        if rule.action is Action.BLOCK and _model_suffices(rule.when, view.loaded.bundle.catalogue):
            message = f"rule {rule.id!r} blocks on the word of one model"
            hint = "add a list, a hash or a second opinion, or ask a person: action: review"
            yield problem(doc, (*path, "then", "action"), "BLOCK-ON-ONE-MODEL", message, hint=hint)


def _model_suffices(condition: Condition, catalogue: Catalogue) -> bool:
    """Whether model signals (and facts of the event, which are no evidence) can make the condition true alone."""
    if isinstance(condition, Leaf):
        spec = find_spec(catalogue, condition.signal)
        return condition.signal.startswith(MODEL_PREFIXES) or spec is None or spec.owner == EVENT_OWNER
    if isinstance(condition, Not):
        return True
    if isinstance(condition, Points):
        return sum(w for w, child in condition.items if _model_suffices(child, catalogue)) >= condition.at_least
    found = [_model_suffices(child, catalogue) for child in condition.children]
    return all(found) if isinstance(condition, All) else any(found)
