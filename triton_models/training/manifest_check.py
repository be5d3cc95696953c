"""What is in a manifest, and what is wrong with it: counts, balance, and everything that splits must not share."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from policies.engine.taxonomy import CATEGORIES
from triton_models.training.datasets.catalog import CATALOG
from triton_models.training.datasets.dedupe import near_duplicate_groups
from triton_models.training.manifest import ManifestRow

MAX_EXAMPLES: Final = 5
_KEYS: Final = ("group", "template", "picture", "author")
SHARED_BY_NATURE: Final = frozenset({"name"})
"""Templates that are no sentence of ours: a picture's own name is new with every picture."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `examples` are ids, never content."""

    kind: str
    what: str
    examples: tuple[str, ...]

    def line(self) -> str:
        """For people."""
        return f"{self.kind}: {self.what}; e.g. {', '.join(self.examples)}"


def check_manifest(rows: Sequence[ManifestRow], folder: Path | None = None) -> list[Finding]:
    """Everything wrong: leaks between splits, repeated ids, evaluate-only sets, missing pictures, no licence."""
    found = [_shared(rows, key) for key in _KEYS]
    found.append(_near_duplicates(rows))
    ids = Counter(row.id for row in rows)
    found.append(_finding("ids", "repeated", [one for one, count in ids.items() if count > 1]))
    forbidden = {name for name, card in CATALOG.items() if card.use == "evaluate"}
    used = [row.id for row in rows if row.source in forbidden]
    found.append(_finding("evaluate-only", "rows of a set that must not be trained on", used))
    found.append(_finding("licence", "rows without one", [row.id for row in rows if not row.licence]))
    if folder is not None:
        missing = [row.id for row in rows if row.image and not (folder / row.image).is_file()]
        found.append(_finding("picture", "rows whose picture is not there", missing))
    return [one for one in found if one is not None]


def count_manifest(rows: Sequence[ManifestRow]) -> dict[str, Any]:
    """Counts by split, source, locale, modality and licence, and positives by category, split and modality."""
    positives: dict[str, Any] = {}
    for category in CATEGORIES:
        asked = [row for row in rows if category in row.labels]
        positives[category] = {
            "asked": len(asked),
            "positive": dict(Counter(row.split for row in asked if row.labels[category] > 0.5)),
            "positive_by_modality": dict(Counter(_modality(row) for row in asked if row.labels[category] > 0.5)),
            "positive_by_locale": dict(Counter(row.locale for row in asked if row.labels[category] > 0.5)),
        }
    return {
        "rows": len(rows),
        "split": dict(Counter(row.split for row in rows)),
        "source": dict(Counter(row.source for row in rows)),
        "locale": dict(Counter(row.locale for row in rows)),
        "modality": dict(Counter(_modality(row) for row in rows)),
        "licence": dict(Counter(row.licence for row in rows)),
        "categories": positives,
    }


def attributions(rows: Iterable[ManifestRow]) -> Mapping[str, str]:
    """Attribution -> licence, for everything that the manifest holds."""
    return dict(sorted({(row.attribution, row.licence) for row in rows if row.attribution}))


def _modality(row: ManifestRow) -> str:
    return "both" if row.text is not None and row.image is not None else "text" if row.text is not None else "image"


def _shared(rows: Sequence[ManifestRow], key: str) -> Finding | None:
    splits: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        value = getattr(row, key)
        if value and value not in SHARED_BY_NATURE:
            splits[value].add(row.split)
    shared = [value for value, seen in splits.items() if len(seen) > 1]
    # Author names are personal: the ids of rows stand for them.
    if key == "author":
        named = set(shared)
        shared = [row.id for row in rows if row.author in named]
    return _finding(key, f"the same {key} in several splits", shared)


def _near_duplicates(rows: Sequence[ManifestRow]) -> Finding | None:
    """Texts of different splits that nearly agree; generated names of pictures are left out, they are one word."""
    texts: dict[str, set[str]] = defaultdict(set)
    owner: dict[str, str] = {}
    for row in rows:
        if row.text and row.template not in SHARED_BY_NATURE:
            texts[row.text].add(row.split)
            owner.setdefault(row.text, row.id)
    distinct = list(texts)
    groups = near_duplicate_groups(distinct)
    splits: dict[int, set[str]] = defaultdict(set)
    for text, group in zip(distinct, groups.tolist(), strict=True):
        splits[group] |= texts[text]
    shared = [owner[distinct[group]] for group, seen in splits.items() if len(seen) > 1]
    return _finding("near-duplicates", "texts that nearly agree in several splits", shared)


def _finding(kind: str, what: str, examples: Sequence[str]) -> Finding | None:
    return Finding(kind, f"{len(examples):,} {what}", tuple(examples[:MAX_EXAMPLES])) if examples else None
