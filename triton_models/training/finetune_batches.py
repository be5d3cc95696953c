"""Which rows a step sees: batches of like length, families kept in pairs, the same whenever it is asked.

Padding is work for nothing, so a batch holds texts of about one length. Rows of one family (the same pattern about
another group, or about no group) come in pairs, so that losses which compare them find both in the batch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from triton_models.training.finetune_recipe import FinetuneRecipe

POOL: Final = 40
"""Batches that are sorted by length together: more saves padding, fewer mixes better."""

Lengths = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Step:
    """Where in the run one is."""

    stage: int
    epoch: int  # of the whole run
    rows: Sequence[int]
    number: int  # of the whole run
    share: float  # of the stage that is done


def steps_of(recipe: FinetuneRecipe, lengths: Lengths, families: Sequence[str | None]) -> Iterator[Step]:
    """Every step of the run."""
    number = epoch = 0
    for index, stage in enumerate(recipe.stages):
        per_epoch = math.ceil(len(lengths) / recipe.batch)
        for turn in range(stage.epochs):
            rng = np.random.default_rng((recipe.seed, epoch))
            for at, rows in enumerate(batches(lengths, families, recipe.batch, rng)):
                share = (turn * per_epoch + at) / (stage.epochs * per_epoch)
                yield Step(index, epoch, rows, number, min(share, 1.0))
                number += 1
            epoch += 1


def batches(lengths: Lengths, families: Sequence[str | None], size: int, rng: np.random.Generator) -> list[list[int]]:
    """All rows once, in batches of at most `size`, in a drawn order."""
    units = _units(families, rng)
    order = rng.permutation(len(units))
    found: list[list[int]] = []
    pool: list[list[int]] = []
    held = 0
    for place in order.tolist():
        pool.append(units[place])
        held += len(units[place])
        if held >= POOL * size:
            found.extend(_cut(pool, lengths, size))
            pool, held = [], 0
    found.extend(_cut(pool, lengths, size))
    return [found[place] for place in rng.permutation(len(found)).tolist()]


def _units(families: Sequence[str | None], rng: np.random.Generator) -> list[list[int]]:
    """Rows alone, and rows of a family two by two, in a drawn pairing."""
    alone = [[row] for row, family in enumerate(families) if family is None]
    members: dict[str, list[int]] = {}
    for row, family in enumerate(families):
        if family is not None:
            members.setdefault(family, []).append(row)
    pairs: list[list[int]] = []
    for rows in members.values():
        drawn = [rows[place] for place in rng.permutation(len(rows)).tolist()]
        pairs.extend(drawn[at : at + 2] for at in range(0, len(drawn), 2))
    return alone + pairs


def _cut(pool: Sequence[list[int]], lengths: Lengths, size: int) -> Iterator[list[int]]:
    batch: list[int] = []
    for unit in sorted(pool, key=lambda rows: max(int(lengths[row]) for row in rows)):
        if batch and len(batch) + len(unit) > size:
            yield batch
            batch = []
        batch.extend(unit)
    if batch:
        yield batch


def pairs_in(rows: Sequence[int], families: Sequence[str | None]) -> list[tuple[int, int]]:
    """Places in the batch of neighbours that are of one family."""
    return [
        (at, at + 1)
        for at in range(len(rows) - 1)
        if families[rows[at]] is not None and families[rows[at]] == families[rows[at + 1]]
    ]
