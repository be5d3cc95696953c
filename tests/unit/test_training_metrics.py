"""Metrics: equal to a known library on random data, and defined or NaN at the edges."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from triton_models.training.metrics import (
    auroc,
    average_precision,
    bootstrap_interval,
    calibration_error,
    f1_at,
    recall_at,
)


@pytest.mark.parametrize("seed", range(5))
def test_rankings_equal_scikit_learn(seed: int) -> None:
    """AUROC, AP and F1 agree with scikit-learn, ties included."""
    rng = np.random.default_rng(seed)
    truth = rng.random(300) < 0.3
    score = np.round(rng.random(300) + 0.3 * truth, 1).astype(np.float64)
    assert auroc(truth, score) == pytest.approx(roc_auc_score(truth, score))
    assert average_precision(truth, score) == pytest.approx(average_precision_score(truth, score))
    assert f1_at(truth, score, threshold=0.7) == pytest.approx(f1_score(truth, score >= 0.7))


def test_recall_at_a_false_positive_rate_counts_only_above_the_negatives() -> None:
    """With one of ten negatives allowed, the threshold is the second greatest negative."""
    score = np.array([0.95, 0.85, 0.2, *np.linspace(0, 0.9, 10)])
    truth = np.array([True, True, True] + [False] * 10)
    assert recall_at(truth, score, false_positive_rate=0.1) == pytest.approx(2 / 3)
    assert recall_at(truth, score, false_positive_rate=0.0) == pytest.approx(1 / 3)


def test_calibration_error_is_the_gap_between_promise_and_outcome() -> None:
    """A constant promise of .7 for something that happens half the time is off by .2; a true promise by nothing."""
    truth = np.array([True, False] * 50)
    assert calibration_error(truth, np.full(100, 0.7), bins=1) == pytest.approx(0.2)
    assert calibration_error(truth, np.full(100, 0.5), bins=1) == pytest.approx(0.0)


def test_one_class_alone_has_no_ranking() -> None:
    """Where a figure is undefined it is NaN, never a lucky half."""
    truth, score = np.zeros(5, dtype=np.bool_), np.linspace(0, 1, 5)
    for value in (
        auroc(truth, score),
        average_precision(truth, score),
        recall_at(truth, score, false_positive_rate=0.1),
        f1_at(truth, score, threshold=2.0),
        calibration_error(truth[:0], score[:0]),
    ):
        assert np.isnan(value)


def test_the_interval_holds_the_value_and_narrows_with_rows() -> None:
    """A bootstrap interval surrounds the measured value and is narrower on more rows."""
    rng = np.random.default_rng(0)

    def interval(rows: int) -> tuple[float, float, float]:
        truth = rng.random(rows) < 0.5
        score = rng.random(rows) + 0.5 * truth
        return (*bootstrap_interval(auroc, truth, score), auroc(truth, score))

    low, high, value = interval(100)
    narrow_low, narrow_high, _ = interval(4000)
    assert low <= value <= high
    assert narrow_high - narrow_low < high - low
