"""Batches of fine-tuning: every row once, pairs of a family together, texts of one length together, always the same."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triton_models.training.finetune_batches import batches, pairs_in, steps_of
from triton_models.training.finetune_recipe import FinetuneRecipe
from triton_models.training.unfreeze import Stage

RECIPE = FinetuneRecipe(
    recipe="r",
    version="1",
    sets=("a",),
    categories=("hate",),
    batch=8,
    stages=(Stage(share=0.0, epochs=1, learning_rate=1e-3), Stage(share=0.5, epochs=2, learning_rate=5e-5)),
)


def lengths_of(count: int, seed: int = 0) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Lengths as posts have them: many short ones."""
    return np.random.default_rng(seed).geometric(0.05, count).astype(np.int64)


def families_of(count: int, share: float, seed: int = 0) -> list[str | None]:
    """Some rows in families of one to seven."""
    rng = random.Random(seed)
    found: list[str | None] = []
    while len(found) < count:
        if rng.random() < share:
            found += [f"f{len(found)}"] * rng.randint(1, 7)
        else:
            found.append(None)
    rng.shuffle(found)
    return found[:count]


@given(count=st.integers(1, 400), size=st.integers(2, 40), share=st.floats(0, 1), seed=st.integers(0, 99))
def test_every_row_comes_once(count: int, size: int, share: float, seed: int) -> None:
    """Whatever the families, no row is lost or seen twice, and no batch is larger than asked."""
    found = batches(lengths_of(count), families_of(count, share, seed), size, np.random.default_rng(seed))
    assert sorted(row for batch in found for row in batch) == list(range(count))
    assert max(map(len, found)) <= size


@given(count=st.integers(2, 300), size=st.integers(2, 33), seed=st.integers(0, 99))
def test_pairs_stay_in_one_batch(count: int, size: int, seed: int) -> None:
    """Rows of a family come in pairs of neighbours; of a family of an odd number, one row is alone."""
    families = families_of(count, 0.7, seed)
    found = batches(lengths_of(count), families, size, np.random.default_rng(seed))
    for family in {name for name in families if name is not None}:
        for batch in found:
            members = sum(families[row] == family for row in batch)
            together = sum(families[batch[left]] == family for left, _ in pairs_in(batch, families))
            assert together >= members // 2
        alone = sum(sum(families[row] == family for row in batch) % 2 for batch in found)
        assert alone == families.count(family) % 2


def test_pairs_are_neighbours_of_one_family() -> None:
    """Only neighbours count, and rows of no family never do."""
    families = ["a", "a", None, None, "b", "a", "b"]
    assert pairs_in([0, 1, 2, 3, 4, 6], families) == [(0, 1), (4, 5)]
    assert pairs_in([2, 3, 0, 4, 5, 6], families) == []
    assert pairs_in([], families) == []


def test_a_batch_holds_texts_of_about_one_length() -> None:
    """Sorting within pools computes far less padding than drawing rows as they come."""
    lengths = lengths_of(2_000, seed=4)
    found = batches(lengths, [None] * 2_000, 32, np.random.default_rng(1))
    padded = sum(len(batch) * int(lengths[batch].max()) for batch in found)
    drawn = np.random.default_rng(1).permutation(2_000)
    plain = sum(32 * int(lengths[drawn[at : at + 32]].max()) for at in range(0, 2_000, 32))
    assert padded < 1.2 * int(lengths.sum())
    assert plain > 2 * int(lengths.sum())


def test_pairing_changes_from_epoch_to_epoch() -> None:
    """A family of many is paired anew, so that in time all its members are compared."""
    families: list[str | None] = ["f"] * 12
    rng = np.random.default_rng(0)
    drawn = [batches(np.full(12, 5, dtype=np.int64), families, 12, rng) for _ in range(3)]
    pairs = {frozenset(batch[at : at + 2]) for found in drawn for batch in found for at in range(0, 12, 2)}
    assert len(pairs) > 6


def test_steps_are_numbered_and_the_same_when_asked_again() -> None:
    """Stages in order, numbers without a gap, epochs counted over the run, the share of a stage rising to its end."""
    lengths, families = lengths_of(50), families_of(50, 0.5)
    steps = list(steps_of(RECIPE, lengths, families))
    assert steps == list(steps_of(RECIPE, lengths, families))
    assert [step.number for step in steps] == list(range(len(steps)))
    assert [step.stage for step in steps] == sorted(step.stage for step in steps)
    assert sorted({step.epoch for step in steps}) == [0, 1, 2]
    for epoch in range(3):
        rows = [row for step in steps if step.epoch == epoch for row in step.rows]
        assert sorted(rows) == list(range(50))
    for stage in range(2):
        shares = [step.share for step in steps if step.stage == stage]
        assert shares == sorted(shares)
        assert 0 <= shares[0] < shares[-1] <= 1


@pytest.mark.parametrize("field", ["seed", "batch"])
def test_steps_depend_on_the_recipe(field: str) -> None:
    """Another seed or batch is another order."""
    lengths, families = lengths_of(50), families_of(50, 0.5)
    other = RECIPE.model_copy(update={field: 9})
    assert [s.rows for s in steps_of(other, lengths, families)] != [s.rows for s in steps_of(RECIPE, lengths, families)]
