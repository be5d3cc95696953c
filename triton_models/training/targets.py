"""Arrays that fits read: what each row says about a category, and how much it counts.

Weights answer two imbalances: a large set must not drown a small one (square root of its size), and a category with few
positives must still be heard (its positives are raised to a least share of the weight).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from policies.engine.taxonomy import Category
from triton_models.training.datasets import Row

Array = npt.NDArray[np.float64]
LEAST_POSITIVE_SHARE: Final = 0.15


def target_of(rows: Sequence[Row], category: Category) -> Array:
    """`[N]` the rows' labels for `category`, NaN where a row does not say."""
    return np.array([row.labels.get(category, np.nan) for row in rows], dtype=np.float64)


def weights_of(rows: Sequence[Row], category: Category) -> Array:
    """`[N]` how much each row counts for `category`; 0 where it says nothing."""
    target = target_of(rows, category)
    said = ~np.isnan(target)
    _, index, counts = np.unique([row.source for row in rows], return_inverse=True, return_counts=True)
    own = np.bincount(index[said], minlength=len(counts)).astype(np.float64)
    weights = np.where(said, 1.0 / np.sqrt(np.maximum(own, 1.0))[index], 0.0)
    positive = said & (target > 0.5)
    up, down = weights[positive].sum(), weights[said & ~positive].sum()
    if 0 < up < LEAST_POSITIVE_SHARE * (up + down):
        weights[positive] *= LEAST_POSITIVE_SHARE / (1.0 - LEAST_POSITIVE_SHARE) * down / up
    scaled: Array = weights * (said.sum() / max(weights.sum(), 1e-12))
    return scaled
