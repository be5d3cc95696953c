"""Cross-fitting, linear heads and calibration: small data, honest numbers, abstention where it is weak."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from triton_models.contract import LABELS
from triton_models.training.calibrate import Evidence, fit_fuser, join
from triton_models.training.head_fit import HeadRecipe, fit_head, with_linear
from triton_models.training.linear_fit import cross_fit, fit_linear
from triton_models.training.metrics import auroc

Array = npt.NDArray[np.float64]
DRUGS = LABELS.index("drugs")


def data(rows: int = 120, *, signal: float = 3.0, seed: int = 0) -> tuple[npt.NDArray[np.float32], Array]:
    """Embeddings `[rows, 384]` and a target that forty of their entries show as clearly as `signal`."""
    rng = np.random.default_rng(seed)
    target = (np.arange(rows) % 2).astype(np.float64)
    vectors = rng.standard_normal((rows, 384)).astype(np.float32)
    vectors[:, :40] += (signal / 5 * (2 * target - 1))[:, None]
    return (vectors / 20).astype(np.float32), target


def test_a_linear_head_learns_from_few_rows() -> None:
    """A hundred rows with a clear direction are enough to rank new ones."""
    vectors, target = data()
    head = fit_linear(vectors, target, np.ones(len(target)))
    fresh, wanted = data(seed=1)
    assert auroc(wanted == 1, (fresh @ head.weight + head.bias).astype(np.float64)) > 0.9


def test_cross_fitting_finds_nothing_where_nothing_is() -> None:
    """On noise, in-sample heads look perfect and cross-fitted ones look like chance."""
    vectors, target = data(signal=0.0)
    names = [f"r{number}" for number in range(len(target))]
    fitted = fit_linear(vectors, target, np.ones(len(target)))
    assert auroc(target == 1, (vectors @ fitted.weight).astype(np.float64)) > 0.95
    assert 0.3 < auroc(target == 1, cross_fit(vectors, target, np.ones(len(target)), names)) < 0.7


def test_a_disguised_copy_does_not_betray_its_original() -> None:
    """A copy (`id~leet`) is in its original's fold: with copies in other folds noise would look learnable."""
    vectors, target = data(rows=80, signal=0.0)
    both, twice = np.concatenate((vectors, vectors)), np.concatenate((target, target))
    names = [f"r{number}" for number in range(80)] + [f"r{number}~leet" for number in range(80)]
    strangers = [f"r{number}" for number in range(160)]
    weight = np.ones(160)
    assert auroc(twice == 1, cross_fit(both, twice, weight, strangers)) > 0.8
    assert auroc(twice == 1, cross_fit(both, twice, weight, names)) < 0.7


def test_uncertain_rows_are_not_judged() -> None:
    """Only rows with a certain label get a cross-fitted opinion; background teaches and is not measured."""
    vectors, target = data()
    target[::3] = 0.02
    logits = cross_fit(vectors, target, np.ones(len(target)), [f"r{n}" for n in range(len(target))])
    assert np.isnan(logits[::3]).all()
    assert not np.isnan(logits[1::3]).any()


def test_linear_categories_join_the_head() -> None:
    """The joined head gives the large categories' logits unchanged and the small ones' linear ones."""
    vectors, target = data()
    weight = np.ones(len(target))
    head = fit_head(vectors, {"hate": target}, {"hate": weight}, recipe=HeadRecipe(hidden=4, epochs=2), seed=1)
    small = fit_linear(vectors, target, weight)
    joined = with_linear(head, {"drugs": small})
    np.testing.assert_allclose(joined.logits(vectors)[:, 0], head.logits(vectors)[:, 0], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(
        joined.logits(vectors)[:, DRUGS], vectors @ small.weight + small.bias, rtol=1e-3, atol=1e-3
    )
    assert with_linear(head, {}) is head


def test_the_head_is_the_same_for_the_same_seed() -> None:
    """Training twice gives equal weights; another seed gives others."""
    vectors, target = data()

    def bias(seed: int) -> float:
        weights = {"hate": np.ones(len(target))}
        return float(fit_head(vectors, {"hate": target}, weights, recipe=HeadRecipe(epochs=2), seed=seed).bias[0])

    assert bias(1) == bias(1) != bias(2)


def evidence(strength: float, rows: int = 400) -> Evidence:
    """Opinions of one member that know the truth as well as `strength` says."""
    rng = np.random.default_rng(3)
    target = (rng.random(rows) < 0.4).astype(np.float64)
    return Evidence({"towers": strength * (2 * target - 1) + rng.standard_normal(rows)}, target)


def test_a_weak_category_abstains_with_its_figure() -> None:
    """Below the floor a category has no stacker, and the reason holds the AUROC that it reached."""
    fuser, abstains, reached = fit_fuser({"hate": evidence(2.0), "drugs": evidence(0.05)}, least_auroc=0.75)
    assert set(fuser.text) == {"hate"}
    assert f"{reached['drugs']['auroc']:.3f}" in abstains["drugs"]
    assert reached["hate"]["auroc"] > 0.9


def test_a_handful_of_positives_is_no_knowledge() -> None:
    """With fewer certain positives than five the category abstains, however well they rank."""
    few = evidence(5.0, rows=400)
    target = np.zeros(400)
    target[:3] = 1
    known = Evidence({"towers": 10 * target + few.opinions["towers"] * 0}, target)
    fuser, abstains, _ = fit_fuser({"hate": known}, least_auroc=0.75)
    assert not fuser.text
    assert "3 held-out positives" in abstains["hate"]


def test_joined_evidence_keeps_missing_members_missing() -> None:
    """Rows of the part that lacks a member have no opinion of it."""
    first = Evidence({"towers": np.zeros(2), "ngrams": np.ones(2)}, np.array([0.0, 1.0]))
    second = Evidence({"towers": np.ones(1)}, np.array([1.0]))
    both = join(first, second)
    assert np.isnan(both.opinions["ngrams"][2])
    assert both.opinions["towers"].tolist() == pytest.approx([0, 0, 1])
