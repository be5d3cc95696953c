"""Cross-modal consistency: whether judgements hold together when halves are exchanged, swapped or reworded.

Pure functions of generated pairs and scores; they train and read nothing. That all four posts of a quadruple are right
is measured in `joint.py`; here is what needs no threshold (order), what compares two judgements of one post
(invariance), and whether a signal finds the posts whose halves contradict each other.

    order         s(11) > max(s(10), s(01), s(00))        share of quadruples (Winoground's group score, one-sided;
                                                          Thrush et al. 2022)
    pairwise      mean over the three of [s(11) > s(c)]   ties count half: the AUROC within quadruples
    interaction   l(11) - l(10) - l(01) + l(00)           in logits: above 0 when the pair adds to what its halves add
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from triton_models.training.metrics import auroc
from triton_models.training.pairs import Pair

Scores = npt.NDArray[np.float64]
CORNERS: Final = ("11", "10", "01", "00")
THRESHOLD: Final = 0.5
_LEAST: Final = 1e-6
"""Probabilities are kept this far from 0 and 1 before a logit is taken."""


def corner_scores(pairs: Sequence[Pair], probability: Mapping[str, float]) -> tuple[list[Pair], Scores]:
    """Each whole quadruple's harmful post, and `[Q, 4]` probabilities in the order of CORNERS."""
    four: dict[str, dict[str, Pair]] = defaultdict(dict)
    for pair in pairs:
        if pair.corner in CORNERS:
            four[pair.group][pair.corner] = pair
    whole = [corners for corners in four.values() if len(corners) == len(CORNERS)]
    scores = [[probability[corners[name].id] for name in CORNERS] for corners in whole]
    return [corners["11"] for corners in whole], np.array(scores, dtype=np.float64).reshape(-1, len(CORNERS))


def measure_order(pairs: Sequence[Pair], probability: Mapping[str, float]) -> dict[str, Any]:
    """Order, pairwise order and interaction over all quadruples, and order by family and language; NaN for none."""
    harmful, scores = corner_scores(pairs, probability)
    first = scores[:, :1] - scores[:, 1:]
    ordered = (first > 0).all(axis=1)
    logits = np.log(np.clip(scores, _LEAST, 1 - _LEAST) / np.clip(1 - scores, _LEAST, 1 - _LEAST))
    interaction = logits @ np.array([1.0, -1.0, -1.0, 1.0])
    return {
        "quadruples": len(harmful),
        "order": _mean(ordered),
        "pairwise": _mean((first > 0) + 0.5 * (first == 0)),
        "interaction above 0": _mean(interaction > 0),
        "by_family": _by([one.family for one in harmful], ordered),
        "by_language": _by([one.locale for one in harmful], ordered),
    }


def measure_invariance(first: Scores, second: Scores, *, threshold: float = THRESHOLD) -> dict[str, Any]:
    """How far two judgements of the same posts differ, `[N]` or `[N, C]` probabilities each, NaN for no opinion.

    For instance text before picture and picture before text, a sentence and its paraphrase, words as characters and as
    pixels, a picture and its copy. `lost opinions` counts places where only one of the two has one. ValueError unless
    the shapes agree.
    """
    if first.shape != second.shape:
        raise ValueError(f"judgements of shape {first.shape} and {second.shape} are not of the same posts")
    one, other = np.isnan(first), np.isnan(second)
    known = ~one & ~other
    shift = np.abs(first[known] - second[known])
    flips = (first[known] >= threshold) != (second[known] >= threshold)
    return {
        "compared": int(known.sum()),
        "mean shift": _mean(shift),
        "95 % shift": round(float(np.quantile(shift, 0.95)), 4) if shift.size else float("nan"),
        "greatest shift": round(float(shift.max()), 4) if shift.size else float("nan"),
        "flips": _mean(flips),
        "lost opinions": int((one != other).sum()),
    }


def contradicts(pair: Pair) -> bool:
    """Whether the pair's halves, each by itself, are of different categories.

    A sentence that is harmful outright (corner T) says the family's category, every other sentence says none; a picture
    says what its icon shows. So "neither says anything" agrees, and a knife beside a neutral sentence does not.
    """
    said = {pair.category} if pair.corner == "T" else set()
    shown = {category for category, severity in pair.icon.labels.items() if severity > 0}
    return said != shown


def contradiction_auroc(pairs: Sequence[Pair], divergence: Mapping[str, float]) -> float:
    """How well `divergence` by pair id (`joint.contradiction`) ranks contradicting posts above the others.

    Posts that have no divergence (NaN, or no entry) are left out; NaN where only one kind is left.
    """
    known = [(pair, divergence[pair.id]) for pair in pairs if not np.isnan(divergence.get(pair.id, np.nan))]
    truth = np.array([contradicts(pair) for pair, _ in known], dtype=np.bool_)
    return auroc(truth, np.array([value for _, value in known], dtype=np.float64))


def _by(names: Sequence[str], right: npt.NDArray[np.bool_]) -> dict[str, float]:
    found = np.array(names, dtype=np.str_)
    return {name: _mean(right[found == name]) for name in sorted(set(names))}


def _mean(values: npt.NDArray[Any]) -> float:
    return round(float(np.mean(values)), 4) if values.size else float("nan")
