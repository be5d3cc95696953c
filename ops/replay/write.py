"""Recordings into Parquet: one row an event, its signals as one JSON column, so that new signals need no new schema.

A worker hands over subjects and signals; nothing of the content is written (see `policies.engine.recording`).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

from policies.engine.recording import write_recording
from policies.engine.signals import SignalSet
from policies.engine.subject import Subject

_INNER: Final = ("signals", "status", "why", "models")


def write_parquet(path: Path, judged: Iterable[tuple[Subject, SignalSet]]) -> int:
    """Write the recordings; how many there were."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = []
    for subject, signals in judged:
        row = write_recording(subject, signals)
        rows.append({k: msgspec.json.encode(v).decode() if k in _INNER else v for k, v in row.items()})
    pq.write_table(pa.Table.from_pylist(_even(rows)), path, compression="zstd")
    return len(rows)


def write_jsonl(path: Path, judged: Iterable[tuple[Subject, SignalSet]]) -> int:
    """The same as JSON lines."""
    count = 0
    with path.open("wb") as file:
        for subject, signals in judged:
            file.write(msgspec.json.encode(write_recording(subject, signals)) + b"\n")
            count += 1
    return count


def _even(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every row with every column: Arrow takes the schema from the first."""
    names = sorted({name for row in rows for name in row})
    return [{name: row.get(name) for name in names} for row in rows]
