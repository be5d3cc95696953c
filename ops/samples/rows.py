"""Rows of the licensed text sets, picked by seed: short, without user names or links, never from evaluate-only sets."""

from __future__ import annotations

import csv
import random
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

SEED = 20261124


@dataclass(frozen=True, slots=True)
class Row:
    """A text and where it stands."""

    source: str  # set:id
    text: str
    locale: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many rows of which label of which set."""

    group: str
    note: str
    count: int
    kind: str = "post"


Reader = Callable[[Path], Iterator[tuple[str, Row]]]

_PRIVATE = re.compile(r"@|https?:|www\.|&#|\bRT\b|\d{6,}")
_MINORS = re.compile(r"\b(child|kid|teen|minor|underage|school|toddler|infant|bab(y|ies))", re.IGNORECASE)


def davidson(data: Path) -> Iterator[tuple[str, Row]]:
    """Tweets on which all annotators agreed: `hate`, `offensive`, `neither`."""
    labels = {"0": "hate", "1": "offensive", "2": "neither"}
    votes = {"hate": "hate_speech", "offensive": "offensive_language", "neither": "neither"}
    for row in _csv(data / "text/davidson/labeled_data.csv"):
        label = labels[row["class"]]
        if row[votes[label]] == row["count"]:
            yield label, Row(f"davidson:{row['']}", row["tweet"].strip(), "en")


def edos(data: Path) -> Iterator[tuple[str, Row]]:
    """Sexism by category, the training rows: the category's first word, or `none`."""
    for row in _csv(data / "text/edos/edos_labelled_aggregated.csv"):
        if row["split"] == "train":
            label = row["label_category"].split(". ")[-1].split()[0].rstrip(",")
            yield label, Row(f"edos:{row['rewire_id']}", row["text"], "en")


def hatemoji(data: Path) -> Iterator[tuple[str, Row]]:
    """Hate told with emoji, by type."""
    for row in _csv(data / "text/hatemoji_build/train.csv"):
        yield row["type"], Row(f"hatemoji_build:{row['entry_id']}", row["text"], "en")


def cold(data: Path) -> Iterator[tuple[str, Row]]:
    """Chinese posts: `1` offensive, `0` not."""
    for row in _csv(data / "text/cold_zh/train.csv"):
        yield row["label"], Row(f"cold_zh:{row['']}", row["TEXT"], "zh")


def germeval(data: Path) -> Iterator[tuple[str, Row]]:
    """German tweets by their finer label."""
    lines = (data / "text/germeval2018_de/germeval2018.training.txt").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        text, _, fine = line.split("\t")
        yield fine, Row(f"germeval2018_de:{number}", text.replace("|LBR|", " "), "de")


def ailuminate(data: Path) -> Iterator[tuple[str, Row]]:
    """Hazard prompts by MLCommons hazard code."""
    for row in _csv(data / "text/ailuminate_demo/en_us.csv"):
        yield row["hazard"], Row(f"ailuminate_demo:{row['release_prompt_id']}", row["prompt_text"], "en")


def pick(rows: Iterable[tuple[str, Row]], wanted: dict[str, Wanted]) -> Iterator[tuple[Wanted, Row]]:
    """The wanted rows, the same ones every time."""
    found: dict[str, list[Row]] = {label: [] for label in wanted}
    for label, row in rows:
        if label in found and _fit(row.text):
            found[label].append(row)
    for label, want in wanted.items():
        chosen = random.Random(f"{SEED}:{want.group}:{label}").sample(found[label], want.count)  # noqa: S311 - a choice
        for row in sorted(chosen, key=lambda one: one.source):
            yield want, row


def _fit(text: str) -> bool:
    return 25 <= len(text) <= 180 and text.isprintable() and not (_PRIVATE.search(text) or _MINORS.search(text))


def _csv(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        yield from csv.DictReader(lines)
