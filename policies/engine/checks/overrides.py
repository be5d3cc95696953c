"""Overrides that set what is set already, or a number outside of what its signal can be."""

from __future__ import annotations

from collections.abc import Iterator

from policies.engine.checks.view import View, problem
from policies.engine.conditions import walk
from policies.engine.errors import Problem
from policies.engine.event_signals import find_spec
from policies.engine.leaves import Threshold
from policies.engine.meaning import qualify
from policies.engine.signals import SignalSpec


def check(view: View) -> Iterator[Problem]:
    """IDLE-OVERRIDE; OUT-OF-RANGE, an error."""
    thresholds = view.policies.thresholds
    for written in view.files():
        for n, item in enumerate(written.file.overrides):
            for target, value in item.set.items():
                name = qualify(written.file.policy, target.removeprefix("thresholds."))
                path = ("overrides", n, "set", target)
                if name not in thresholds or isinstance(value, str):
                    continue
                if value == thresholds[name]:
                    message = f"override {item.id!r} sets {target} to what it is anyway"
                    yield problem(written.doc, path, "IDLE-OVERRIDE", message)
                for spec in _compared_with(view, name):
                    high, low = spec.maximum, spec.minimum
                    if (high is not None and value > high) or (low is not None and value < low):
                        message = f"{value:g} is outside of what {spec.name} can be"
                        yield problem(written.doc, path, "OUT-OF-RANGE", message, level="error")
                        break


def _compared_with(view: View, threshold: str) -> list[SignalSpec]:
    signals = {
        leaf.signal for rule in view.policies.rules for leaf, _ in walk(rule.when) if leaf.value == Threshold(threshold)
    }
    found = (find_spec(view.loaded.bundle.catalogue, name) for name in sorted(signals))
    return [spec for spec in found if spec is not None]
