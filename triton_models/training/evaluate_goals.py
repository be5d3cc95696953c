"""The goals of the reference model beside what a report reached: met, falls short, or not measured.

The goals are data, `goals.yaml`, in the form of the gates. Nothing is refused here: that is what gates are for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from triton_models.training.gates import GateResult, check_gates, load_gates

GOALS: Final = Path(__file__).with_name("goals.yaml")


def goal_rows(
    report: Mapping[str, Any], before: Mapping[str, Any] | None = None, *, goals: Path = GOALS
) -> list[dict[str, Any]]:
    """A row per goal: what, limit, reached, `met` (None: not measured), where the worst figure is, and why it is asked.

    `before` is the report of the release that goals of the form "kept or better" are compared with.
    """
    return [_row(result) for result in check_gates(load_gates(goals), report, before)]


def _row(result: GateResult) -> dict[str, Any]:
    known = result.value is not None and not math.isnan(result.value)
    return {
        "goal": result.name,
        "limit": result.limit.replace("the serving version's", "the other release's"),
        "reached": result.value if known else None,
        "met": result.passed if known else None,
        "where": result.where,
        "why": result.why,
    }
