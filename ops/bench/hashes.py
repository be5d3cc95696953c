"""How long it takes to look a picture up in a bank of a million PDQ hashes, beside asking every hash in turn.

Also proves the search exact on the way: every planted neighbour up to distance 31 is found, none beyond.
`weir bench hashes --json`, or `python -m ops.bench.hashes --json`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ops.exits import NO, OK
from streams.core.hash_index import MAX_DISTANCE, PdqIndex, as_words, popcount
from streams.core.pdq import HASH_BYTES, VARIANTS, pdq

Hashes = NDArray[np.uint8]


def main() -> int:
    """Measure as `sys.argv` asks; 1 when the search was not exact."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hashes", type=int, default=1_000_000, help="how many hashes the bank has")
    parser.add_argument("--queries", type=int, default=100, help="how many pictures are looked up")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    report = run(given.hashes, given.queries)
    if given.json:
        print(json.dumps(report, indent=2))
    else:
        for name, value in report.items():
            print(f"{name:<24} {value}")
    return NO if report["wrong"] else OK


def run(hashes: int, queries: int) -> dict[str, object]:
    """The figures: looking a picture's eight variants up, beside asking every hash."""
    random = np.random.default_rng(7)
    bank = random.integers(0, 256, (hashes, HASH_BYTES), dtype=np.uint8)
    build_s, index = _timed(lambda: PdqIndex(bank))
    pictures = random.integers(0, 256, (queries, VARIANTS, HASH_BYTES), dtype=np.uint8)
    search_ms = [_timed(lambda p=p: index.search(p))[0] * 1e3 for p in pictures]  # type: ignore[misc]  # a bound loop variable
    scan_ms = [_timed(lambda p=p: _scan(bank, p))[0] * 1e3 for p in pictures[:3]]  # type: ignore[misc]  # likewise
    pixels = random.integers(0, 256, (512, 384, 3), dtype=np.uint8)
    pdq_ms = [_timed(lambda: pdq(pixels))[0] * 1e3 for _ in range(20)]
    wrong = sum(not _found_exactly(index, bank, random, distance) for distance in range(41) for _ in range(5))
    ours, reference = float(np.median(search_ms)), float(np.median(scan_ms))
    report: dict[str, object] = {
        "name": "hashes",
        "ratio": round(reference / ours, 1),
        "ours": round(ours, 2),
        "reference": round(reference, 1),
        "unit": "CPU ms/picture",
        "hashes": hashes,
        "variants_per_picture": VARIANTS,
        "build_s": round(build_s, 2),
        "ours_p99": round(float(np.percentile(search_ms, 99)), 2),
        "pdq_ms": round(float(np.median(pdq_ms)), 2),
        "planted": 41 * 5,
        "wrong": wrong,
    }
    return report


def _timed(work: Callable[[], object]) -> tuple[float, PdqIndex]:
    """Seconds of this thread's CPU, so that a busy machine does not spoil the figure, and the result."""
    started = time.thread_time()
    made = work()
    return time.thread_time() - started, made  # type: ignore[return-value]  # only the first caller looks at it


def _scan(bank: Hashes, picture: Hashes) -> int:
    """The obvious way: the distance of every hash to every variant."""
    words, found = as_words(bank), 0
    for query in as_words(picture):
        found += int((popcount(words ^ query).sum(axis=1) <= MAX_DISTANCE).sum())
    return found


def _found_exactly(index: PdqIndex, bank: Hashes, random: np.random.Generator, distance: int) -> bool:
    """Whether a hash that differs from a bank's entry in `distance` bits is found, and only up to 31."""
    entry = int(random.integers(len(bank)))
    bits = np.unpackbits(bank[entry])
    bits[random.choice(bits.size, distance, replace=False)] ^= 1
    entries, distances = index.search(np.packbits(bits)[None, :])
    found = dict(zip(entries.tolist(), distances.tolist(), strict=True))
    return found.get(entry) == distance if distance <= MAX_DISTANCE else entry not in found


if __name__ == "__main__":
    sys.exit(main())
