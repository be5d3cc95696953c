"""The pieces of the report against their definitions: intervals, calibration, kappa, novelty, swaps, comparisons."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from tests.training_factory import GROUPS
from triton_models.contract import LABELS
from triton_models.serving.fuse import Fuser, Stacker
from triton_models.training.datasets import Row
from triton_models.training.evaluate_against import CardError, compare_figures, read_card_of
from triton_models.training.evaluate_calibration import learned_shares, reliability, without_bins
from triton_models.training.evaluate_goals import goal_rows
from triton_models.training.evaluate_identity import Swap, flips, frame_of, gaps, swap_pairs
from triton_models.training.evaluate_intervals import group_interval, interval
from triton_models.training.evaluate_members import without_each
from triton_models.training.evaluate_novelty import leave_out, novelty_table
from triton_models.training.evaluate_severity import quadratic_kappa, severity_table
from triton_models.training.evaluation_sets import TemplateCase
from triton_models.training.metrics import auroc, calibration_error

HATE = LABELS.index("hate")


def test_near_copies_do_not_narrow_an_interval() -> None:
    """Twenty copies of each template leave the interval as wide as one copy does; by rows it would shrink."""
    rng = np.random.default_rng(0)
    truth = rng.random(40) < 0.5
    score = rng.random(40) + 0.4 * truth
    copied, scores = np.repeat(truth, 20), np.repeat(score, 20)
    groups = [f"t{number // 20}" for number in range(800)]
    low, high = group_interval(auroc, copied, scores, groups=groups)
    plain_low, plain_high = interval(auroc, truth, score)
    row_low, row_high = interval(auroc, copied, scores)
    assert high - low == pytest.approx(plain_high - plain_low, abs=0.08)
    assert row_high - row_low < (high - low) / 2


def test_reliability_points_are_those_of_the_error() -> None:
    """The bins hold every row once, and their weighted gaps are the calibration error."""
    rng = np.random.default_rng(1)
    probability = rng.random(500)
    truth = rng.random(500) < probability**2
    found = reliability(truth, probability)
    assert found is not None
    assert sum(point["rows"] for point in found["bins"]) == 500
    assert found["ece"] == pytest.approx(calibration_error(truth, probability), abs=1e-4)
    assert found["bins"][7]["promised"] > found["bins"][7]["happened"]  # happened is about the square of promised


def test_true_probabilities_have_the_error_that_chance_gives_and_false_ones_more() -> None:
    """Outcomes drawn from the probabilities: ECE near `ece_by_chance`, which fewer rows raise; squared: far above."""
    rng = np.random.default_rng(3)
    probability = rng.random(6000)
    few = reliability(rng.random(600) < probability[:600], probability[:600])
    many = reliability(rng.random(6000) < probability, probability)
    false = reliability(rng.random(6000) < probability**2, probability)
    assert few is not None
    assert many is not None
    assert false is not None
    for found in (few, many):
        assert found["ece"] == pytest.approx(found["ece_by_chance"], rel=0.6)
    assert few["ece_by_chance"] > 2 * many["ece_by_chance"]
    assert false["ece"] > 5 * false["ece_by_chance"]


def test_another_share_of_harm_is_told_apart_from_bad_probabilities() -> None:
    """Honest probabilities, and half the harmless rows gone: ECE rises, at the learned share it does not."""
    rng = np.random.default_rng(2)
    probability = rng.random(4000)
    truth = rng.random(4000) < probability
    left = truth | (rng.random(4000) < 0.5)
    whole = reliability(truth, probability, learned=float(truth.mean()))
    found = reliability(truth[left], probability[left], learned=float(truth.mean()))
    assert whole is not None
    assert found is not None
    assert whole["ece_at_learned_share"] == pytest.approx(whole["ece"], abs=1e-4)
    assert found["ece"] > 0.07
    assert found["ece_at_learned_share"] < 0.03
    assert found["learned_share"] == pytest.approx(0.5, abs=0.02)


def test_learned_shares_are_of_certain_rows_that_were_learned_from() -> None:
    """Test rows and unsure labels do not count, and a category without both kinds has no share."""
    rows = [
        Row("a", "t", "en", "s", "train", {"hate": 1, "drugs": 1}),
        Row("b", "t", "en", "s", "dev", {"hate": 0}),
        Row("c", "t", "en", "s", "train", {"hate": 0}),
        Row("d", "t", "en", "s", "train", {"hate": 0.4}),
        Row("e", "t", "en", "s", "test", {"hate": 1, "drugs": 0}),
    ]
    assert learned_shares(rows) == {"hate": pytest.approx(1 / 3)}


def test_too_few_rows_have_no_reliability() -> None:
    """Nine positives say nothing about a probability; abstained rows are not counted."""
    truth = np.array([True] * 9 + [False] * 50)
    assert reliability(truth, np.linspace(0, 1, 59)) is None
    hidden = np.where(truth, np.nan, 0.5)
    assert reliability(np.ones(59, dtype=np.bool_) & truth, hidden) is None


def test_a_card_keeps_figures_and_not_bins() -> None:
    """Bins belong to the report; the figures beside them stay."""
    assert without_bins({"a": {"ece": 0.1, "bins": [1]}, "b": [1]}) == {"a": {"ece": 0.1}, "b": [1]}


@pytest.mark.parametrize("seed", range(4))
def test_kappa_is_that_of_scikit_learn(seed: int) -> None:
    """Quadratic weights over all eight grades, also where some grade never occurs."""
    rng = np.random.default_rng(seed)
    labelled = rng.integers(0, 7, 80)
    served = np.clip(labelled + rng.integers(-2, 3, 80), 0, 7)
    expected = cohen_kappa_score(labelled, served, weights="quadratic", labels=list(range(8)))
    assert quadratic_kappa(labelled, served) == pytest.approx(expected)


def test_kappa_of_one_grade_is_undefined() -> None:
    """Where everybody always says the same there is nothing to agree on."""
    assert np.isnan(quadratic_kappa(np.zeros(5, dtype=np.int64), np.zeros(5, dtype=np.int64)))
    assert np.isnan(quadratic_kappa(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)))


def test_severity_counts_what_it_abstained_on() -> None:
    """A graded row without a served severity is counted apart, and a category with few graded rows has no figure."""
    fused = np.full((30, len(LABELS)), np.nan, np.float32)
    fused[:20, HATE] = np.linspace(0.0, 1.0, 20)
    graded = [{"hate": min(6, row // 3)} for row in range(29)] + [{"drugs": 3}]
    found = severity_table(graded, fused)["categories"]
    assert set(found) == {"hate"}
    assert (found["hate"]["rows"], found["hate"]["abstained"]) == (20, 9)
    assert found["hate"]["kappa"] > 0.8


def test_leaving_a_member_out_uses_the_stacker_of_the_others() -> None:
    """A member that ranks perfectly adds what the noise beside it lacks; without the only member nothing is judged."""
    rng = np.random.default_rng(2)
    truth = np.arange(200) % 4 == 0
    good, noise = (np.full((200, len(LABELS)), np.nan, np.float32) for _ in range(2))
    good[:, HATE], noise[:, HATE] = truth * 6.0 - 3.0, rng.normal(size=200)
    stackers = (
        Stacker(("towers", "ngrams"), (1.0, 0.1), 0.0),
        Stacker(("towers",), (1.0,), 0.0),
        Stacker(("ngrams",), (1.0,), 0.0),
    )
    fuser = Fuser(text={"hate": stackers}, image={})
    found = without_each(truth, fuser, {"towers": good, "ngrams": noise}, HATE)
    assert found is not None
    assert found["adds"]["towers"] > 0.5
    assert found["adds"]["ngrams"] == 0.0
    alone = without_each(truth, Fuser(text={"hate": stackers[1:2]}, image={}), {"towers": good}, HATE)
    assert alone is not None
    assert alone["without"] == {"towers": None}


def novelty_rows() -> tuple[list[Row], np.ndarray[Any, np.dtype[np.float32]]]:
    """Ordinary rows around one point, three harms in their own directions: hate and harassment alike, drugs apart."""
    rng = np.random.default_rng(3)
    centres = np.eye(8, dtype=np.float32)
    rows, vectors = [], []
    for number in range(160):
        kind = ("calm", "hate", "harassment", "drugs")[number % 4]
        at = {"calm": centres[0], "hate": centres[1], "harassment": centres[1] + 0.2 * centres[2], "drugs": centres[3]}
        asked: dict[Any, float] = {"hate": 0, "harassment": 0, "drugs": 0}
        if kind != "calm":
            asked[kind] = 1
        rows.append(Row(f"edos:{number}", "", "en", "edos", "test", asked))
        vectors.append(at[kind] + rng.normal(0.0, 0.1, 8))
    return rows, np.array(vectors, dtype=np.float32)


def test_a_harm_like_a_known_one_is_found_by_likeness() -> None:
    """Harassment lies beside hate, so the known harms point at it; drugs lie apart, so they are strange."""
    rows, vectors = novelty_rows()
    found = novelty_table(rows, vectors)["categories"]
    assert set(found) == {"hate", "harassment", "drugs"}
    assert found["harassment"]["harm_likeness"] > 0.95
    assert found["drugs"]["strangeness"] > 0.95
    assert found["drugs"]["ordinary_from"] == "the same sets"


def test_the_left_out_category_is_in_no_bank() -> None:
    """Rows of the category are not known harms, and tested ordinary rows are not in the reference."""
    rows, _ = novelty_rows()
    split = leave_out(rows, "drugs")
    assert split is not None
    assert not any(rows[at].labels["drugs"] == 1 for at in split.known)
    assert not set(split.reference.tolist()) & set(split.ordinary.tolist())
    assert leave_out(rows, "weapons") is None


def cases() -> list[TemplateCase]:
    """Two frames, one harmful, each filled with three terms; and a text without a term."""
    made = [TemplateCase(f"Hello {term} friend", "en", toxic=False, template="a") for term in GROUPS]
    made += [TemplateCase(f"away with {term}", "en", toxic=True, template="b") for term in GROUPS]
    return [*made, TemplateCase("nobody here", "en", toxic=False, template="c")]


def test_pairs_differ_in_the_term_alone() -> None:
    """Each frame gives one pair whose two texts are equal once the terms are cut out."""
    pairs = swap_pairs(cases(), GROUPS)
    assert sorted(pair.toxic for pair in pairs) == [False, True]
    for pair in pairs:
        first, second = frame_of(pair.first, GROUPS), frame_of(pair.second, GROUPS)
        assert first is not None
        assert second is not None
        assert first[0] == second[0]
        assert first[1] != second[1]


def test_the_longest_term_is_the_one_that_is_cut() -> None:
    """A term inside a longer one does not cut the longer one in half, also where words have no spaces."""
    assert frame_of("我是火星人朋友", ("火星人朋友", "火星人")) == (" 我是\0 ", "火星人朋友")
    assert frame_of("nothing", GROUPS) is None


def test_flips_are_decisions_that_change() -> None:
    """Only a pair on two sides of the threshold is a flip; a distance alone is not."""
    pairs = [Swap(toxic, "x", "y") for toxic in (False, False, True, True)]
    found = flips(pairs, np.array([0.1, 0.6, 0.9, 0.8]), np.array([0.4, 0.4, 0.7, 0.9]))
    assert (found["flips"], found["flips_harmless"], found["flips_harmful"]) == (0.25, 0.5, 0.0)
    assert flips([], np.empty(0), np.empty(0)) == {"pairs": 0}


def test_the_widest_gap_is_named() -> None:
    """Gaps are distances from the mean rate of the language."""
    found = gaps({"a": 0.1, "b": 0.1, "c": 0.4})
    assert found["false_positive_rate"] == pytest.approx(0.2)
    assert (found["max_gap"], found["widest_at"]) == (pytest.approx(0.2), "c")
    assert gaps({})["terms"] == 0


def test_a_comparison_knows_which_way_is_better() -> None:
    """A higher AUROC and a lower ECE are gains; the greatest loss comes first; row counts are no figures."""
    now = {"a": {"auroc": 0.9, "ece": 0.05, "rows": 5}, "b": {"auroc": 0.5}, "new": {"auroc": 1.0}, "same": {"f1": 0.3}}
    before = {
        "a": {"auroc": 0.8, "ece": 0.02, "rows": 9},
        "b": {"auroc": 0.6},
        "gone": {"f1": 0.1},
        "same": {"f1": 0.3},
    }
    found = compare_figures(now, before)
    assert [row["figure"] for row in found["figures"]] == ["b/auroc", "a/ece", "a/auroc"]
    assert [row["gain"] > 0 for row in found["figures"]] == [False, False, True]
    counts = ("better", "worse", "same", "only_now", "only_before")
    assert [found[name] for name in counts] == [1, 2, 1, 1, 1]


def test_a_release_without_figures_cannot_be_compared_with(tmp_path: Path) -> None:
    """No card, a broken card and a card without figures each say so with their path."""
    with pytest.raises(CardError, match=r"card\.json"):
        read_card_of(tmp_path)
    (tmp_path / "card.json").write_text("{", encoding="utf-8")
    with pytest.raises(CardError, match="not JSON"):
        read_card_of(tmp_path)
    (tmp_path / "card.json").write_text(json.dumps({"release": "x"}), encoding="utf-8")
    with pytest.raises(CardError, match="never measured"):
        read_card_of(tmp_path)


def test_goals_are_met_missed_or_not_measured() -> None:
    """A figure over its limit is met, under it is not, and one that is not there is neither."""
    report = {
        "hatecheck": {"hate": {"fused": {"auroc": 0.9}}},
        "bias": {"en": {"bpsn": 0.7}, "de": {"bpsn": 0.9}},
        "pictures": {"weapons": {"auroc": 0.99}},
    }
    by_name = {row["goal"]: row for row in goal_rows(report)}
    assert by_name["HateCheck"]["met"] is True
    assert by_name["identity terms"]["met"] is False
    assert by_name["identity terms"]["where"] == "bias/en/bpsn"
    assert by_name["joint reading"]["met"] is None
    assert by_name["weapons in pictures"]["met"] is None
    before = {"pictures": {"weapons": {"auroc": 0.999}}}
    assert {row["goal"]: row["met"] for row in goal_rows(report, before)}["weapons in pictures"] is False
