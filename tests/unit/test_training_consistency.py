"""Cross-modal consistency: order within quadruples, invariance of two judgements, and halves that contradict."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.pairs_factory import write_pair_data
from triton_models.training.consistency import (
    contradiction_auroc,
    contradicts,
    corner_scores,
    measure_invariance,
    measure_order,
)
from triton_models.training.pairs import Pair, PairPlan, build_pairs, find_icons, load_phrases


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[Pair]:
    """Pairs of a small data folder."""
    return build_pairs(load_phrases(), find_icons(write_pair_data(tmp_path_factory.mktemp("c"))), PairPlan(8, seed=1))


def scored(pairs: list[Pair], corners: dict[str, float]) -> dict[str, float]:
    """The same probability for every post of a corner."""
    return {pair.id: corners.get(pair.corner, 0.9) for pair in pairs}


def test_corners_stand_in_their_order(pairs: list[Pair]) -> None:
    """One row per whole quadruple, harmful post first; one that lacks a post is left out, as is corner T."""
    corners = {"11": 0.9, "10": 0.3, "01": 0.2, "00": 0.1}
    harmful, scores = corner_scores(pairs, scored(pairs, corners))
    assert {tuple(row) for row in scores.tolist()} == {(0.9, 0.3, 0.2, 0.1)}
    assert all(pair.corner == "11" for pair in harmful)
    without = [pair for pair in pairs if pair.id != harmful[0].id]
    assert len(corner_scores(without, scored(pairs, corners))[0]) == len(harmful) - 1


def test_order_needs_no_threshold(pairs: list[Pair]) -> None:
    """All scores under one half, and still in order."""
    found = measure_order(pairs, scored(pairs, {"11": 0.2, "10": 0.1, "01": 0.1, "00": 0.01}))
    assert found["order"] == found["pairwise"] == 1.0
    assert set(found["by_family"].values()) == set(found["by_language"].values()) == {1.0}


def test_a_judge_of_one_half_is_never_in_order(pairs: list[Pair]) -> None:
    """Whoever reads only the sentence ties the harmful post with another: no order, half a point for the tie."""
    found = measure_order(pairs, scored(pairs, {"11": 0.8, "10": 0.2, "01": 0.8, "00": 0.2}))
    assert found["order"] == 0.0
    assert found["pairwise"] == pytest.approx((1 + 0.5 + 1) / 3, abs=1e-4)
    assert found["interaction above 0"] == 0.0


def test_adding_halves_is_no_interaction(pairs: list[Pair]) -> None:
    """Evidence that only adds up is in order without any interaction; a pair that says more has it."""
    logit = {"11": 2.0, "10": 0.0, "01": 0.0, "00": -2.0}
    added = {name: 1 / (1 + math.exp(-value)) for name, value in logit.items()}
    found = measure_order(pairs, scored(pairs, added | {"00": added["00"] + 1e-9}))
    assert (found["order"], found["interaction above 0"]) == (1.0, 1.0)
    found = measure_order(pairs, scored(pairs, added | {"11": added["11"] - 1e-6}))
    assert (found["order"], found["interaction above 0"]) == (1.0, 0.0)


def test_certain_scores_stay_finite(pairs: list[Pair]) -> None:
    """Probabilities of 0 and 1 have no logit; the interaction is still told."""
    assert (
        measure_order(pairs, scored(pairs, {"11": 1.0, "10": 0.0, "01": 0.0, "00": 0.0}))["interaction above 0"] == 1.0
    )


def test_nothing_to_order_is_not_zero() -> None:
    """No quadruples, no figure."""
    found = measure_order([], {})
    assert found["quadruples"] == 0
    assert math.isnan(found["order"])


def test_invariance_counts_shifts_and_flips() -> None:
    """Distances, changes of side, and opinions that only one judgement has."""
    first = np.array([[0.1, 0.6], [0.4, np.nan], [0.9, np.nan]])
    second = np.array([[0.1, 0.4], [0.5, 0.3], [0.9, np.nan]])
    found = measure_invariance(first, second)
    assert found["compared"] == 4
    assert found["mean shift"] == pytest.approx(0.075)
    assert found["greatest shift"] == pytest.approx(0.2)
    assert found["flips"] == 0.5
    assert found["lost opinions"] == 1
    assert measure_invariance(first, first)["greatest shift"] == 0.0


def test_judgements_of_other_posts_are_refused() -> None:
    """Shapes that differ are a mistake of the caller."""
    with pytest.raises(ValueError, match="not of the same posts"):
        measure_invariance(np.zeros(3), np.zeros(4))


def test_halves_contradict_when_one_is_harmful_alone(pairs: list[Pair]) -> None:
    """An outright threat beside cake does; a neutral sentence beside cake does not; a gun beside small talk does."""
    cake = next(pair for pair in pairs if pair.corner == "00" and not pair.icon.labels)
    gun = next(pair for pair in pairs if pair.corner == "10" and pair.icon.labels)
    assert not contradicts(cake)
    assert contradicts(replace(cake, corner="T"))
    assert contradicts(gun)
    assert not contradicts(replace(gun, corner="T", category=next(iter(gun.icon.labels))))


def test_a_divergence_that_knows_ranks_contradictions_first(pairs: list[Pair]) -> None:
    """1 for one that follows the truth, 0 for its opposite, NaN where nothing is known; gaps are left out."""
    knows = {pair.id: float(contradicts(pair)) for pair in pairs}
    assert contradiction_auroc(pairs, knows) == 1.0
    assert contradiction_auroc(pairs, {name: -value for name, value in knows.items()}) == 0.0
    assert contradiction_auroc(pairs, knows | {pairs[0].id: float("nan")}) == 1.0
    assert math.isnan(contradiction_auroc(pairs, {}))
