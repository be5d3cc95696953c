"""All training sets as rows with splits that share no near-duplicate. The only way that training gets its data.

A set's own held-out part is kept. Where it has none, one is drawn by a hash of the row's group, so the same data and
seed give the same split on every machine. A train row that is nearly a dev or test row is dropped, and so is a dev row
that is nearly a test row; groups reach across sets.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from triton_models.training.datasets.catalog import require_training
from triton_models.training.datasets.dedupe import near_duplicate_groups
from triton_models.training.datasets.raw import Part, RawRow
from triton_models.training.datasets.readers import READERS
from triton_models.training.datasets.rows import Row, Split

DEV_SHARE: Final = 0.10
TEST_SHARE: Final = 0.15
SMALL_SHARE: Final = 0.20  # of each, for a set whose tenth would hold too few positives to measure with
_RANK: Final[dict[Split, int]] = {"train": 0, "dev": 1, "test": 2}


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What became of the rows that were read."""

    read: dict[str, int] = field(default_factory=dict)  # set -> rows
    kept: dict[str, dict[str, int]] = field(default_factory=dict)  # set -> split -> rows
    dropped_repeats: int = 0  # the same text with the same labels in the same split
    dropped_leaks: int = 0  # near-duplicates of a row in a more protected split


def build_rows(
    data: Path, *, sets: Sequence[str], seed: int, progress: Callable[[int], None] | None = None
) -> tuple[list[Row], BuildReport]:
    """The rows of `sets` below `data`; EvaluateOnlyError for a set not to be trained on, DataError for bad files."""
    cards = [require_training(name) for name in sets]
    raw = [(card.name, row) for card in cards for row in READERS[card.name](card.path(data)) if row.text.strip()]
    groups = near_duplicate_groups([row.text for _, row in raw], progress=progress)
    first = {int(group): f"{raw[group][0]}:{raw[group][1].number}" for group in set(groups.tolist())}
    rows = [_place(source, row, first[int(group)], seed) for (source, row), group in zip(raw, groups, strict=True)]
    strictest: dict[int, int] = {}
    for row, group in zip(rows, groups.tolist(), strict=True):
        strictest[group] = max(strictest.get(group, 0), _RANK[row.split])
    kept: list[Row] = []
    seen: set[tuple[str, str, str]] = set()
    leaks = repeats = 0
    for row, group in zip(rows, groups.tolist(), strict=True):
        key = (row.split, row.text.strip(), repr(sorted(row.labels.items())))
        if _RANK[row.split] < strictest[group]:
            leaks += 1
        elif key in seen:
            repeats += 1
        else:
            seen.add(key)
            kept.append(row)
    return kept, BuildReport(
        read=dict(Counter(source for source, _ in raw)),
        kept={card.name: dict(Counter(row.split for row in kept if row.source == card.name)) for card in cards},
        dropped_repeats=repeats,
        dropped_leaks=leaks,
    )


def _place(source: str, row: RawRow, group: str, seed: int) -> Row:
    split = draw_split(row.split, row.family or group, seed)
    return Row(f"{source}:{row.number}", row.text, row.locale, source, split, row.labels)


def draw_split(part: Part, group: str, seed: int) -> Split:
    """The split of a row: its set's own part, or one drawn by a hash of its group."""
    if part in _RANK:
        return part
    digest = hashlib.blake2b(f"{seed}:{group}".encode(), digest_size=8).digest()
    drawn = int.from_bytes(digest, "big") / 2**64
    if part == "dev/test":
        return "dev" if drawn < 0.5 else "test"
    if part == "train/test":
        return "test" if drawn < SMALL_SHARE else "train"
    if part == "small":
        return "dev" if drawn < SMALL_SHARE else "test" if drawn < 2 * SMALL_SHARE else "train"
    if part == "any" and drawn >= 1.0 - TEST_SHARE:
        return "test"
    return "dev" if drawn < DEV_SHARE else "train"
