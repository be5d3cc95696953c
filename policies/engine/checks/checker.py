"""Runs every lint over a loaded bundle."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Final

from policies.engine.checks import (
    budget,
    dates,
    entries,
    evidence,
    examples,
    implied,
    lone_model,
    not_absent,
    overrides,
    reachable,
    shadow,
    unused,
)
from policies.engine.checks.view import View
from policies.engine.errors import Problem
from policies.engine.load import Loaded

Check = Callable[[View], Iterator[Problem]]

ALL: Final[tuple[Check, ...]] = (
    dates.check,
    shadow.check,
    reachable.check,
    implied.check,
    lone_model.check,
    not_absent.check,
    evidence.check,
    examples.check,
    overrides.check,
    unused.check,
    entries.check,
    budget.check,
)


def run_checks(loaded: Loaded, *, today: date) -> list[Problem]:
    """What all lints say of the bundle, as of the day."""
    view = View(loaded, today)
    return [found for check in ALL for found in check(view)]
