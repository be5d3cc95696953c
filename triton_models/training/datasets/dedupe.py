"""Near-duplicate texts, found by MinHash and checked by their real overlap. Knows nothing of sets, labels or splits.

Broder 1997; bands as in Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, chapter 3. With 8 bands of 4 values
a pair whose shingles overlap by 0.8 is a candidate with probability .98, one that overlaps by 0.4 with .19; candidates
are then compared exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from triton_models.serving.ngrams import bucket_ids, normalise

SHINGLE: Final = 4
BANDS: Final = 8
BAND_WIDTH: Final = 4
_SPACE: Final = 1 << 32
_PRIME: Final = np.uint64((1 << 61) - 1)

Shingles = npt.NDArray[np.int64]


def shingles_of(text: str) -> Shingles:
    """The distinct hashed 4-grams of the letters and digits of a normalised text (links and mentions left out)."""
    words = " ".join(word for word in normalise(text).split(" ") if word not in {"url", "@"})
    kept = " ".join("".join(c for c in words if c.isalnum() or c == " ").split())
    return bucket_ids(kept if len(kept) >= 2 else text.strip() or " ", _SPACE, (SHINGLE,))


def near_duplicate_groups(
    texts: Sequence[str], *, overlap: float = 0.7, progress: Callable[[int], None] | None = None
) -> npt.NDArray[np.int64]:
    """For each text the index of the first text of its group of near-duplicates (its own index when it has none).

    Two texts are near-duplicates when their shingles' Jaccard overlap is at least `overlap`. Groups are the connected
    pairs, so the ends of a chain may differ more.
    """
    group = np.arange(len(texts), dtype=np.int64)
    buckets: dict[tuple[int, bytes], int] = {}
    kept: list[Shingles] = []
    factors, offsets = _hash_family()
    for index, text in enumerate(texts):
        shingles = shingles_of(text)
        kept.append(shingles)
        signature = _signature(shingles, factors, offsets)
        for band in range(BANDS):
            key = (band, signature[band * BAND_WIDTH : (band + 1) * BAND_WIDTH].tobytes())
            other = buckets.setdefault(key, index)
            if (
                other != index
                and _root(group, other) != _root(group, index)
                and _overlap(shingles, kept[other]) >= overlap
            ):
                first, second = sorted((_root(group, other), _root(group, index)))
                group[second] = first
        if progress is not None and index % 1000 == 999:
            progress(1000)
    return np.array([_root(group, index) for index in range(len(texts))], dtype=np.int64)


def _hash_family() -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    random = np.random.default_rng(20_261_124)
    count = BANDS * BAND_WIDTH
    return (
        random.integers(1, 1 << 29, size=(1, count), dtype=np.uint64) * np.uint64(2) + np.uint64(1),
        random.integers(0, 1 << 32, size=(1, count), dtype=np.uint64),
    )


def _signature(
    shingles: Shingles, factors: npt.NDArray[np.uint64], offsets: npt.NDArray[np.uint64]
) -> npt.NDArray[np.uint64]:
    if not len(shingles):
        return np.zeros(BANDS * BAND_WIDTH, dtype=np.uint64)
    hashed = (shingles.astype(np.uint64)[:, None] * factors + offsets) % _PRIME
    smallest: npt.NDArray[np.uint64] = hashed.min(axis=0)
    return smallest


def _overlap(left: Shingles, right: Shingles) -> float:
    if not len(left) or not len(right):
        return float(len(left) == len(right))
    common = len(np.intersect1d(left, right, assume_unique=True))
    return common / (len(left) + len(right) - common)


def _root(group: npt.NDArray[np.int64], index: int) -> int:
    while group[index] != index:
        group[index] = group[group[index]]
        index = int(group[index])
    return index
