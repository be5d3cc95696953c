"""From opinions on rows that the members did not learn from to the fuser: stackers, and who abstains.

Fits numbers only; it judges no text and reads no file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from triton_models.serving.fuse import Fuser, Stacker
from triton_models.training.metrics import auroc
from triton_models.training.stack import fit_stackers

Array = npt.NDArray[np.float64]
FEWEST_CERTAIN: Final = 5
"""Certain positives below which nothing is known of a category, and it abstains."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What members said of rows that they did not learn from, for one category."""

    opinions: Mapping[str, Array]  # member -> [N] raw logits, NaN for none
    target: Array  # [N] 0..1, NaN where the row says nothing


def join(first: Evidence, second: Evidence) -> Evidence:
    """Both, one after the other; a member that only one has is NaN in the other."""
    members = dict.fromkeys((*first.opinions, *second.opinions))
    return Evidence(
        opinions={name: np.concatenate([_column(part, name) for part in (first, second)]) for name in members},
        target=np.concatenate((first.target, second.target)),
    )


def fit_fuser(
    evidence: Mapping[str, Evidence], *, least_auroc: float
) -> tuple[Fuser, dict[str, str], dict[str, dict[str, float]]]:
    """The fuser, why each category that abstains does so, and what each category reached on its evidence."""
    text: dict[str, tuple[Stacker, ...]] = {}
    abstains: dict[str, str] = {}
    reached: dict[str, dict[str, float]] = {}
    for category, known in evidence.items():
        certain = (known.target == 0) | (known.target == 1)
        positives = int((known.target == 1).sum())
        stackers = fit_stackers(known.opinions, known.target) if positives >= FEWEST_CERTAIN else ()
        value = _auroc(stackers, known, certain)
        reached[category] = {"positives": positives, "rows": int(certain.sum()), "auroc": round(value, 4)}
        if not stackers:
            abstains[category] = f"{positives} held-out positives are too few"
        elif not value >= least_auroc:
            abstains[category] = f"held-out AUROC {value:.3f} is below {least_auroc}"
        else:
            text[category] = stackers
    return Fuser(text=text, image={}), abstains, reached


def _auroc(stackers: Sequence[Stacker], known: Evidence, certain: npt.NDArray[np.bool_]) -> float:
    """AUROC of the fullest stacker over the rows whose label is certain."""
    if not stackers:
        return float("nan")
    columns = {name: known.opinions[name][certain].astype(np.float32) for name in stackers[0].members}
    logit = stackers[0].logit(columns).astype(np.float64)
    judged = ~np.isnan(logit)
    return auroc(known.target[certain][judged] == 1, logit[judged])


def _column(part: Evidence, name: str) -> Array:
    nothing: Array = np.full(len(part.target), np.nan)
    return part.opinions.get(name, nothing)
