"""Recordings from files: JSON lines (plain or gzipped) and Parquet, as frames of bounded size.

A line that cannot be read is counted and named, and does not stop the replay.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from ops.replay.frame import Frame, build_frame
from policies.engine.recording import Recording, RecordingError, read_recording
from policies.engine.signals import Catalogue

ROWS: Final = 4096
"""Events in a frame: big enough for numpy, small enough for memory."""


ENDINGS: Final = (".jsonl", ".jsonl.gz", ".parquet")


@dataclass(slots=True)
class Faults:
    """Lines that could not be read."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, place: str, why: str) -> None:
        """One more."""
        self.count += 1
        if len(self.examples) < 5:
            self.examples.append(f"{place}: {why}")


def read_frames(
    paths: Iterable[Path],
    names: Iterable[str],
    catalogue: Catalogue,
    *,
    faults: Faults,
    tell: Callable[[int], None] = lambda _events: None,
) -> Iterator[Frame]:
    """Frames of the files' recordings with the columns `names`; `tell` hears how many events were read."""
    wanted = sorted(names)
    recordings = (recording for path in paths for recording in read_recordings(path, faults))
    while chunk := list(islice(recordings, ROWS)):
        yield build_frame(chunk, wanted, catalogue)
        tell(len(chunk))


def read_recordings(path: Path, faults: Faults) -> Iterator[Recording]:
    """The recordings of one file, by its name's ending (.jsonl, .jsonl.gz, .parquet), or of all of a folder's."""
    if path.is_dir():
        for one in sorted(p for p in path.iterdir() if p.name.endswith(ENDINGS)):
            yield from read_recordings(one, faults)
    elif path.suffix == ".parquet":
        yield from _parquet(path, faults)
    else:
        try:
            yield from _lines(path, faults)
        except (EOFError, zlib.error, gzip.BadGzipFile) as exc:
            faults.add(str(path), f"the file is torn ({exc}); what follows is left out")


def _lines(path: Path, faults: Faults) -> Iterator[Recording]:
    decode = msgspec.json.Decoder().decode
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                found = _one(decode, line, f"{path}:{number}", faults)
                if found is not None:
                    yield found


def _one(decode: Callable[[bytes], Any], line: bytes, place: str, faults: Faults) -> Recording | None:
    try:
        return read_recording(decode(line))
    except (msgspec.DecodeError, RecordingError, UnicodeDecodeError) as exc:
        faults.add(place, str(exc))
        return None


def _parquet(path: Path, faults: Faults) -> Iterator[Recording]:
    """A Parquet file has a recording's keys as columns; `signals`, `status`, `why`, `models`, `labels` hold JSON."""
    import pyarrow.parquet as pq

    decode = msgspec.json.Decoder().decode
    inner = ("signals", "status", "why", "models", "labels")
    for batch in pq.ParquetFile(path).iter_batches(batch_size=ROWS):
        for row in batch.to_pylist():
            try:
                for name in inner:
                    if isinstance(row.get(name), (str, bytes)):
                        row[name] = decode(row[name])
                yield read_recording({k: v for k, v in row.items() if v is not None})
            except (msgspec.DecodeError, RecordingError) as exc:
                faults.add(str(path), str(exc))
