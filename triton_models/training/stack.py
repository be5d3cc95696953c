"""Fits the stackers of `serving/fuse.py` on held-out rows: how members' opinions become one calibrated probability.

A logistic formula per category and set of members, fitted on rows whose label is certain, each counting the same: what
a probability means is what the report then measures. Shares teach members, not probabilities (decision 0021). A member
whose weight would be negative is left out of that set.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Final

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from triton_models.serving.fuse import Stacker

Values = npt.NDArray[np.float64]
MIN_POSITIVES: Final = 5
INVERSE_PENALTY: Final = 10.0


def fit_stackers(opinions: Mapping[str, Values], target: Values) -> tuple[Stacker, ...]:
    """One stacker per non-empty set of members, from their raw opinions (`[N]`, NaN for none) on held-out rows.

    `target` is 0, 1, a share (not used) or NaN where the row says nothing; empty when there are too few of either side
    to fit anything.
    """
    found = []
    for size in range(len(opinions), 0, -1):
        for members in combinations(opinions, size):
            stacker = _fit(members, opinions, target)
            if stacker is not None:
                found.append(stacker)
    return tuple(found)


def _fit(members: tuple[str, ...], opinions: Mapping[str, Values], target: Values) -> Stacker | None:
    columns = np.stack([opinions[name] for name in members], axis=1)
    rows = ((target == 0) | (target == 1)) & ~np.isnan(columns).any(axis=1)
    truth = target[rows] == 1
    if min(int(truth.sum()), int((~truth).sum())) < MIN_POSITIVES:
        return None
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=1000)
    model.fit(columns[rows], truth)
    weights = model.coef_[0]
    if len(members) > 1 and weights.min() < 0:
        kept = tuple(name for name, weight in zip(members, weights, strict=True) if weight >= 0)
        inner = _fit(kept, opinions, target) if kept else None
        if inner is None:
            return None
        by_name = dict(zip(inner.members, inner.weights, strict=True))
        return Stacker(members, tuple(by_name.get(name, 0.0) for name in members), inner.bias)
    return Stacker(members, tuple(float(weight) for weight in weights), float(model.intercept_[0]))
