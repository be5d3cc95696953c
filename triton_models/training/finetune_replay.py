"""What must stay while harm is learned: harmless captions in many languages, replayed, and a measure of what is left.

Emoji names (CLDR). Those of one part of the emoji are replayed in training; with the others one measures: how many
names in another language have their own English name as the nearest of all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from triton_models.training.pairs.icons import NAMES, names_by_language, split_of

Array = npt.NDArray[np.float32]
PIVOT = "en"


@dataclass(frozen=True, slots=True)
class Captions:
    """Names to replay, and names to measure with."""

    replay: tuple[str, ...]
    pivots: tuple[str, ...]  # English names of the emoji that are held out
    translated: tuple[str, ...]
    partner: tuple[int, ...]  # translated name -> its place in `pivots`


def read_captions(data: Path) -> Captions:
    """The captions of a data folder; empty ones when it has none."""
    names = names_by_language(data / NAMES) if (data / NAMES).is_dir() else {}
    english = names.get(PIVOT, {})
    places: dict[str, int] = {}  # several emoji may have one English name: then any of them is right
    for sign, name in english.items():
        if split_of(sign) != "train":
            places.setdefault(name, len(places))
    replay = {name for table in names.values() for sign, name in table.items() if split_of(sign) == "train"}
    translated: dict[str, int] = {}
    for language, table in names.items():
        for sign, name in table.items():
            if language != PIVOT and sign in english and split_of(sign) != "train":
                translated.setdefault(name, places[english[sign]])
    return Captions(tuple(sorted(replay - set(places))), tuple(places), tuple(translated), tuple(translated.values()))


def kept(captions: Captions, encode: Callable[[Sequence[str]], Array]) -> float:
    """Share of translated names whose nearest English name is their own; 1.0 when there is nothing to measure."""
    if not captions.translated:
        return 1.0
    likeness = encode(captions.translated) @ encode(captions.pivots).T
    return float((likeness.argmax(axis=1) == np.array(captions.partner)).mean())
