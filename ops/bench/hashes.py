"""How long it takes to look a picture up in a bank of a million PDQ hashes, beside asking every hash in turn.

Also proves the search exact on the way: every planted neighbour up to distance 31 is found, none beyond.
Example: `python -m ops.bench.hashes --json`
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from ops.exits import NO, OK
from streams.core.hash_index import MAX_DISTANCE, PdqIndex, as_words, popcount
from streams.core.pdq import HASH_BYTES, VARIANTS, pdq

Hashes = NDArray[np.uint8]


def run(
    *,
    hashes: Annotated[int, typer.Option(help="How many hashes the bank has.", min=1_000)] = 1_000_000,
    queries: Annotated[int, typer.Option(help="How many pictures are looked up.", min=8)] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure PDQ search at a million hashes, and print a ratio. Exit code 1 when the search was not exact.

    Example: `python -m ops.bench.hashes --json`
    """
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
    report = {
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
    if as_json:
        typer.echo(json.dumps(report, indent=2))
    else:
        for name, value in report.items():
            typer.echo(f"{name:<24} {value}")
    raise typer.Exit(NO if wrong else OK)


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
    typer.run(run)
