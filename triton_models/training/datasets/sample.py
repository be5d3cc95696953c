"""Fewer rows, drawn by a seed: the same data and seed give the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from triton_models.training.datasets.rows import Row


def capped(rows: Sequence[Row], most: Mapping[str, int], seed: int) -> list[Row]:
    """`rows` with at most `most[set]` of each set, set by set in the order in which they come."""
    by_set: dict[str, list[Row]] = {}
    for row in rows:
        by_set.setdefault(row.source, []).append(row)
    return [row for name, own in by_set.items() for row in thinned(own, most.get(name), seed)]


def thinned(rows: Sequence[Row], most: int | None, seed: int) -> list[Row]:
    """At most `most` rows, drawn by the seed, in their order."""
    if most is None or len(rows) <= most:
        return list(rows)
    kept = np.random.default_rng(seed).choice(len(rows), most, replace=False)
    return [rows[index] for index in sorted(kept.tolist())]
