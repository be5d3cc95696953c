"""Linear heads for categories with few positives, and their cross-fitted opinions.

A logistic regression per category on standardised embeddings. With twenty to a hundred positives a dev split would be
noise, so calibration and the reported figure come from cross-fitting: each row is judged by a head that did not see it,
nor a disguised copy of it. No torch.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

FloatArray = npt.NDArray[np.float32]
Array = npt.NDArray[np.float64]

FOLDS: Final = 5
INVERSE_PENALTY: Final = 0.01
"""sklearn's C on standardised embeddings: small, because there are more dimensions than positives."""
MOST_BACKGROUND: Final = 8_000
"""Rows of uncertain label (ordinary posts) that teach a linear head; more changes nothing but the time."""


@dataclass(frozen=True, slots=True)
class Linear:
    """`z = e @ weight + bias` on raw embeddings."""

    weight: FloatArray  # [D]
    bias: float


def fit_linear(embeddings: FloatArray, target: Array, weight: Array) -> Linear:
    """The head for one category; rows of weight 0 or target NaN are not used."""
    rows = _useful(target, weight)
    chosen = embeddings[rows]
    mean, scale = chosen.mean(axis=0), chosen.std(axis=0) + 1e-6
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=500)
    certainty = np.abs(2.0 * target[rows] - 1.0)
    model.fit((chosen - mean) / scale, target[rows] > 0.5, sample_weight=_balanced(weight[rows] * certainty))
    unscaled = (model.coef_[0] / scale).astype(np.float32)
    return Linear(weight=unscaled, bias=float(model.intercept_[0] - mean @ unscaled))


def cross_fit(embeddings: FloatArray, target: Array, weight: Array, names: Sequence[str]) -> Array:
    """`[N]` logits from heads that did not see the row; NaN for rows whose label is not certain.

    `names` are row ids; what follows a `~` is a copy of what stands before it and shares its fold.
    """
    certain = (target == 0) | (target == 1)
    fold = np.array([zlib.crc32(name.split("~", 1)[0].encode()) % FOLDS for name in names])
    logits = np.full(len(target), np.nan)
    for number in range(FOLDS):
        held = certain & (fold == number)
        seen = np.where(fold == number, np.nan, target)
        if held.any() and (seen == 1).any():
            head = fit_linear(embeddings, seen, weight)
            logits[held] = embeddings[held] @ head.weight + head.bias
    return logits


def _useful(target: Array, weight: Array) -> npt.NDArray[np.int64]:
    said = ~np.isnan(target) & (weight > 0)
    certain = np.flatnonzero(said & ((target == 0) | (target == 1)))
    background = np.flatnonzero(said & (target > 0) & (target < 1))
    if len(background) > MOST_BACKGROUND:
        background = np.sort(np.random.default_rng(0).choice(background, MOST_BACKGROUND, replace=False))
    return np.concatenate((certain, background))


def _balanced(weight: Array) -> Array:
    scaled: Array = weight * (len(weight) / weight.sum())
    return scaled
