"""Recordings from files: JSON lines (plain or gzipped) and Parquet, as frames of bounded size.

A line that cannot be read is counted and named, and does not stop the replay.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from ops.replay.frame import Frame, build_frame
from policies.engine.recording import Recording, RecordingError, read_recording
from policies.engine.signals import Catalogue

ROWS: Final = 4096
"""Events in a frame: big enough for numpy, small enough for memory."""


_INNER: Final = frozenset({"signals", "status", "why", "models", "labels"})
ENDINGS: Final = (".jsonl", ".jsonl.gz", ".parquet")


Labels = Mapping[str, Mapping[str, bool]]
"""Event or content id -> category -> a reviewer's word."""


class _Label(msgspec.Struct, frozen=True):
    labels: dict[str, bool]
    event_id: str = ""
    content_id: str = ""


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
    labels: Labels | None = None,
    tell: Callable[[int], None] = lambda _events: None,
) -> Iterator[Frame]:
    """Frames of the files' recordings with the columns `names`; `tell` hears how many events were read."""
    wanted = sorted(names)
    recordings = (recording for path in paths for recording in read_recordings(path, faults))
    if labels:
        recordings = (_labelled(recording, labels) for recording in recordings)
    while chunk := list(islice(recordings, ROWS)):
        yield build_frame(chunk, wanted, catalogue)
        tell(len(chunk))


def read_labels(path: Path, faults: Faults) -> Labels:
    """What reviewers said: JSON lines of `{"event_id" or "content_id": id, "labels": {category: true or false}}`."""
    found: dict[str, dict[str, bool]] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            said = msgspec.json.decode(line, type=_Label)
        except msgspec.DecodeError as exc:
            faults.add(f"{path}:{number}", str(exc))
            continue
        for one in (said.event_id, said.content_id):
            if one:
                found.setdefault(one, {}).update(said.labels)
    return found


def _labelled(recording: Recording, labels: Labels) -> Recording:
    subject = recording.subject
    said = labels.get(subject.event_id) or labels.get(subject.content_id)
    return replace(recording, labels={**recording.labels, **said}) if said else recording


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
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        for batch in pq.ParquetFile(path).iter_batches(batch_size=ROWS):
            yield from _rows(batch, str(path), faults)
    except pa.ArrowException as exc:
        faults.add(str(path), f"not a Parquet file that can be read ({exc})")


def _rows(batch: Any, place: str, faults: Faults) -> Iterator[Recording]:
    """Column by column, which is much quicker than Arrow's rows; columns of nothing are left out."""
    columns: dict[str, list[Any]] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if column.null_count < len(column):
            whole = column.null_count == 0 or str(column.type) == "string"  # else numpy makes NaN of nothing
            values = column.to_numpy(zero_copy_only=False).tolist() if whole else column.to_pylist()
            columns[name] = _decoded(name, values) if name in _INNER else values
    names = list(columns)
    for row in zip(*columns.values(), strict=True):
        raw = dict(zip(names, row, strict=True))
        if raw.get("tier") is None:
            raw.pop("tier", None)
        try:
            yield read_recording(raw)
        except RecordingError as exc:
            faults.add(place, str(exc))


def _decoded(name: str, values: list[Any]) -> list[Any]:
    """JSON as objects; what is none stays text, which no recording accepts. Equal texts that are only read are one."""
    decode = msgspec.json.Decoder().decode
    known: dict[str, Any] = {}
    made: list[Any] = []
    for value in values:
        found = known.get(value)
        if found is None and isinstance(value, str):
            try:
                found = decode(value)
            except msgspec.DecodeError:
                found = value
            if name != "signals":  # a recording keeps and may change its own
                known[value] = found
        made.append(found)
    return made
