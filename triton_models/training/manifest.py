"""The manifest: one line per labelled post, with where it came from, what may be done with it, and its split.

JSONL or Parquet, by the file's ending. Reading and writing only: what goes into it is `manifest_build.py`'s business,
whether it is sound `manifest_check.py`'s.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from policies.engine.taxonomy import CATEGORIES, Category
from triton_models.training.datasets.rows import DataError, Split

SUFFIXES: Final = (".jsonl", ".parquet")


class ManifestRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One labelled post. At least one of text and image is there."""

    id: str
    text: str | None = None
    image: str | None = None  # path relative to the manifest's folder
    labels: Mapping[Category, float] = {}  # 1, 0 or a share; a category that was not asked is not in it
    severity: Mapping[Category, int] = {}  # 0..7, where somebody graded it
    locale: str = ""
    source: str = ""
    licence: str = ""
    attribution: str = ""
    split: Split = "train"
    group: str = ""  # rows that must share a split: a quadruple, near-duplicates, a thread
    template: str = ""  # what its text was generated from
    picture: str = ""  # what its image was generated from, whatever the style
    author: str = ""
    created_at: float | None = None


def write_manifest(rows: Iterable[ManifestRow], path: Path) -> int:
    """Writes the manifest, whole or not at all; the number of rows. DataError for an ending that is not known."""
    _check_suffix(path)
    aside = path.with_name(f".{path.name}")
    if path.suffix == ".parquet":
        count = _write_parquet(list(rows), aside)
    else:
        count = 0
        with aside.open("wb") as file:
            for row in rows:
                file.write(msgspec.json.encode(_bare(row)) + b"\n")
                count += 1
    aside.replace(path)
    return count


def read_manifest(path: Path) -> list[ManifestRow]:
    """The rows; DataError names every bad line and its problem (the first 20)."""
    _check_suffix(path)
    if not path.is_file():
        raise DataError(path, "no such file", "weir data build writes one")
    rows: list[ManifestRow] = []
    problems: list[str] = []
    for number, raw in enumerate(_raw_rows(path), start=1):
        try:
            row = msgspec.convert(raw() if callable(raw) else raw, ManifestRow)
        except (msgspec.ValidationError, ValueError) as exc:
            problems.append(f"line {number}: {exc}")
            continue
        problem = _problem(row)
        if problem:
            problems.append(f"line {number} ({row.id}): {problem}")
        rows.append(row)
    if problems:
        shown = "\n  ".join(problems[:20])
        more = f"\n  and {len(problems) - 20} more" if len(problems) > 20 else ""
        raise DataError(path, f"{len(problems)} bad lines:\n  {shown}{more}", "see triton_models/training/manifest.py")
    return rows


def _problem(row: ManifestRow) -> str:
    if row.text is None and row.image is None:
        return "neither text nor image"
    wrong = [f"{name}={value}" for name, value in row.labels.items() if name not in CATEGORIES or not 0 <= value <= 1]
    wrong += [
        f"{name}={value}" for name, value in row.severity.items() if name not in CATEGORIES or not 0 <= value <= 7
    ]
    return f"labels {', '.join(wrong)}" if wrong else ""


def _raw_rows(path: Path) -> Iterable[Any]:
    if path.suffix == ".parquet":
        from pyarrow import parquet

        for raw in parquet.read_table(path).to_pylist():
            for column in ("labels", "severity"):
                raw[column] = json.loads(raw[column])
            yield {name: value for name, value in raw.items() if value is not None}
        return
    for line in path.read_bytes().splitlines():
        if line.strip():
            yield lambda line=line: _decoded(line)


def _decoded(line: bytes) -> Any:
    try:
        return msgspec.json.decode(line)
    except msgspec.DecodeError as exc:
        raise ValueError(f"not JSON: {exc}") from exc


def _write_parquet(rows: list[ManifestRow], path: Path) -> int:
    import pyarrow as pa
    from pyarrow import parquet

    plain = [msgspec.to_builtins(row) for row in rows]
    # Labels as JSON text: the columns of a file then do not depend on which categories its rows have.
    columns = {
        name: [json.dumps(row[name]) if name in {"labels", "severity"} else row[name] for row in plain]
        for name in ManifestRow.__struct_fields__
    }
    parquet.write_table(pa.table(columns), path)
    return len(rows)


def _bare(row: ManifestRow) -> dict[str, Any]:
    """The row without what is empty."""
    return {
        name: value
        for name, value in msgspec.to_builtins(row).items()
        if value not in ("", None, {}) or name in {"id", "split"}
    }


def _check_suffix(path: Path) -> None:
    if path.suffix not in SUFFIXES:
        raise DataError(path, f"a manifest ends in {' or '.join(SUFFIXES)}", "choose one of them")
