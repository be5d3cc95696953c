"""Fits the stackers of `serving/fuse.py` on held-out rows: how members' opinions become one calibrated probability.

A logistic formula per category and set of members. Each source of rows counts the same, whatever its size, so that the
largest set does not decide what a probability means. A member whose weight would be negative is left out of that set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Final

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from triton_models.serving.fuse import Stacker

Values = npt.NDArray[np.float64]
MIN_POSITIVES: Final = 5
INVERSE_PENALTY: Final = 10.0
LEAST_CERTAINTY: Final = 0.5
"""A share between .25 and .75 is a hint: it may teach a member, but it says nothing of what a probability should be."""


def fit_stackers(opinions: Mapping[str, Values], target: Values, sources: Sequence[str]) -> tuple[Stacker, ...]:
    """One stacker per non-empty set of members, from their raw opinions (`[N]`, NaN for none) on held-out rows.

    `target` is 0..1 with NaN where the row says nothing; empty when there are too few positives to fit anything.
    """
    found = []
    for size in range(len(opinions), 0, -1):
        for members in combinations(opinions, size):
            stacker = _fit(members, opinions, target, sources)
            if stacker is not None:
                found.append(stacker)
    return tuple(found)


def source_weights(sources: Sequence[str]) -> Values:
    """A weight per row such that every source sums to the same, with mean 1."""
    names, index, counts = np.unique(np.array(sources), return_inverse=True, return_counts=True)
    weights: Values = (len(sources) / (len(names) * counts))[index]
    return weights


def _fit(
    members: tuple[str, ...], opinions: Mapping[str, Values], target: Values, sources: Sequence[str]
) -> Stacker | None:
    columns = np.stack([opinions[name] for name in members], axis=1)
    told = np.abs(2.0 * np.nan_to_num(target, nan=0.5) - 1.0) >= LEAST_CERTAINTY
    rows = told & ~np.isnan(columns).any(axis=1)
    share = target[rows]
    if (share > 0.5).sum() < MIN_POSITIVES or (share <= 0.5).sum() < MIN_POSITIVES:
        return None
    balance = source_weights([source for source, kept in zip(sources, rows, strict=True) if kept])
    # A share of .85 is .85 of a positive and .15 of a negative.
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=1000)
    model.fit(
        np.concatenate((columns[rows], columns[rows])),
        np.repeat((1, 0), len(share)),
        sample_weight=np.concatenate((share * balance, (1.0 - share) * balance)),
    )
    weights = model.coef_[0]
    if len(members) > 1 and weights.min() < 0:
        kept = tuple(name for name, weight in zip(members, weights, strict=True) if weight >= 0)
        inner = _fit(kept, opinions, target, sources) if kept else None
        if inner is None:
            return None
        by_name = dict(zip(inner.members, inner.weights, strict=True))
        return Stacker(members, tuple(by_name.get(name, 0.0) for name in members), inner.bias)
    return Stacker(members, tuple(float(weight) for weight in weights), float(model.intercept_[0]))
