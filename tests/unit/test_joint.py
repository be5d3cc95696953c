"""The joint reading: learnt from halves that say nothing alone, the same numbers in numpy, and measured by the four."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.pairs_factory import write_pair_data
from triton_models.contract import LABELS
from triton_models.serving.joint_fusion import JointHead
from triton_models.training.joint import JointRecipe, _Net, fit_joint, joint_data, measure_quadruples
from triton_models.training.pairs import Pair, PairPlan, build_pairs, find_icons, load_phrases

torch.set_num_threads(1)  # many small steps: threads would only wait for each other

CATEGORIES = ("hate", "harassment", "violence", "weapons", "self_harm", "drugs")
RECIPE = JointRecipe(rank=24, hidden=24, epochs=14, batch=64, learning_rate=5e-3, dropout=0.0, image_noise=0.1)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[Pair]:
    """Pairs of a small data folder."""
    return build_pairs(load_phrases(), find_icons(write_pair_data(tmp_path_factory.mktemp("d"))), PairPlan(20))


def vectors(pairs: list[Pair]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:  # type: ignore[type-arg]
    """Towers that see what the generator knows, in noise: concepts and intents as directions."""
    rng = np.random.default_rng(0)
    concepts, intents = rng.normal(0, 1, (100, 40)), rng.normal(0, 1, (100, 16))
    shown = {name: number for number, name in enumerate(sorted({pair.icon.concept for pair in pairs}))}
    meant = {name: number for number, name in enumerate(sorted({pair.family for pair in pairs}), 1)}
    images = {
        f"{pair.icon.name}/{pair.style}": (concepts[shown[pair.icon.concept]] + rng.normal(0, 0.3, 40)).astype("f4")
        for pair in pairs
    }
    texts = {
        pair.text: (intents[meant[pair.family] if pair.corner in {"11", "01", "T"} else 0] / 20).astype("f4")
        for pair in pairs
    }
    return images, texts


def test_learns_what_neither_half_says(pairs: list[Pair]) -> None:
    """On held-out sentences and icons all four of nearly every quadruple are right, which no sum of halves can do."""
    images, texts = vectors(pairs)
    train = [pair for pair in pairs if pair.split == "train"]
    head = fit_joint(joint_data(train, CATEGORIES, images=images, texts=texts), CATEGORIES, RECIPE)
    test = [pair for pair in pairs if pair.split == "test"]
    logits = head.logits(
        np.stack([images[f"{pair.icon.name}/{pair.style}"] for pair in test]),
        np.stack([texts[pair.text] for pair in test]),
    )
    said = {pair.id: float(1 / (1 + np.exp(-logits[i, LABELS.index(pair.category)]))) for i, pair in enumerate(test)}
    assert measure_quadruples(test, said)["all_four"] > 0.85


def test_the_same_seed_gives_the_same_head(pairs: list[Pair]) -> None:
    """Training twice gives the same numbers; another seed gives others."""
    images, texts = vectors(pairs)
    data = joint_data(pairs[:80], CATEGORIES, images=images, texts=texts, ordinary=[np.ones(16, np.float32)])
    short = replace(RECIPE, epochs=1)
    first, second, other = (fit_joint(data, CATEGORIES, replace(short, seed=seed)) for seed in (1, 1, 2))
    assert np.array_equal(first.mix_w, second.mix_w)
    assert not np.array_equal(first.mix_w, other.mix_w)


def test_numpy_says_what_torch_says(tmp_path: Path) -> None:
    """The exported head gives torch's logits, and after saving as fp16 nearly so."""
    torch.manual_seed(0)
    net = _Net(30, 12, 2, JointRecipe(rank=8, hidden=8)).eval()
    rng = np.random.default_rng(1)
    mean, scale, centre = (rng.normal(0, 1, n).astype("f4") for n in (30, 30, 12))
    scale = np.abs(scale) + 0.5
    head = net.export(("hate", "drugs"), mean, scale, centre)
    features, text = rng.normal(0, 1, (5, 30)).astype("f4"), rng.normal(0, 1, (5, 12)).astype("f4")
    with torch.no_grad():
        wanted, _, _ = net(torch.from_numpy((features - mean) / scale), torch.from_numpy((text - centre) * 8.0))
    columns = [LABELS.index("hate"), LABELS.index("drugs")]
    assert np.allclose(head.logits(features, text)[:, columns], wanted.numpy(), atol=1e-4)
    head.save(tmp_path)
    assert np.allclose(JointHead.load(tmp_path).logits(features, text)[:, columns], wanted.numpy(), atol=5e-2)


def test_what_is_absent_or_untaught_has_no_opinion() -> None:
    """A row without text or picture is NaN, and so is a category that was not taught."""
    net = _Net(4, 3, 1, JointRecipe(rank=2, hidden=2))
    head = net.export(("drugs",), np.zeros(4, np.float32), np.ones(4, np.float32), np.zeros(3, np.float32))
    features = np.array([[1, 1, 1, 1], [0, 0, 0, 0], [1, 1, 1, 1]], np.float32)
    text = np.array([[1, 1, 1], [1, 1, 1], [0, 0, 0]], np.float32)
    logits = head.logits(features, text)
    assert not np.isnan(logits[0, LABELS.index("drugs")])
    assert np.isnan(logits[1:]).all()
    assert np.isnan(logits[0, LABELS.index("hate")])


def test_one_wrong_post_spoils_the_quadruple(pairs: list[Pair]) -> None:
    """All four must be right: an alarm on one harmless post, or silence on the harmful one, is a miss."""
    test = [pair for pair in pairs if pair.split == "test"]
    perfect = {pair.id: float(pair.harmful) for pair in test}
    assert measure_quadruples(test, perfect)["all_four"] == 1.0
    assert measure_quadruples(test, dict.fromkeys(perfect, 0.0))["all_four"] == 0.0
    group = next(pair.group for pair in test if pair.corner == "10")
    measured = measure_quadruples(test, perfect | {f"{group}/10": 1.0})
    assert measured["all_four"] == pytest.approx(1 - 1 / measured["quadruples"], abs=1e-3)
    assert measured["by_corner"]["11"] == 1.0


def test_a_damaged_file_is_an_error(tmp_path: Path) -> None:
    """A category that does not exist is named."""
    net = _Net(2, 2, 1, JointRecipe(rank=2, hidden=2))
    head = net.export(("hat",), np.zeros(2, np.float32), np.ones(2, np.float32), np.zeros(2, np.float32))
    head.save(tmp_path)
    with pytest.raises(ValueError, match="hat is no category"):
        JointHead.load(tmp_path)
