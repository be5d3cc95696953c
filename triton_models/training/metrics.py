"""What a ranking and a probability are worth: AUROC, AP, recall at a false-positive rate, calibration error, F1.

Pure functions of `truth` (0/1) and `score` arrays. Undefined values (one class only) are NaN, never 0.5 or 0.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Truth = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.float64]


def auroc(truth: Truth, score: Scores) -> float:
    """The chance that a positive outranks a negative, ties counting half (Mann-Whitney)."""
    positives = int(truth.sum())
    negatives = len(truth) - positives
    if not positives or not negatives:
        return float("nan")
    ranks = _mid_ranks(score)
    return float((ranks[truth].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def average_precision(truth: Truth, score: Scores) -> float:
    """The area under precision over recall, as a step function over distinct scores."""
    if not truth.any():
        return float("nan")
    order = np.argsort(-score, kind="stable")
    hits, ordered = truth[order], score[order]
    last_of_tie = np.append(np.diff(ordered) != 0, True)
    found = np.cumsum(hits)[last_of_tie]
    precision = found / (np.flatnonzero(last_of_tie) + 1)
    recall = np.diff(np.append(0, found)) / truth.sum()
    return float((precision * recall).sum())


def recall_at(truth: Truth, score: Scores, *, false_positive_rate: float) -> float:
    """The share of positives above the threshold that lets at most `false_positive_rate` of the negatives pass."""
    negatives = np.sort(score[~truth])[::-1]
    if not len(negatives) or not truth.any():
        return float("nan")
    allowed = int(np.floor(false_positive_rate * len(negatives)))
    threshold = negatives[allowed] if allowed < len(negatives) else -np.inf
    return float((score[truth] > threshold).mean())


def f1_at(truth: Truth, score: Scores, *, threshold: float) -> float:
    """The harmonic mean of precision and recall when everything from `threshold` on is called positive."""
    called = score >= threshold
    hits = float((called & truth).sum())
    total = float(called.sum() + truth.sum())
    return 2 * hits / total if total else float("nan")


def calibration_error(truth: Truth, probability: Scores, *, bins: int = 15) -> float:
    """ECE over `bins` of equal mass: the mean distance between what was promised and what happened."""
    if not len(truth):
        return float("nan")
    order = np.argsort(probability, kind="stable")
    gaps = [
        len(part) * abs(float(probability[part].mean()) - float(truth[part].mean()))
        for part in np.array_split(order, min(bins, len(order)))
        if len(part)
    ]
    return float(sum(gaps) / len(truth))


def bootstrap_interval(
    measure: Callable[[Truth, Scores], float], truth: Truth, score: Scores, *, draws: int = 200, seed: int = 0
) -> tuple[float, float]:
    """The middle 95 % of `measure` over rows drawn with replacement."""
    random = np.random.default_rng(seed)
    values = []
    for _ in range(draws):
        rows = random.integers(0, len(truth), len(truth))
        values.append(measure(truth[rows], score[rows]))
    low, high = np.nanquantile(values, (0.025, 0.975)) if len(truth) else (np.nan, np.nan)
    return float(low), float(high)


def _mid_ranks(score: Scores) -> Scores:
    order = np.argsort(score, kind="stable")
    ordered = score[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    ends = np.append(starts[1:], len(ordered))
    ranks = np.empty(len(score), dtype=np.float64)
    ranks[order] = np.repeat((starts + ends + 1) / 2.0, ends - starts)
    return ranks
