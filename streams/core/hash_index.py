"""Exact search in banks of hashes: PDQ within 31 of 256 bits, digests by equality. Pure numpy, read-only once built.

Multi-index hashing (Norouzi, Punjani, Fleet 2012): a hash is 16 words of 16 bits. Two hashes that differ in at most
31 bits differ in at most one bit in at least one word (16 words with two bits each would be 32), so looking up every
word and its 16 one-bit neighbours finds all of them: 272 small buckets a query instead of a million distances.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

MAX_DISTANCE: Final = 31
HASH_BYTES: Final = 32
_WORDS: Final = 16
_BUCKETS: Final = 1 << 16
#: The word itself and its sixteen neighbours one bit away.
_PROBES: Final = np.array([0, *(1 << bit for bit in range(16))], dtype=np.int64)
_M1, _M2, _M4 = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333), np.uint64(0x0F0F0F0F0F0F0F0F)
_H01, _1, _2, _4, _56 = np.uint64(0x0101010101010101), np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)

Words = NDArray[np.uint64]


def as_words(hashes: NDArray[np.uint8]) -> Words:
    """`[N, 32]` bytes as `[N, 4]` words."""
    return np.ascontiguousarray(hashes, dtype=np.uint8).reshape(-1, HASH_BYTES).view(np.uint64)


def popcount(words: Words) -> Words:
    """How many bits are set in each word (the SWAR count; numpy 1.26 has none of its own)."""
    x = words - ((words >> _1) & _M1)
    x = (x & _M2) + ((x >> _2) & _M2)
    counts: Words = ((x + (x >> _4)) & _M4) * _H01 >> _56
    return counts


class PdqIndex:
    """PDQ hashes, searched exactly up to MAX_DISTANCE. 100 bytes an entry; a million build in about a second."""

    def __init__(self, hashes: NDArray[np.uint8]) -> None:
        self._words = as_words(hashes)
        self._columns = [self._words[:, n].copy() for n in range(HASH_BYTES // 8)]
        parts = self._words.view(np.uint16).reshape(-1, _WORDS)
        count = len(self._words)
        self._order = np.empty(_WORDS * count, dtype=np.int32)  # the entries, sorted by each word in turn
        self._starts = np.empty(_WORDS * (_BUCKETS + 1), dtype=np.int64)  # where each word's buckets begin in it
        for n in range(_WORDS):
            self._order[n * count : (n + 1) * count] = np.argsort(parts[:, n], kind="stable")
            sizes = np.bincount(parts[:, n], minlength=_BUCKETS)
            self._starts[n * (_BUCKETS + 1) : (n + 1) * (_BUCKETS + 1)] = n * count + np.concatenate(
                [[0], np.cumsum(sizes)]
            )

    def __len__(self) -> int:
        return len(self._words)

    def search(
        self, queries: NDArray[np.uint8], max_distance: int = MAX_DISTANCE
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The entries within `max_distance` of any query, each once with its smallest distance, nearest first.

        `queries` is `[Q, 32]` bytes. ValueError beyond MAX_DISTANCE, where the search would not be exact.
        """
        if not 0 <= max_distance <= MAX_DISTANCE:
            raise ValueError(f"distance {max_distance} is not in 0..{MAX_DISTANCE}")
        words = as_words(queries)
        entries, owners = self._candidates(words)
        distance = np.zeros(len(entries), dtype=np.uint64)
        for n in (0, 1):
            distance += popcount(self._columns[n].take(entries) ^ words[:, n].take(owners))
        close = np.flatnonzero(distance <= max_distance)  # half of the bits drop nearly all of the strangers
        entries, owners, distance = entries[close], owners[close], distance[close]
        for n in (2, 3):
            distance += popcount(self._columns[n].take(entries) ^ words[:, n].take(owners))
        kept = distance <= max_distance
        return _distinct(entries[kept].astype(np.int64), distance[kept].astype(np.int64))

    def _candidates(self, words: Words) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The entries in the buckets of all queries, and which query each is a candidate for; with repeats."""
        parts = words.view(np.uint16).reshape(-1, _WORDS).astype(np.int64)
        buckets = (parts[:, :, None] ^ _PROBES) + (np.arange(_WORDS) * (_BUCKETS + 1))[:, None]
        starts = self._starts[buckets].reshape(len(words), -1)
        sizes = self._starts[buckets + 1].reshape(len(words), -1) - starts
        crowded = sizes.sum(axis=1) > len(self)  # a bank of look-alikes: asking everyone is cheaper, and bounded
        if crowded.any():
            starts[crowded], sizes[crowded] = 0, 0
            starts[crowded, 0], sizes[crowded, 0] = 0, len(self)
        flat = sizes.ravel()
        ends = np.cumsum(flat)
        at = np.repeat(starts.ravel() - (ends - flat), flat) + np.arange(ends[-1])
        owners = np.repeat(np.arange(len(words)), sizes.sum(axis=1))
        return self._order[at], owners


def _distinct(entries: NDArray[np.int64], distances: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every entry once, with its smallest distance; nearest first, then in the order of the bank."""
    order = np.lexsort((entries, distances))
    entries, distances = entries[order], distances[order]
    _, first = np.unique(entries, return_index=True)
    first.sort()
    return entries[first], distances[first]


class DigestIndex:
    """Cryptographic digests of one length, found by equality."""

    def __init__(self, digests: NDArray[np.uint8]) -> None:
        self._order = np.lexsort(digests.T[::-1]).astype(np.int64) if len(digests) else np.empty(0, dtype=np.int64)
        self._sorted = np.ascontiguousarray(digests[self._order])
        self._heads = self._sorted[:, :8].copy().view(">u8").ravel()

    def __len__(self) -> int:
        return len(self._order)

    def find(self, digest: bytes) -> list[int]:
        """The entries with exactly this digest."""
        head = np.frombuffer(digest[:8], dtype=">u8")
        start = int(np.searchsorted(self._heads, head, side="left")[0])
        end = int(np.searchsorted(self._heads, head, side="right")[0])
        return sorted(int(self._order[n]) for n in range(start, end) if self._sorted[n].tobytes() == digest)
