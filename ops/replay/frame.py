"""Recorded events as columns: one array for each signal, with masks for what broke. Values only; nothing is judged.

Absent is NaN for numbers and code 0 for words. Words are kept as codes into a vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from policies.engine.event_signals import OWNER as EVENT_OWNER
from policies.engine.event_signals import event_values, find_spec
from policies.engine.recording import Recording
from policies.engine.signals import BROKEN, Catalogue, SignalValue
from policies.engine.subject import Subject

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Codes = NDArray[np.int32]

ABSENT: Final = 0


@dataclass(slots=True)
class Words:
    """A column of words (or of sets of words): codes into `vocabulary`, whose first entry stands for absent."""

    codes: Codes
    vocabulary: list[SignalValue | None]


@dataclass(slots=True)
class Frame:
    """Some recorded events."""

    subjects: Sequence[Subject]
    numbers: dict[str, Floats] = field(default_factory=dict)  # also true and false, as 1 and 0
    words: dict[str, Words] = field(default_factory=dict)
    broken: dict[str, Bools] = field(default_factory=dict)  # only signals that broke somewhere
    down: dict[str, Bools] = field(default_factory=dict)  # detector -> all that it said is broken
    labels: dict[str, NDArray[np.int8]] = field(default_factory=dict)  # category -> 1, 0, or -1 where nobody said
    partial: int = 0  # events of which only a verdict is known

    def __len__(self) -> int:
        """How many events."""
        return len(self.subjects)


def build_frame(recordings: Sequence[Recording], names: Iterable[str], catalogue: Catalogue) -> Frame:
    """The columns of the signals `names`; everything else of the recordings is left out."""
    specs = {name: find_spec(catalogue, name) for name in names}
    wanted = {name: "int" if spec is None else spec.type for name, spec in specs.items()}  # quotas are in no catalogue
    count = len(recordings)
    frame = Frame([r.subject for r in recordings], partial=sum(r.partial for r in recordings))
    rows = [_values(recording) for recording in recordings]
    for row, recording in enumerate(recordings):
        if recording.signals.missing:
            _note_broken(frame, recording, row, rows[row], count=count, catalogue=catalogue)
        for category, said in recording.labels.items():
            column = frame.labels.setdefault(category, np.full(count, -1, np.int8))
            column[row] = int(said)
    for name, kind in wanted.items():
        if kind in ("str", "strs"):
            frame.words[name] = encode_words([values.get(name) for values in rows])
        else:
            frame.numbers[name] = _numbers([values.get(name, np.nan) for values in rows])
    return frame


def _numbers(values: list[SignalValue]) -> Floats:
    try:
        return np.array(values, np.float64)
    except (TypeError, ValueError):  # a detector gave words where it promised numbers: no value
        return np.array([np.nan if isinstance(v, (str, tuple)) else v for v in values], np.float64)


def encode_words(values: Sequence[SignalValue | None]) -> Words:
    """The values as codes; None is code 0."""
    vocabulary: dict[SignalValue | None, int] = {None: ABSENT}
    codes = np.fromiter((vocabulary.setdefault(v, len(vocabulary)) for v in values), np.int32, len(values))
    return Words(codes, list(vocabulary))


def _values(recording: Recording) -> Mapping[str, SignalValue]:
    values = event_values(recording.subject)
    for name in recording.signals.missing:
        values.pop(name, None)
    values.update(recording.signals.values)
    return values


def _note_broken(
    frame: Frame, recording: Recording, row: int, values: Mapping[str, SignalValue], *, count: int, catalogue: Catalogue
) -> None:
    owners: set[str] = set()
    for name, gone in recording.signals.missing.items():
        if gone.status in BROKEN and name not in recording.signals.values:
            frame.broken.setdefault(name, np.zeros(count, np.bool_))[row] = True
            spec = find_spec(catalogue, name)
            if spec is not None and spec.owner != EVENT_OWNER:
                owners.add(spec.owner)
    if not owners:
        return
    alive = {spec.owner for name in values if (spec := find_spec(catalogue, name)) is not None}
    for owner in owners - alive:
        frame.down.setdefault(owner, np.zeros(count, np.bool_))[row] = True
