"""Fits the n-gram member: one logistic regression per category on the hashed n-grams that serving computes.

The features come from `serving/ngrams.py`, so what is trained is what is served. No calibration here (`stack.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse  # type: ignore[import-untyped]  # ships no types
from sklearn.linear_model import LogisticRegression

from triton_models.serving.ngrams import DEFAULT_SIZES, Ngrams, bucket_ids, read

Target = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NgramRecipe:
    """How the n-gram member is made. The defaults were chosen on dev rows, one set left out at a time."""

    buckets_log2: int = 18
    sizes: tuple[int, ...] = DEFAULT_SIZES
    inverse_penalty: float = 4.0  # sklearn's C


def feature_matrix(
    texts: Sequence[str], recipe: NgramRecipe, *, progress: Callable[[int], None] | None = None
) -> sparse.csr_matrix:
    """`[N, buckets]` float32: 1/sqrt(n) at each of a text's n distinct buckets."""
    buckets = 1 << recipe.buckets_log2
    columns, values, ends = [], [], [0]
    for index, text in enumerate(texts):
        ids = bucket_ids(read(text), buckets, recipe.sizes)
        columns.append(ids.astype(np.int32))
        values.append(np.full(len(ids), 1.0 / np.sqrt(max(len(ids), 1)), dtype=np.float32))
        ends.append(ends[-1] + len(ids))
        if progress is not None and index % 1000 == 999:
            progress(1000)
    return sparse.csr_matrix(
        (np.concatenate(values), np.concatenate(columns), np.array(ends, dtype=np.int32)), shape=(len(texts), buckets)
    )


def fit_ngrams(
    features: Any,  # scipy ships no types
    targets: Mapping[str, Target],
    recipe: NgramRecipe,
    *,
    weights: Mapping[str, Target] | None = None,
) -> Ngrams:
    """The member taught `targets` (category -> `[N]` in 0..1, NaN where the row says nothing)."""
    columns, biases = [], []
    for name, target in targets.items():
        rows = ~np.isnan(target)
        weight = np.abs(2.0 * target[rows] - 1.0)  # a share of .85 counts .7: it is .15 wrong either way
        if weights is not None:
            weight = weight * weights[name][rows]
        model = LogisticRegression(C=recipe.inverse_penalty, solver="liblinear", tol=1e-2, max_iter=200, random_state=0)
        model.fit(features[rows], target[rows] > 0.5, sample_weight=weight)
        columns.append(model.coef_[0])
        biases.append(float(model.intercept_[0]))
    return Ngrams(
        weights=np.stack(columns, axis=1).astype(np.float16),
        bias=np.array(biases, dtype=np.float32),
        categories=tuple(targets),
        sizes=recipe.sizes,
    )
