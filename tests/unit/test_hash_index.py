"""Search in banks of hashes: exact up to distance 31, whatever the bank looks like."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streams.core.hash_index import DigestIndex, PdqIndex, as_words, popcount

Hashes = NDArray[np.uint8]


def a_bank(seed: int, count: int) -> Hashes:
    """Random hashes."""
    return np.random.default_rng(seed).integers(0, 256, (count, 32), dtype=np.uint8)


def near(hash_: Hashes, bits: list[int]) -> Hashes:
    """The hash with these bits flipped."""
    made = np.unpackbits(hash_)
    made[bits] ^= 1
    return np.packbits(made)


def by_scan(bank: Hashes, queries: Hashes, limit: int) -> dict[int, int]:
    """The entries within the limit of any query, by asking every one."""
    bits = np.unpackbits(bank, axis=1).astype(int)
    found: dict[int, int] = {}
    for query in queries:
        for entry, distance in enumerate(np.abs(bits - np.unpackbits(query).astype(int)).sum(axis=1).tolist()):
            if distance <= limit:
                found[entry] = min(distance, found.get(entry, 256))
    return found


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(0, 300),
    limit=st.integers(0, 31),
    flips=st.lists(st.integers(0, 255), max_size=40, unique=True),
)
def test_it_finds_what_a_scan_finds(seed: int, count: int, limit: int, flips: list[int]) -> None:
    """Random banks, neighbours planted at any distance, look-alikes that share words, any limit."""
    bank = a_bank(seed, count)
    if count:
        bank = np.concatenate([bank, np.stack([near(bank[0], flips), near(bank[count // 2], flips[:20])])])
        bank[::3, :20] = bank[0, :20]
    queries = np.stack([bank[0] if count else np.zeros(32, np.uint8), np.full(32, seed % 256, np.uint8)])
    entries, distances = PdqIndex(bank).search(queries, limit)
    assert dict(zip(entries.tolist(), distances.tolist(), strict=True)) == by_scan(bank, queries, limit)
    assert distances.tolist() == sorted(distances.tolist())


@pytest.mark.parametrize("distance", [0, 1, 15, 16, 30, 31, 32, 40])
def test_the_worst_spread_of_bits_is_found_up_to_31(distance: int) -> None:
    """Bits spread evenly over the words are the hardest case: two in fifteen words and one in the last is 31."""
    bank = a_bank(3, 2_000)
    bits = [word * 16 + place for place in (3, 9, 14) for word in range(16)][:distance]
    entries, distances = PdqIndex(bank).search(near(bank[700], bits)[None, :])
    found = dict(zip(entries.tolist(), distances.tolist(), strict=True))
    assert found == ({700: distance} if distance <= 31 else {})


def test_a_bank_of_look_alikes_is_scanned_in_bounded_memory() -> None:
    """When all entries share their words, every query would have every entry sixteen times over."""
    bank = np.repeat(a_bank(5, 1), 50_000, axis=0)
    bank[:, 31] = np.arange(50_000) % 256
    index = PdqIndex(bank)
    entries, _ = index.search(bank[:8], 0)
    assert len(entries) == sum(int((bank[:, 31] == value).sum()) for value in range(8))


def test_a_wider_search_is_refused() -> None:
    """Beyond 31 the method would miss; it says so instead."""
    with pytest.raises(ValueError, match=r"32 is not in 0\.\.31"):
        PdqIndex(a_bank(1, 10)).search(a_bank(1, 1), 32)


def test_popcount_counts_bits() -> None:
    """Against Python's own count."""
    words = as_words(a_bank(9, 50)).ravel()
    assert popcount(words).tolist() == [int(word).bit_count() for word in words.tolist()]


def test_digests_are_found_by_equality_only() -> None:
    """All entries with the digest, none that only begins like it."""
    digests = [hashlib.md5(b"%d" % n, usedforsecurity=False).digest() for n in range(100)]
    twin = digests[5][:8] + digests[6][8:]
    index = DigestIndex(np.frombuffer(b"".join([*digests, digests[5], twin]), np.uint8).reshape(-1, 16))
    assert index.find(digests[5]) == [5, 100]
    assert index.find(twin) == [101]
    assert index.find(bytes(16)) == []
    assert DigestIndex(np.empty((0, 16), np.uint8)).find(digests[0]) == []
