"""Taxonomies as data: our own two levels, and the mappings to those that users know. What is unmapped says so.

Reading and mapping; the files are `library/taxonomies/*.yaml`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from policies.engine.errors import PolicyErrors
from policies.engine.schema_taxonomies import KeyFile, MappingFile, OwnFile
from policies.engine.shape import read_shape
from policies.engine.taxonomy import CATEGORIES
from policies.engine.verdict import CategoryResult
from policies.engine.yaml_nodes import read_yaml


@dataclass(frozen=True, slots=True)
class Mapped:
    """A verdict's word on one foreign key. `score` is None when it was not scored, and `why` says so."""

    key: str
    score: float | None
    severity: int | None
    why: str = ""


def read_own(path: Path) -> OwnFile:
    """Our two levels; PolicyErrors with every problem."""
    doc = read_yaml(path.read_bytes(), str(path))
    made = read_shape(doc, OwnFile)
    if made is not None:
        missing = [c for c in CATEGORIES if c not in made.categories]
        if missing:
            doc.report(("categories",), "MISSING-KEY", f"no kinds for {', '.join(missing)}")
    if made is None or doc.problems:
        raise PolicyErrors(doc.problems)
    return made


def read_mapping(path: Path) -> MappingFile:
    """A foreign taxonomy; PolicyErrors with every problem."""
    doc = read_yaml(path.read_bytes(), str(path))
    made = read_shape(doc, MappingFile)
    if made is None or doc.problems:
        raise PolicyErrors(doc.problems)
    return made


def map_categories(
    mapping: MappingFile, categories: Sequence[CategoryResult], *, modality_scores: Mapping[str, float] | None = None
) -> list[Mapped]:
    """The categories in foreign words: the worst of each key's sources.

    `modality_scores` are signals such as `score.violence.image`; keys that ask for one modality need them.
    """
    known = {c.name: c for c in categories}
    return [_map_key(mapping, item, known, modality_scores or {}) for item in mapping.keys]


def _map_key(
    mapping: MappingFile, item: KeyFile, known: Mapping[str, CategoryResult], modality_scores: Mapping[str, float]
) -> Mapped:
    if item.unmapped:
        return Mapped(item.key, None, None, f"not mapped: {item.unmapped}")
    if item.modality is not None:
        names = [f"score.{c}.{item.modality}" for c in item.sources]
        scores = [modality_scores[n] for n in names if n in modality_scores]
        return Mapped(item.key, max(scores), None, item.note) if scores else Mapped(item.key, None, None, "not scored")
    found = [known[c] for c in item.sources if c in known and known[c].score is not None]
    if not found:
        return Mapped(item.key, None, None, "not scored")
    worst = max(found, key=lambda c: c.score or 0.0)
    severities = [c.severity for c in found if c.severity is not None]
    severity = max(severities) if severities else None
    if severity is not None and mapping.severities:
        severity = mapping.severities[severity]
    part = [c for c in item.sources if c not in {f.name for f in found}]
    note = item.note or (f"without {', '.join(part)}, which was not scored" if part else "")
    return Mapped(item.key, worst.score, severity, note)
