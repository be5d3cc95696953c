"""Whether a probability means what it says: ECE and the points of the reliability plot, overall and per locale.

ECE = sum over bins of (rows in the bin / rows) * |mean probability - share that is harmful|, over 15 bins of equal mass
(Nguyen and O'Connor 2015; Nixon et al. 2019 on why not equal width). Fits nothing: calibrating is `calibrate.py`'s.

A probability presumes how common harm is. Where held-out rows happen to hold more or less of it than the rows that were
learned from, ECE says that first of all. `ece_at_learned_share` weighs harmful and harmless rows so that their share is
the learned one (label shift: Saerens et al. 2002), and is what is left.

ECE of few rows is never 0: a bin's harmful share is a draw. `ece_by_chance` is its mean over outcomes drawn from the
probabilities themselves, as a judge would get whose every word is true (Bröcker and Smith 2007: consistency bars).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from policies.engine.taxonomy import CATEGORIES
from triton_models.training.datasets import Row
from triton_models.training.report import FEWEST, Scores, Truth, certain

BINS: Final = 15
DRAWS: Final = 200
"""Outcomes drawn for `ece_by_chance`."""


def reliability(
    truth: Truth, probability: Scores, *, bins: int = BINS, learned: float | None = None
) -> dict[str, Any] | None:
    """ECE with its bins (`promised`: mean probability, `happened`: harmful share); None with too few of either side.

    `learned`: the harmful share of the rows that the probabilities were fitted on, for `ece_at_learned_share`.
    """
    judged = ~np.isnan(probability)
    truth, probability = truth[judged], probability[judged]
    positives = int(truth.sum())
    if positives < FEWEST or len(truth) - positives < FEWEST:
        return None
    order = np.argsort(probability, kind="stable")
    parts = np.array_split(order, min(bins, len(order)))
    points = [_point(truth[part], probability[part]) for part in parts]
    found: dict[str, Any] = {
        "rows": len(truth),
        "positives": positives,
        "ece": round(float(_gap(truth[None], probability, parts)[0]), 4),
        "ece_by_chance": round(_by_chance(probability, parts), 4),
        "mean_probability": round(float(probability.mean()), 4),
        "harmful_share": round(positives / len(truth), 4),
        "bins": [{name: round(value, 5) for name, value in point.items()} for point in points],
    }
    if learned is not None:
        own = positives / len(truth)
        weight = np.where(truth, learned / own, (1 - learned) / (1 - own))
        gaps = [abs(float((weight[part] * (probability[part] - truth[part])).sum())) for part in parts]
        found["learned_share"] = round(learned, 4)
        found["ece_at_learned_share"] = round(sum(gaps) / float(weight.sum()), 4)
    return found


def learned_shares(rows: Sequence[Row]) -> dict[str, float]:
    """Category -> the harmful share of the rows of train and dev whose label is certain; none without both kinds."""
    known = [row for row in rows if row.split != "test"]
    shares = {}
    for category in CATEGORIES:
        target = np.array([certain(row, category) for row in known])
        share = float((target[~np.isnan(target)] > 0.5).mean()) if not np.isnan(target).all() else 0.0
        if 0 < share < 1:
            shares[str(category)] = share
    return shares


def calibration_table(
    rows: Sequence[Row], fused: npt.NDArray[np.float32], shares: Mapping[str, float]
) -> dict[str, Any]:
    """Category -> `overall` and `locales`, over the rows whose label is certain. `fused`: `[N, C]` probabilities.

    `shares` are `learned_shares`, where they are known.
    """
    locales = np.array([row.locale for row in rows])
    table: dict[str, Any] = {}
    for column, category in enumerate(CATEGORIES):
        target = np.array([certain(row, category) for row in rows])
        asked = ~np.isnan(target)
        said = fused[asked, column].astype(np.float64)
        overall = reliability(target[asked] > 0.5, said, learned=shares.get(str(category)))
        if overall is None:
            continue
        found = {}
        for locale in sorted(set(locales[asked])):
            own = asked & (locales == locale)
            one = reliability(target[own] > 0.5, fused[own, column].astype(np.float64))
            if one is not None:
                found[str(locale)] = one
        table[str(category)] = {"overall": overall, "locales": found}
    return table


def without_bins(table: Any) -> Any:
    """The same without the bins: what a card keeps."""
    if not isinstance(table, dict):
        return table
    return {name: without_bins(value) for name, value in table.items() if name != "bins"}


def _gap(outcomes: npt.NDArray[np.bool_], probability: Scores, parts: Sequence[npt.NDArray[np.intp]]) -> Scores:
    """`[D]` ECE of each row of `outcomes` `[D, N]`."""
    gaps = [np.abs((outcomes[:, part] - probability[part]).sum(axis=1)) for part in parts]
    found: Scores = np.sum(gaps, axis=0) / len(probability)
    return found


def _by_chance(probability: Scores, parts: Sequence[npt.NDArray[np.intp]]) -> float:
    """Mean ECE over DRAWS outcomes that the probabilities themselves give."""
    rng = np.random.default_rng(0)
    return float(
        np.mean([_gap(rng.random((1, len(probability))) < probability, probability, parts) for _ in range(DRAWS)])
    )


def _point(truth: Truth, probability: Scores) -> dict[str, float]:
    return {
        "rows": len(truth),
        "from": float(probability.min()),
        "to": float(probability.max()),
        "promised": float(probability.mean()),
        "happened": float(truth.mean()),
    }
