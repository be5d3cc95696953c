"""The joint space's training: the map learns, and retrieval counts what it should (killed: `test_drawings_tune`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from triton_models.training.align_tune import AlignData, AlignNet, AlignRecipe, tune
from triton_models.training.progress import Silent
from triton_models.training.retrieval import by_language, retrieval

torch.set_num_threads(1)

RECIPE = AlignRecipe(epochs=2, batch=4, learning_rate=1e-3)


def some_data() -> AlignData:
    """Eight pictures of two views each, with captions in one or two languages, and six classes."""
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(16, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    captions = [{"en": row, **({"de": row + 8} if row % 2 else {})} for row in range(8)]
    return AlignData(
        features=rng.normal(size=(16, 1280)).astype(np.float32),
        picture=np.repeat(np.arange(8), 2),
        captions=captions,
        vectors=vectors,
        classifier=rng.normal(size=(6, 1280)).astype(np.float32),
        class_vectors=vectors[:6],
    )


def a_net() -> AlignNet:
    """A net with a drawn map."""
    return AlignNet(np.random.default_rng(2).normal(size=(1280, 384)).astype(np.float32))


def test_pictures_come_nearer_to_their_words(tmp_path: Path) -> None:
    """Some epochs lower the loss, and the map that did it is not the one that was given."""
    net = a_net()
    losses = tune(net, some_data(), replace(RECIPE, epochs=6), work=tmp_path, progress=Silent())
    assert len(losses) == 6
    assert losses[-1] < 0.8 * losses[0]
    assert not torch.equal(net.map, a_net().map)


def test_recall_counts_ranks_both_ways() -> None:
    """One picture of three finds its caption first, all within ten; a caption of two pictures is found by either."""
    captions = np.eye(2, 4, dtype=np.float32)
    pictures = np.array([[1, 0, 0, 0], [0.4, 0.6, 0, 0], [0.9, 0.1, 0, 0]], np.float32)
    found = retrieval(pictures, captions, [0, 0, 1])
    assert found["picture_to_text_at_1"] == pytest.approx(1 / 3, abs=1e-4)
    assert found["picture_to_text_at_10"] == 1.0
    assert found["text_to_picture_at_1"] == 0.5  # caption 1's only picture is beaten by the second picture
    assert (found["pictures"], found["captions"]) == (3, 2)


def test_languages_are_measured_apart() -> None:
    """Each language has its own pictures and candidates; one that no picture has is left out."""
    vectors = np.eye(3, dtype=np.float32)
    told: Sequence[dict[str, int]] = [{"en": 0}, {"en": 1, "de": 2}]
    found = by_language(np.eye(3, dtype=np.float32)[[0, 2]], told, vectors, languages=("en", "de", "ja"))
    assert found["en"]["captions"] == 2
    assert found["de"] == {
        "pictures": 1,
        "captions": 1,
        "picture_to_text_at_1": 1.0,
        "picture_to_text_at_10": 1.0,
        "text_to_picture_at_1": 1.0,
        "text_to_picture_at_10": 1.0,
    }
    assert "ja" not in found
