"""Recordings into files, as a worker writes them: for benches, tests and those who hold events of their own."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from policies.engine.recording import write_recording
from policies.engine.signals import SignalSet
from policies.engine.subject import Subject
from streams.adapters.recording_parquet import write_table

Judged = Iterable[tuple[Subject, SignalSet]]


def write_parquet(path: Path, judged: Judged) -> int:
    """Write the recordings; how many there were."""
    return write_table(path, (msgspec.json.encode(write_recording(*one)) for one in judged))


def write_jsonl(path: Path, judged: Judged) -> int:
    """The same as JSON lines."""
    count = 0
    with path.open("wb") as file:
        for subject, signals in judged:
            file.write(msgspec.json.encode(write_recording(subject, signals)) + b"\n")
            count += 1
    return count
