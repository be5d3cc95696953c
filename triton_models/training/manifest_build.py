"""Everything that may be trained on as one manifest: the data sets, the generated pairs, a user's own files.

Pictures of generated pairs are written beside it, once per icon and style. What the check finds is told, never mended.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from triton_models.training.datasets import build_rows
from triton_models.training.datasets.catalog import CATALOG
from triton_models.training.manifest import ManifestRow, write_manifest
from triton_models.training.manifest_check import Finding, attributions, check_manifest, count_manifest
from triton_models.training.manifest_import import import_own
from triton_models.training.pairs import Pair, PairPlan, Style, build_pairs, find_icons, load_phrases, render_icon
from triton_models.training.progress import Progress

MANIFEST: Final = "manifest.jsonl"
REPORT: Final = "report.json"
ATTRIBUTION: Final = "ATTRIBUTION.md"
IMAGES: Final = "images"
OWN: Final = "generated pairs"


@dataclass(frozen=True, slots=True)
class DataPlan:
    """What to put into a manifest."""

    data: Path  # folder of data sets
    sets: tuple[str, ...] = ()
    quadruples: int = 0  # of generated pairs, per family in train
    own: tuple[Path, ...] = ()
    seed: int = 20261124


@dataclass(frozen=True, slots=True)
class BuiltManifest:
    """What became of it."""

    path: Path
    counts: dict[str, Any]
    findings: tuple[Finding, ...]


def build_manifest(plan: DataPlan, out: Path, progress: Progress) -> BuiltManifest:
    """Writes the manifest, its pictures, its report and its attributions below `out`.

    DataError, EvaluateOnlyError or PairDataError when something cannot be had; nothing is written then.
    """
    out.mkdir(parents=True, exist_ok=True)
    rows: list[ManifestRow] = []
    if plan.sets:
        with progress.stage("find near-duplicates", 93_000) as advance:
            rows += _set_rows(plan, advance)
    for path in plan.own:
        rows += import_own(path, seed=plan.seed, pictures=out / IMAGES)
    if plan.quadruples:
        pairs = build_pairs(load_phrases(), find_icons(plan.data), PairPlan(plan.quadruples, plan.seed))
        _draw(pairs, out, progress)
        rows += pair_rows(pairs)
    with progress.stage("check", 1) as advance:
        findings = check_manifest(rows, out)
        advance(1)
    counts = count_manifest(rows)
    write_manifest(rows, out / MANIFEST)
    report = {"counts": counts, "findings": [one.line() for one in findings]}
    (out / REPORT).write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    lines = [f"* {who} ({licence})" for who, licence in attributions(rows).items()]
    (out / ATTRIBUTION).write_text("# Attribution\n\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return BuiltManifest(out / MANIFEST, counts, tuple(findings))


def pair_rows(pairs: Sequence[Pair]) -> Iterator[ManifestRow]:
    """Generated pairs as manifest rows; every category that some family speaks about is answered."""
    categories = sorted({pair.category for pair in pairs})
    for pair in pairs:
        yield ManifestRow(
            id=pair.id,
            text=pair.text,
            image=picture_path(pair),
            labels={name: float(pair.labels.get(name, 0) > 0) for name in categories},
            severity=pair.labels,
            locale=pair.locale,
            source=OWN,
            licence=pair.icon.licence,
            attribution=pair.icon.attribution,
            split=pair.split,
            group=pair.group,
            template=pair.template,
            picture=pair.icon.name,
        )


def picture_path(pair: Pair) -> str:
    """Where the pair's picture lies below the manifest's folder."""
    return f"{IMAGES}/{pair.icon.name}-{pair.style}.jpg"


def style_of(pair: Pair) -> Style:
    """How the pair's picture is drawn: the same for every post that shows this icon in this style."""
    return Style(f"{pair.icon.name}/{pair.style}")


def _set_rows(plan: DataPlan, advance: Any) -> Iterator[ManifestRow]:
    rows, _ = build_rows(plan.data, sets=plan.sets, seed=plan.seed, progress=advance)
    for row in rows:
        card = CATALOG[row.source]
        yield ManifestRow(
            id=row.id,
            text=row.text,
            labels=row.labels,
            locale=row.locale,
            source=row.source,
            licence=card.licence,
            attribution=card.attribution,
            split=row.split,
        )


def _draw(pairs: Sequence[Pair], out: Path, progress: Progress) -> None:
    wanted = {picture_path(pair): pair for pair in pairs}
    with progress.stage("draw pictures", len(wanted)) as advance:
        for name, pair in wanted.items():
            target = out / name
            if not target.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                aside = target.with_suffix(".part")
                aside.write_bytes(render_icon(pair.icon, style_of(pair)))
                aside.replace(target)
            advance(1)
