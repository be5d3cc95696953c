"""Recordings as Parquet: one row an event; `signals`, `status`, `why` and `models` are JSON, so that new ones fit.

Reads lines that `policies.engine.recording` made. pyarrow is in the extra `record`, and is imported when needed.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib
import zlib
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

log = structlog.get_logger(__name__)

ROWS: Final = 4_096
"""Events in a row group: what is in memory at once."""
MISSING_HINT: Final = "recordings in Parquet need pyarrow: install weir[record], or set WEIR_RECORD_FORMAT=jsonl"
_EMPTY: Final = msgspec.Raw(b"{}")


class Row(msgspec.Struct, frozen=True, gc=False):
    """A recording's columns. One for each key that a recording may have (a test holds them together)."""

    event_id: str | None = None
    content_id: str | None = None
    kind: str | None = None
    surface: str | None = None
    locale: str | None = None
    key: str | None = None
    created_at: float | None = None
    tenant: str | None = None
    image_count: int | None = None
    author_id: str | None = None
    author_created_at: float | None = None
    author_verified: bool | None = None
    author_kind: str | None = None
    audience_minors: bool | None = None
    audience_size: int | None = None
    quoted: bool | None = None
    parent_id: str | None = None
    thread_id: str | None = None
    tier: str | None = None
    signals: msgspec.Raw = _EMPTY
    status: msgspec.Raw = _EMPTY
    why: msgspec.Raw = _EMPTY
    models: msgspec.Raw = _EMPTY


_KINDS: Final = {"created_at": "float64", "author_created_at": "float64"} | {
    "image_count": "int64", "audience_size": "int64", "author_verified": "bool", "audience_minors": "bool",
    "quoted": "bool",
}  # fmt: skip


def require_pyarrow() -> None:
    """Raise ModuleNotFoundError, with what to do, unless Parquet can be written."""
    if find_spec("pyarrow") is None:
        raise ModuleNotFoundError(MISSING_HINT, name="pyarrow")


def write_table(path: Path, lines: Iterable[bytes]) -> int:
    """Write the recordings as one file that is there whole or not at all; how many there were.

    A line that is no recording is left out and counted in the log.
    """
    pa, pq = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    names = Row.__struct_fields__
    schema = pa.schema([(name, getattr(pa, _KINDS.get(name, "string").replace("bool", "bool_"))()) for name in names])
    unfinished = path.with_name(f".{path.name}.writing")
    rows = _rows(lines)
    count = 0
    try:
        with pq.ParquetWriter(unfinished, schema, compression="zstd") as writer:
            while group := list(islice(rows, ROWS)):
                columns = [pa.array([_cell(row, name) for row in group], schema.field(name).type) for name in names]
                writer.write_table(pa.Table.from_arrays(columns, schema=schema))
                count += len(group)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return count


def finish_lines(part: Path, stem: str) -> None:
    """Turn a file of gzipped lines into `<stem>-<digest>.parquet` beside it, then remove it.

    The name comes from the content, so that doing it again, after a crash or on two workers, makes no second copy.
    """
    with part.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:8]
    done = part.with_name(f"{stem}-{digest}.parquet")
    if not done.exists():
        write_table(done, read_lines(part))
    part.unlink(missing_ok=True)


def read_lines(path: Path) -> Iterator[bytes]:
    """The whole lines of a gzipped file; what a crash tore off at its end is left out."""
    with gzip.open(path, "rb") as lines:
        try:
            for line in lines:
                if line.endswith(b"\n"):
                    yield line
        except (EOFError, zlib.error, gzip.BadGzipFile) as exc:
            log.warning("recorder.torn_file", file=path.name, why=str(exc))


def _rows(lines: Iterable[bytes]) -> Iterator[Row]:
    decode = msgspec.json.Decoder(Row).decode
    bad = 0
    for line in lines:
        try:
            yield decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            bad += 1
    if bad:
        log.warning("recorder.bad_lines", left_out=bad)


def _cell(row: Row, name: str) -> Any:  # a column's value: Arrow takes any of ours
    value = getattr(row, name)
    return str(value, "utf-8") if isinstance(value, msgspec.Raw) else value
