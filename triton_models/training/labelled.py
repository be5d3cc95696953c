"""A user's own labelled posts: JSONL of the short form of `weir judge`, with `labels`. Reads; measures nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from policies.engine.taxonomy import CATEGORIES
from triton_models.training.datasets.rows import DataError


@dataclass(frozen=True, slots=True)
class Labelled:
    """One post and what people said of it."""

    id: str
    text: str
    locale: str
    labels: Mapping[str, float]  # category -> 1 or 0; a category that was not asked is not in it
    severity: Mapping[str, int] = field(default_factory=dict)  # category -> 0..7, where somebody graded it


class _Line(msgspec.Struct):
    text: str
    labels: dict[str, float]
    id: str | int = ""
    locale: str = ""
    severity: dict[str, int] = {}  # msgspec copies it for every line


def read_labelled(path: Path) -> list[Labelled]:
    """The posts of a JSONL file; DataError with every bad line's number and what is wrong with it (the first 20)."""
    found: list[Labelled] = []
    problems: list[str] = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            one = msgspec.json.decode(line, type=_Line)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            problems.append(f"line {number}: {exc}")
            continue
        wrong = [
            f"{name}={value}" for name, value in one.labels.items() if name not in CATEGORIES or value not in {0, 1}
        ]
        if wrong:
            problems.append(f"line {number}: labels {', '.join(wrong)}")
        grades = [
            f"{name}={value}" for name, value in one.severity.items() if name not in CATEGORIES or not 0 <= value <= 7
        ]
        if grades:
            problems.append(f"line {number}: severity {', '.join(grades)}")
        found.append(Labelled(str(one.id) or str(number), one.text, one.locale, one.labels, one.severity))
    if problems:
        shown = "\n  ".join(problems[:20])
        more = f"\n  and {len(problems) - 20} more" if len(problems) > 20 else ""
        raise DataError(
            path,
            f"{len(problems)} bad lines:\n  {shown}{more}",
            f"labels are 0 or 1 (severity: 0 to 7) of {', '.join(CATEGORIES)}",
        )
    if not found:
        raise DataError(path, "holds no posts", 'a line is {"id": "1", "text": "…", "labels": {"hate": 1}}')
    return found
