"""Sentences that point at a picture, as texts of their own: harmless alone, in the pairs' own splits and languages."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from triton_models.training.datasets.readers import read_pointing
from triton_models.training.pairs import load_phrases
from triton_models.training.pairs.phrases import HELD_OUT_LANGUAGES


def test_what_harms_only_beside_a_picture_is_harmless_alone() -> None:
    """A pointing sentence says no to its family's category, an explicit one yes, a neutral one no to everything."""
    phrases = load_phrases()
    rows = {row.number: row for row in read_pointing(Path())}
    for name, family in phrases.families.items():
        assert rows[f"train-en-{name}-joint-0"].labels[family.category] == 0
        assert rows[f"train-en-{name}-explicit-0"].labels[family.category] == 1
    assert set(rows["train-en-neutral-0"].labels.values()) == {0.0}


def test_splits_and_languages_are_those_of_the_pairs() -> None:
    """No sentence that judges the joint reading is learned from, and held-out languages are in test alone."""
    rows = list(read_pointing(Path()))
    held = set(load_phrases().held_out())
    assert not held & {row.text for row in rows if row.split == "train"}
    assert {row.text for row in rows if row.split != "train"} <= held
    assert not [row for row in rows if row.locale in HELD_OUT_LANGUAGES and row.split != "test"]
    assert {row.locale for row in rows if row.split == "test"} >= set(HELD_OUT_LANGUAGES)


def test_every_row_has_its_own_number() -> None:
    """Thousands of rows, most of them to learn from, and no number twice."""
    rows = list(read_pointing(Path()))
    assert len({row.number for row in rows}) == len(rows) > 4000
    counts = Counter(row.split for row in rows)
    assert counts["train"] > 0.9 * len(rows)
