"""Recordings of judged events for `weir policy replay`: signals, their status and the facts that policies compare.

No text and no picture; the author only as the platform's id. Files are gzipped JSON lines, one an hour and worker; the
one being written ends in `.part`. With Parquet, a finished hour (and a drained worker's) becomes a Parquet file; the
lines are its journal, so a crash costs at most the seconds between two flushes. What cannot be written is counted and
left out: recording never holds an event up and never fails one.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import threading
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import msgspec
import structlog

from policies.engine.recording import write_recording
from policies.engine.signals import SignalSet
from policies.engine.subject import Subject
from streams.adapters.recording_parquet import finish_lines, require_pyarrow
from streams.ports import Clock

log = structlog.get_logger(__name__)

FLUSH_S: Final = 2.0
MAX_WAITING: Final = 20_000
"""Recordings in memory between two flushes; more are left out."""
MAX_FILES: Final = 24 * 14
"""Finished files of this worker that are kept: two weeks of hours."""
_HOUR_S: Final = 3_600
_ABANDONED_S: Final = 2 * _HOUR_S
"""A `.part` that nobody wrote to for this long belongs to a worker that died."""
_HOUR: Final = "????????T??"

RecordFormat = Literal["jsonl", "parquet"]


class SignalRecorder:
    """Takes recordings on the loop, writes them in a thread. Own `run` as a task; it finishes its file on cancel."""

    def __init__(self, folder: Path, share: float, clock: Clock, *, worker: str, form: RecordFormat = "jsonl") -> None:
        if form == "parquet":
            require_pyarrow()
        self._ending = ".parquet" if form == "parquet" else ".jsonl.gz"
        self._writing: Path | None = None
        self._lock = threading.Lock()
        self._folder = folder
        self._share = share
        self._clock = clock
        self._worker = "".join(c if c.isalnum() or c in "-." else "_" for c in worker)[:80]
        self._waiting: deque[bytes] = deque()
        self._encode = msgspec.json.Encoder().encode
        self.left_out = 0

    def record(self, subject: Subject, signals: SignalSet) -> None:
        """Keep this judgement if its content is in the sample; some microseconds."""
        if not in_sample(subject.content_id, self._share):
            return
        if len(self._waiting) >= MAX_WAITING:
            self.left_out += 1
            return
        self._waiting.append(self._encode(write_recording(subject, signals)))

    async def run(self, *, every_s: float = FLUSH_S) -> None:
        """Write for ever; cancel to stop, which writes what waits and finishes the file."""
        try:
            while True:
                await asyncio.sleep(every_s)
                await asyncio.to_thread(self.flush)
        finally:
            await asyncio.shield(asyncio.to_thread(self.close))

    def close(self) -> None:
        """Write what waits and finish the file. Blocking."""
        self.flush()
        with self._lock:
            self._finish(keep=None)

    def flush(self) -> None:
        """Write what waits. Blocking. A disk that refuses is logged; the recordings are left out."""
        with self._lock:
            self._flush()

    def _flush(self) -> None:
        lines: list[bytes] = []
        while self._waiting:
            lines.append(self._waiting.popleft())
        hour = datetime.fromtimestamp(self._clock.time() // _HOUR_S * _HOUR_S, UTC)
        part = self._folder / f"{hour:%Y%m%dT%H}-{self._worker}.jsonl.gz.part"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if part != self._writing:
                # A table is made of one process's lines: what a process before left behind may be torn at its end.
                self._finish(keep=None if self._ending == ".parquet" else part)
                self._writing = part
            if lines:
                with gzip.open(part, "ab") as file:  # a gzip file may have many members
                    file.write(b"\n".join(lines) + b"\n")
        except OSError as exc:
            self.left_out += len(lines)
            log.warning("recorder.write_failed", folder=str(self._folder), why=exc.strerror, left_out=self.left_out)

    def _finish(self, *, keep: Path | None) -> None:
        """Finish this worker's `.part` files but `keep`, and those of dead workers; remove the oldest files."""
        own = f"{_HOUR}-{self._worker}"
        try:
            for part in sorted({*self._folder.glob(f"{own}.jsonl.gz.part"), *self._abandoned()} - {keep}):
                self._finish_one(part)
            own_files = f"{own}.jsonl.gz" if self._ending == ".jsonl.gz" else f"{own}-????????.parquet"
            for old in sorted(self._folder.glob(own_files))[:-MAX_FILES]:
                old.unlink(missing_ok=True)
        except OSError as exc:
            log.warning("recorder.finish_failed", folder=str(self._folder), why=exc.strerror)

    def _abandoned(self) -> list[Path]:
        if self._ending != ".parquet":
            return []  # any worker may make the table of a part, for it has one name; lines would be joined twice
        before = self._clock.time() - _ABANDONED_S
        return [p for p in self._folder.glob(f"{_HOUR}-*.jsonl.gz.part") if p.stat().st_mtime < before]

    def _finish_one(self, part: Path) -> None:
        if self._ending == ".parquet":
            try:
                finish_lines(part, part.name.removesuffix(".jsonl.gz.part"))
            except (ValueError, OverflowError) as exc:  # Arrow's too: a value that no column holds
                log.warning("recorder.no_table", file=part.name, why=str(exc))
            else:
                return
        _join(part, part.with_suffix(""))


def in_sample(content_id: str, share: float) -> bool:
    """Whether the content is recorded: by its id, so that all events of one content are, on every worker."""
    if share >= 1.0:
        return True
    digest = hashlib.sha256(b"record\0" + content_id.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < share


def _join(part: Path, done: Path) -> None:
    """Finish a file; an hour in which the worker restarted has one already, and gzip members may follow each other."""
    if done.exists():
        with done.open("ab") as file:
            file.write(part.read_bytes())
        part.unlink()
    else:
        part.rename(done)
