"""A user's own posts as manifest rows: CSV, JSONL and Parquet tables, and webdataset archives.

A table has a column `text` and, or, `image` (a path beside the file), one column per category (1, 0, a share, or
empty for "not asked") or one column `labels` (JSON), and what else the manifest knows under its own name. An archive
(.tar) holds samples `key.txt`, `key.jpg` (or png, webp) and `key.json` with the rest. Judges nothing, splits by a hash
of the group.
"""

from __future__ import annotations

import csv
import json
import tarfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from policies.engine.taxonomy import CATEGORIES, Category
from triton_models.training.datasets.build import draw_split
from triton_models.training.datasets.rows import DataError, Split
from triton_models.training.manifest import ManifestRow

PICTURES: Final = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")
_PLAIN: Final = ("id", "text", "image", "locale", "source", "licence", "attribution", "group", "template", "author")


def import_own(path: Path, *, seed: int, pictures: Path) -> list[ManifestRow]:
    """The rows of a user's file. Pictures of an archive are unpacked into `pictures`; DataError says what is wrong."""
    if not path.is_file():
        raise DataError(path, "no such file", "give a .csv, .jsonl, .parquet or .tar")
    if path.suffix == ".tar":
        raw = _archive(path, pictures)
    elif path.suffix in {".csv", ".jsonl", ".parquet"}:
        raw = _table(path)
    else:
        raise DataError(path, f"{path.suffix or 'no ending'} is not known", "give a .csv, .jsonl, .parquet or .tar")
    rows: list[ManifestRow] = []
    problems: list[str] = []
    for number, one in enumerate(raw, start=1):
        try:
            rows.append(_row(one, f"{path.stem}:{number}", seed, path))
        except (ValueError, TypeError) as exc:
            problems.append(f"row {number}: {exc}")
    if problems:
        shown = "\n  ".join(problems[:20])
        raise DataError(path, f"{len(problems)} bad rows:\n  {shown}", f"categories are {', '.join(CATEGORIES)}")
    return rows


def _row(raw: Mapping[str, Any], fallback_id: str, seed: int, path: Path) -> ManifestRow:
    plain = {name: str(raw[name]) for name in _PLAIN if raw.get(name) not in (None, "")}
    name = plain.get("id", fallback_id)
    if "text" not in plain and "image" not in plain:
        raise ValueError("neither text nor image")
    if "image" in plain and not Path(plain["image"]).is_absolute():
        plain["image"] = str((path.parent / plain["image"]).resolve())
    group = plain.get("group") or plain.get("author") or plain.get("text") or name
    given = str(raw.get("split") or "")
    if given not in {"", "train", "dev", "test"}:
        raise ValueError(f"split {given!r} is none of train, dev, test")
    split = cast("Split", given) if given else draw_split("any", group, seed)
    plain.setdefault("source", path.stem)
    return msgspec.convert({**plain, "id": name, "labels": _labels(raw), "split": split}, ManifestRow)


def _labels(raw: Mapping[str, Any]) -> dict[Category, float]:
    given = raw.get("labels")
    found: dict[str, Any] = dict(json.loads(given) if isinstance(given, str) and given else given or {})
    found |= {name: raw[name] for name in CATEGORIES if raw.get(name) not in (None, "")}
    unknown = sorted(found.keys() - set(CATEGORIES))
    if unknown:
        raise ValueError(f"no category {', '.join(unknown)}")
    labels = {cast("Category", name): float(value) for name, value in found.items()}
    if any(not 0 <= value <= 1 for value in labels.values()):
        raise ValueError(f"labels {labels} are not all 0..1")
    return labels


def _table(path: Path) -> Iterator[Mapping[str, Any]]:
    if path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from csv.DictReader(file)
    elif path.suffix == ".parquet":
        from pyarrow import parquet

        yield from parquet.read_table(path).to_pylist()
    else:
        for number, line in enumerate(path.read_bytes().splitlines(), start=1):
            if line.strip():
                try:
                    yield msgspec.json.decode(line, type=dict[str, Any])
                except msgspec.DecodeError as exc:
                    raise DataError(path, f"line {number}: not a JSON object: {exc}", "one object a line") from exc


def _archive(path: Path, pictures: Path) -> Iterable[Mapping[str, Any]]:
    """The samples of a webdataset shard, in order of their keys; pictures are written out under safe names."""
    samples: dict[str, dict[str, Any]] = defaultdict(dict)
    folder = pictures / path.stem
    with tarfile.open(path) as archive:
        for member in archive:
            source = archive.extractfile(member) if member.isfile() else None
            if source is None:
                continue
            folders, _, name = member.name.rpartition("/")
            stem, dot, ending = name.partition(".")
            key = f"{folders}/{stem}"
            content = source.read()
            if f".{ending}".lower() in PICTURES:
                folder.mkdir(parents=True, exist_ok=True)
                # Never the archive's own path: it may lead anywhere.
                target = folder / f"{len(samples)}-{stem}{dot}{ending}"
                target.write_bytes(content)
                samples[key]["image"] = str(target.resolve())
            elif ending == "txt":
                samples[key]["text"] = content.decode("utf-8", "replace")
            elif ending == "json":
                samples[key] |= msgspec.json.decode(content, type=dict[str, Any])
    return [
        {"id": f"{path.stem}{key if key.startswith('/') else '/' + key}", **samples[key]} for key in sorted(samples)
    ]
