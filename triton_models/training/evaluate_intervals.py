"""Bootstrap intervals over groups: what is drawn with replacement are templates, not rows. Pure arithmetic.

Cases of one template are near copies of each other. Drawn row by row they look like that many independent tests, and
the interval comes out far too narrow (the cluster bootstrap: Davison and Hinkley 1997, Bootstrap Methods, 3.8).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from triton_models.training.metrics import bootstrap_interval

Truth = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.float64]
Measure = Callable[[Truth, Scores], float]

DRAWS: Final = 100


def interval(
    measure: Measure, truth: Truth, score: Scores, *, groups: Sequence[str] | None = None, draws: int = DRAWS
) -> list[float]:
    """The middle 95 % of `measure`, rounded: over groups drawn with replacement, over rows where there are none."""
    if groups is None:
        low, high = bootstrap_interval(measure, truth, score, draws=draws)
    else:
        low, high = group_interval(measure, truth, score, groups=groups, draws=draws)
    return [round(low, 4), round(high, 4)]


def group_interval(
    measure: Measure, truth: Truth, score: Scores, *, groups: Sequence[str], draws: int = DRAWS
) -> tuple[float, float]:
    """The middle 95 % of `measure` when whole groups of rows are drawn; NaN for no rows."""
    if not len(truth):
        return float("nan"), float("nan")
    _, group = np.unique(np.array(groups), return_inverse=True)
    order = np.argsort(group, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(group[order])) + 1)
    random = np.random.default_rng(0)
    values = []
    for _ in range(draws):
        rows = np.concatenate([parts[index] for index in random.integers(0, len(parts), len(parts))])
        values.append(measure(truth[rows], score[rows]))
    low, high = np.nanquantile(values, (0.025, 0.975))
    return float(low), float(high)
