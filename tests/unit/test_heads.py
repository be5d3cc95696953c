"""Heads and the prompt bank: formula, order, abstention, files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from triton_models.contract import LABELS
from triton_models.serving.heads import Head, Heads, PromptBank

HATE, WEAPONS = LABELS.index("hate"), LABELS.index("weapons")


def unit(rows: int, seed: int = 0) -> npt.NDArray[np.float32]:
    """Random unit vectors."""
    vectors = np.random.default_rng(seed).standard_normal((rows, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def head(hidden: int) -> Head:
    """A random head for two categories."""
    rng = np.random.default_rng(1)

    def draw(*shape: int) -> npt.NDArray[np.float32]:
        return rng.standard_normal(shape).astype(np.float32)

    return Head(("hate", "weapons"), draw(384), draw(384, 2), draw(2), draw(384, hidden), draw(hidden), draw(hidden, 2))


@pytest.mark.parametrize("hidden", [0, 5])
def test_a_head_is_its_formula(hidden: int) -> None:
    """Linear part plus hidden layer, in the contract's columns; untaught categories are NaN."""
    part, rows = head(hidden), unit(4)
    centred = rows - part.mean
    by_hand = centred @ part.skip + part.bias + np.maximum(centred @ part.hidden_w + part.hidden_b, 0) @ part.out_w
    logits = part.logits(rows)
    np.testing.assert_allclose(logits[:, [HATE, WEAPONS]], by_hand, rtol=1e-4, atol=1e-4)
    assert np.isnan(np.delete(logits, [HATE, WEAPONS], axis=1)).all()


def test_an_absent_embedding_has_no_opinion() -> None:
    """A row of zeros stands for "not there" and is NaN in every category."""
    rows = unit(2)
    rows[1] = 0
    logits = head(3).logits(rows)
    assert np.isfinite(logits[0, HATE])
    assert np.isnan(logits[1]).all()


def test_a_modality_without_a_head_has_no_opinion() -> None:
    """A release with a text head only says NaN about images, for any number of them."""
    heads = Heads(text_head=head(0))
    assert np.isnan(heads.image(unit(3))).all()
    assert heads.image(unit(3)).shape == (3, len(LABELS))


def test_heads_survive_their_file(tmp_path: Path) -> None:
    """Saving as fp16 changes logits only by its rounding."""
    heads = Heads(text_head=head(4))
    heads.save(tmp_path)
    np.testing.assert_allclose(Heads.load(tmp_path).text(unit(5)), heads.text(unit(5)), atol=0.1)
    assert Heads.load(tmp_path).image_head is None


def test_prompts_lean_to_the_nearer_side(tmp_path: Path) -> None:
    """An embedding at a harmful phrasing has a positive margin, one at a benign phrasing a negative one."""
    harmful, benign = unit(3, seed=1), unit(4, seed=2)
    bank = PromptBank(harmful={"weapons": harmful}, benign={"weapons": benign})
    bank.save(tmp_path)
    scores = PromptBank.load(tmp_path).score(np.concatenate((harmful[:1], benign[:1], np.zeros((1, 384), np.float32))))
    assert scores[0, WEAPONS] > 0.3
    assert scores[1, WEAPONS] < -0.3
    assert np.isnan(scores[2]).all()
    assert np.isnan(scores[:, HATE]).all()


def test_repeating_a_phrasing_changes_nothing() -> None:
    """The soft maximum is of the mean, so a longer bank of the same phrasings is no stronger."""
    harmful, benign, rows = unit(3, seed=1), unit(4, seed=2), unit(6, seed=3)
    once = PromptBank({"weapons": harmful}, {"weapons": benign}).score(rows)
    twice = PromptBank({"weapons": np.tile(harmful, (2, 1))}, {"weapons": benign}).score(rows)
    np.testing.assert_allclose(once[:, WEAPONS], twice[:, WEAPONS], atol=1e-5)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    """A release without its heads is an OSError that names the file."""
    with pytest.raises(OSError, match=r"heads\.npz"):
        Heads.load(tmp_path)
