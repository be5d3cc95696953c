"""Whether the served severity agrees with what people said: quadratic weighted kappa. Measures; sets no band.

kappa = 1 - sum_ij w_ij O_ij / sum_ij w_ij E_ij, with w_ij = (i - j)^2 / (k - 1)^2, O the observed shares of (labelled
i, served j) and E those of the two margins multiplied (Cohen 1968, Weighted kappa, Psychological Bulletin 70, 213-220).
1 is full agreement, 0 what two raters reach who only know how often each grade occurs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from policies.engine.taxonomy import CATEGORIES
from triton_models.serving.fuse import severity_of
from triton_models.training.report import FEWEST

LEVELS: Final = 8
"""Severities 0..7 of the contract."""
UNLABELLED: Final = (
    "No set here labels how grave a harm is, so the served severity, which follows confidence, was compared with "
    'nothing. Posts of your own with "severity": {"hate": 0-7} are compared.'
)
Grades = npt.NDArray[np.int64]


def quadratic_kappa(labelled: Grades, served: Grades, *, levels: int = LEVELS) -> float:
    """The kappa of the module's head for grades in 0..levels-1; NaN when all grades of both are one and the same."""
    if not len(labelled):
        return float("nan")
    observed = np.zeros((levels, levels))
    np.add.at(observed, (labelled, served), 1.0 / len(labelled))
    grades = np.arange(levels)
    weight = ((grades[:, None] - grades[None, :]) / (levels - 1)) ** 2
    expected = np.outer(observed.sum(axis=1), observed.sum(axis=0))
    apart = float((weight * expected).sum())
    return 1.0 - float((weight * observed).sum()) / apart if apart else float("nan")


def severity_table(graded: Sequence[Mapping[str, int]], fused: npt.NDArray[np.float32]) -> dict[str, Any]:
    """Per category kappa, mean distance and how many the release abstained on; `note` when nobody graded anything."""
    found: dict[str, Any] = {}
    for column, category in enumerate(CATEGORIES):
        rows = [row for row, grades in enumerate(graded) if category in grades]
        if not rows:
            continue
        said = np.array([graded[row][category] for row in rows], dtype=np.int64)
        served = severity_of(fused[rows, column]).astype(np.int64)
        judged = served >= 0
        if int(judged.sum()) < FEWEST:
            continue
        found[str(category)] = {
            "rows": int(judged.sum()),
            "abstained": int((~judged).sum()),
            "kappa": round(quadratic_kappa(said[judged], served[judged]), 4),
            "mean_distance": round(float(np.abs(said[judged] - served[judged]).mean()), 3),
        }
    return {"categories": found} if found else {"note": UNLABELLED}
