"""The n-gram member: normalising, hashing, scoring, and the file it is kept in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triton_models.contract import LABELS
from triton_models.serving.ngrams import Ngrams, bucket_ids, normalise


def model(seed: int = 0) -> Ngrams:
    """A small member with random weights."""
    rng = np.random.default_rng(seed)
    return Ngrams(
        weights=rng.standard_normal((1 << 10, 2)).astype(np.float16),
        bias=np.array([0.5, -0.5], dtype=np.float32),
        categories=("hate", "prompt_attack"),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello  WORLD", "hello world"),
        ("he\u200bllo", "hello"),
        ("hеllо", "hello"),  # Cyrillic e and o
        ("ｈｅｌｌｏ", "hello"),
        ("see https://example.org/a?b @someone", "see url @"),
        ("soooooo", "sooo"),
        ("привет", "привет"),  # a word of its own script stays what it is
        ("αβγ", "αβγ"),
        ("", ""),
    ],
)
def test_disguises_are_undone(text: str, expected: str) -> None:
    """Case, width, invisible characters, look-alikes, links, mentions and runs are folded; other scripts are kept."""
    assert normalise(text) == expected


@given(st.text(max_size=300))
def test_any_text_gives_valid_distinct_buckets(text: str) -> None:
    """For any text the buckets are distinct, sorted and within the table, and stay the same."""
    ids = bucket_ids(normalise(text), 1 << 12)
    assert (np.diff(ids) > 0).all()
    assert not len(ids) or (ids[0] >= 0 and ids[-1] < 1 << 12)
    np.testing.assert_array_equal(ids, bucket_ids(normalise(text), 1 << 12))


def test_the_hash_is_fixed() -> None:
    """Trained weights are useless under another hash, so these buckets may never change."""
    assert bucket_ids("weir", 1 << 18, (1, 2, 3)).tolist() == [
        4577,
        42804,
        52907,
        57691,
        60392,
        85386,
        87046,
        120804,
        157411,
        173019,
        189832,
        212462,
        237224,
        237479,
    ]


def test_buckets_spread_evenly() -> None:
    """Ten thousand n-grams that differ in few places fill a table as a random hash would."""
    ids = np.concatenate([bucket_ids(f"{number:04d}", 1 << 14, (4,)) for number in range(10_000)])
    distinct = len({gram for number in range(10_000) for gram in _grams(f" {number:04d} ")})
    filled = len(np.unique(ids)) / (1 << 14)
    assert filled == pytest.approx(1 - np.exp(-distinct / (1 << 14)), abs=0.02)


def _grams(text: str) -> list[str]:
    return [text[at : at + 4] for at in range(len(text) - 3)]


def test_scores_are_in_the_contracts_order() -> None:
    """Taught categories have a logit in their column of LABELS; the others and an empty text are NaN."""
    scores = model().score(["some text", "", "other"])
    assert scores.shape == (3, len(LABELS))
    taught = [LABELS.index("hate"), LABELS.index("prompt_attack")]
    assert np.isfinite(scores[[0, 2]][:, taught]).all()
    assert np.isnan(scores[1]).all()
    assert np.isnan(np.delete(scores, taught, axis=1)).all()


def test_a_texts_score_is_the_scaled_sum_of_its_weights() -> None:
    """The formula of the module's documentation, computed by hand."""
    member = model()
    ids = bucket_ids("abc", len(member.weights), member.sizes)
    by_hand = member.weights[ids].astype(np.float32).sum(axis=0) / np.sqrt(len(ids)) + member.bias
    scores = member.score(["ABC"])[0]
    np.testing.assert_allclose(scores[[LABELS.index("hate"), LABELS.index("prompt_attack")]], by_hand, rtol=1e-3)


def test_saving_keeps_the_scores(tmp_path: Path) -> None:
    """The int8 file gives scores within its rounding, and the same ones each time it is loaded."""
    member = model()
    member.save(tmp_path)
    loaded = Ngrams.load(tmp_path)
    texts = ["one text", "another, longer text with more n-grams in it"]
    np.testing.assert_allclose(loaded.score(texts), member.score(texts), atol=0.1)
    np.testing.assert_array_equal(loaded.score(texts), Ngrams.load(tmp_path).score(texts))
    assert loaded.categories == member.categories


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    """A release without its n-grams is an OSError at load, not at the first text."""
    with pytest.raises(OSError, match=r"ngrams\.npz"):
        Ngrams.load(tmp_path)
