"""Would a harm nobody taught be noticed? One category is left out of what is known, and its rows are looked for.

No release serves a novelty score yet (`content.novel` is reserved), so this measures the text vectors themselves with a
plain nearest-neighbour score, here and nowhere else. Vectors are centred between the two banks' means and made unit
length; the likeness of a row to a bank is its mean cosine with the NEIGHBOURS nearest of the bank (Sun et al. 2022,
Out-of-Distribution Detection with Deep Nearest Neighbors, with the mean in the place of the k-th).

    harm_likeness  likeness to the harms that are known less likeness to ordinary rows: is a new harm like the old ones?
    strangeness    minus the greater of the two: is a new harm unlike everything known?
Each is the AUROC of the left-out category's harmful rows against ordinary rows that are not in the bank.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from policies.engine.taxonomy import CATEGORIES, Category
from triton_models.training.datasets import Row
from triton_models.training.metrics import auroc
from triton_models.training.report import FEWEST

FloatArray = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]

NEIGHBOURS: Final = 10
MOST_KNOWN: Final = 1_500
MOST_TESTED: Final = 400
WHAT: Final = (
    "One category at a time is taken out of the harms that are known, and its harmful rows are told from ordinary ones "
    "by a nearest-neighbour score on the text vectors (AUROC). This score is not served: no release has a novelty "
    "signal yet. Ordinary rows come from the sets that the harmful rows come from where those have enough; where not, "
    "the sets' styles help to tell them apart and the figure flatters."
)


@dataclass(frozen=True, slots=True)
class Split:
    """One left-out category: row numbers of the banks and of the two sides that are told apart."""

    known: Indices  # harmful in another category, not in this one
    reference: Indices  # ordinary, known to be so
    harmful: Indices
    ordinary: Indices
    same_sets: bool  # the ordinary rows come from the sets of the harmful ones


def novelty_table(rows: Sequence[Row], vectors: FloatArray, *, seed: int = 0) -> dict[str, Any]:
    """Category -> the two AUROCs and what they were measured on; categories with too few rows are left out."""
    found = {}
    for category in CATEGORIES:
        split = leave_out(rows, category, seed=seed)
        if split is not None:
            found[str(category)] = _measure(split, vectors)
    return {"what": WHAT, "categories": found}


def leave_out(rows: Sequence[Row], category: Category, *, seed: int = 0) -> Split | None:
    """The rows' parts when `category` is not known; None when a part has fewer than ten rows."""
    harmful = [at for at, row in enumerate(rows) if row.labels.get(category) == 1]
    known = [
        at for at, row in enumerate(rows) if row.labels.get(category) != 1 and any(v == 1 for v in row.labels.values())
    ]
    calm = [at for at, row in enumerate(rows) if row.labels and all(value == 0 for value in row.labels.values())]
    rng = np.random.default_rng(seed)
    order = rng.permutation(calm)
    reference, rest = order[: len(order) // 2], order[len(order) // 2 :]
    sources = {rows[at].source for at in harmful}
    same = np.array([at for at in rest if rows[at].source in sources], dtype=np.int64)
    ordinary = same if len(same) >= FEWEST else rest
    if min(len(harmful), len(known), len(reference), len(ordinary)) < FEWEST:
        return None
    return Split(
        known=rng.permutation(known)[:MOST_KNOWN],
        reference=reference[:MOST_KNOWN],
        harmful=rng.permutation(harmful)[:MOST_TESTED],
        ordinary=ordinary[:MOST_TESTED],
        same_sets=len(same) >= FEWEST,
    )


def likeness(vectors: FloatArray, bank: FloatArray, *, neighbours: int = NEIGHBOURS) -> npt.NDArray[np.float64]:
    """`[N]` mean cosine of each unit vector with its nearest `neighbours` of the bank."""
    cosines = vectors @ bank.T
    kept = min(neighbours, cosines.shape[1])
    nearest: npt.NDArray[np.float64] = np.partition(cosines, -kept, axis=1)[:, -kept:].mean(axis=1).astype(np.float64)
    return nearest


def _measure(split: Split, vectors: FloatArray) -> dict[str, Any]:
    centre = (vectors[split.reference].mean(axis=0) + vectors[split.known].mean(axis=0)) / 2.0
    centred = vectors - centre
    unit = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9)
    tested = np.concatenate((split.harmful, split.ordinary))
    truth = np.arange(len(tested)) < len(split.harmful)
    harm = likeness(unit[tested], unit[split.known])
    calm = likeness(unit[tested], unit[split.reference])
    return {
        "harmful": len(split.harmful),
        "ordinary": len(split.ordinary),
        "ordinary_from": "the same sets" if split.same_sets else "other sets",
        "harm_likeness": round(auroc(truth, harm - calm), 4),
        "strangeness": round(auroc(truth, -np.maximum(harm, calm)), 4),
    }
