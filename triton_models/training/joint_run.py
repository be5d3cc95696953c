"""From a data folder to a release's joint head: pairs, both towers' vectors, training, figures on held-out pairs.

The towers are those of an assembled version, run as they are served; what they see is kept in the work folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from triton_models.contract import LABELS
from triton_models.deltas import JOINT
from triton_models.serving import image_tower
from triton_models.serving.joint_fusion import JointHead
from triton_models.serving.text_tower import TextTower
from triton_models.training.datasets import Row, build_rows
from triton_models.training.datasets.sample import thinned
from triton_models.training.drawings import drawable, see
from triton_models.training.encoder import read_texts
from triton_models.training.joint import JointRecipe, fit_joint, joint_data, measure_quadruples
from triton_models.training.manifest_build import style_of
from triton_models.training.pairs import Pair, PairPlan, build_pairs, learned_icons, load_phrases
from triton_models.training.pairs.icon_sets import further_icons
from triton_models.training.progress import Progress

FloatArray = npt.NDArray[np.float32]

ORDINARY_SETS: Final = ("davidson", "cold_zh", "germeval2018_de")
ORDINARY_TRAIN: Final = 6_000
ORDINARY_TEST: Final = 600


@dataclass(frozen=True, slots=True)
class JointJob:
    """One run."""

    version: Path  # an assembled version directory
    data: Path
    work: Path
    out: Path  # release folder
    progress: Progress
    plan: PairPlan = field(default_factory=lambda: PairPlan(500, 20261124))
    recipe: JointRecipe = field(default_factory=JointRecipe)
    processes: int = 1  # that draw
    icon_sets: Path | None = None  # the wheel with further icons to learn from; None: the data folder's alone


def run_joint(job: JointJob) -> dict[str, Any]:
    """Writes `joint.npz` and its record into the release folder; the record."""
    sets = further_icons(job.icon_sets, job.work / "icons", job.data)
    pairs = build_pairs(load_phrases(), learned_icons(job.data, drawable(sets, job.progress)), job.plan)
    categories = tuple(name for name in LABELS if name in {pair.category for pair in pairs})
    ordinary = _ordinary(job)
    images = _see(job, pairs)
    texts = _read(job, [*(pair.text for pair in pairs), *ordinary["train"], *ordinary["test"]])
    train = [pair for pair in pairs if pair.split == "train"]
    data = joint_data(
        train,
        categories,
        images=images,
        texts={pair.text: texts[pair.text] for pair in train},
        ordinary=[texts[text] for text in ordinary["train"]],
        seed=job.plan.seed,
    )
    with job.progress.stage("fit the joint head", job.recipe.epochs) as advance:
        head = fit_joint(data, categories, job.recipe, advance=advance)
    job.out.mkdir(parents=True, exist_ok=True)
    head.save(job.out)
    head = JointHead.load(job.out)  # what is served is what is measured
    record = {
        "recipe": asdict(job.recipe),
        "pairs": {split: sum(pair.split == split for pair in pairs) for split in ("train", "dev", "test")},
        "categories": list(categories),
        **{split: measure_pairs(head, pairs, split, images, texts) for split in ("dev", "test")},
        "ordinary_alarms": ordinary_alarms(head, [texts[text] for text in ordinary["test"]], images),
    }
    (job.out / JOINT).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return record


def measure_pairs(
    head: JointHead,
    pairs: Sequence[Pair],
    split: str,
    images: Mapping[str, FloatArray],
    texts: Mapping[str, FloatArray],
) -> dict[str, Any]:
    """The quadruples of one split, judged by the head alone."""
    chosen = [pair for pair in pairs if pair.split == split]
    logits = head.logits(
        np.stack([images[_key(pair)] for pair in chosen]), np.stack([texts[pair.text] for pair in chosen])
    )
    own = logits[np.arange(len(chosen)), [LABELS.index(pair.category) for pair in chosen]]
    probability = 1.0 / (1.0 + np.exp(-own))
    return measure_quadruples(chosen, {pair.id: float(p) for pair, p in zip(chosen, probability, strict=True)})


def ordinary_alarms(head: JointHead, texts: Sequence[FloatArray], images: Mapping[str, FloatArray]) -> float:
    """The share of ordinary posts, each with a picture drawn at random, that some category calls harmful."""
    names = list(images)
    drawn = np.random.default_rng(0).integers(0, len(names), len(texts))
    logits = head.logits(np.stack([images[names[index]] for index in drawn]), np.stack(texts))
    return round(float((np.nanmax(logits, axis=1) >= 0.0).mean()), 4)


def _ordinary(job: JointJob) -> dict[str, list[str]]:
    """Posts of training sets that nobody called harmful in any way, for training and for test."""
    with job.progress.stage("find near-duplicates", 65_000) as advance:
        rows, _ = build_rows(job.data, sets=ORDINARY_SETS, seed=job.plan.seed, progress=advance)
    calm = [row for row in rows if row.labels.get("hate", 0) == 0 and row.labels.get("harassment") == 0]

    def texts(split: str, most: int) -> list[str]:
        chosen: list[Row] = thinned([row for row in calm if row.split == split], most, job.plan.seed)
        return [row.text for row in chosen]

    return {"train": texts("train", ORDINARY_TRAIN), "test": texts("test", ORDINARY_TEST)}


def _see(job: JointJob, pairs: Sequence[Pair]) -> dict[str, FloatArray]:
    """Image features by `<icon>/<style>`, of the second tower too where the version has one."""
    wanted = {_key(pair): pair for pair in pairs}
    names = sorted(wanted)
    shown = [(wanted[name].icon, style_of(wanted[name])) for name in names]
    graphs = [graph for graph in (image_tower.GRAPH, image_tower.DRAWINGS) if (job.version / graph).is_file()]
    features = see(job.version, shown, job.work, progress=job.progress, processes=job.processes, graphs=graphs)
    return dict(zip(names, features, strict=True))


def _read(job: JointJob, texts: Sequence[str]) -> dict[str, FloatArray]:
    """Raw text vectors by text."""
    distinct = sorted(set(texts))
    vectors = read_texts(TextTower.load(job.version), distinct, stage="read texts", progress=job.progress)
    return dict(zip(distinct, vectors, strict=True))


def _key(pair: Pair) -> str:
    return f"{pair.icon.name}/{pair.style}"
