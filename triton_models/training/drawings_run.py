"""From drawings and their names to a release's second image tower: pictures, training, the record.

It starts as the first tower and differs from `stages` on. Drawings alone teach it, so what it knows of photographs it
forgets; the first tower keeps that, and only the joint reading asks both. Pictures of the data folder's dev and test
splits, and any further icon that bears the name of one, are never shown to it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from triton_models.deltas import DRAWINGS, DRAWINGS_FILE, save_deltas
from triton_models.serving.joint_space import JointSpace, unit
from triton_models.serving.text_tower import TextTower
from triton_models.training.drawings import draw_batches, drawable, names_of, renderer_digest
from triton_models.training.drawings_tune import DrawingsData, DrawingsNet, DrawingsRecipe, tune_drawings
from triton_models.training.encoder import read_texts
from triton_models.training.graph_image import export_image_graph
from triton_models.training.image_layers import BATCH, store_states
from triton_models.training.metrics import auroc
from triton_models.training.pairs import Style, all_icons, learned_icons
from triton_models.training.pairs.icon_sets import further_icons
from triton_models.training.pairs.icons import Icon
from triton_models.training.progress import Progress
from triton_models.training.retrieval import by_language, rows_of

Array = npt.NDArray[np.float32]
Weights = Mapping[str, Array]

SPLITS: Final = ("train", "dev", "test")
VIEWS_MEASURED: Final = 2


@dataclass(frozen=True, slots=True)
class DrawingsJob:
    """One run."""

    version: Path  # an assembled version: its text tower reads the names, its joint space is the start
    image: Weights  # the part's image tower
    data: Path
    icon_sets: Path | None  # the wheel with further icons; None: the data folder's alone
    work: Path
    out: Path  # release folder
    progress: Progress
    recipe: DrawingsRecipe = field(default_factory=DrawingsRecipe)
    processes: int = 1  # that draw


@dataclass(frozen=True, slots=True)
class _Views:
    """Pictures of one split: their states, and of which icon each is."""

    icons: Sequence[Icon]
    states: npt.NDArray[np.float16]
    picture: npt.NDArray[np.int64]


def run_drawings(job: DrawingsJob) -> dict[str, Any]:
    """Writes the second tower's deltas and graph and the record into the release folder; the record."""
    sets = further_icons(job.icon_sets, job.work / "icons", job.data)
    icons = drawable([*all_icons(job.data), *sets], job.progress)
    kinds = _kinds(job.data, sets)
    concepts = sorted({concept for known in kinds.values() for concept in known})
    tower, space = TextTower.load(job.version), JointSpace.load(job.version)
    names = sorted({name for icon in icons for name in icon.captions.values()})
    raw = read_texts(tower, names, stage="read names", progress=job.progress)
    vectors, row_of = unit(raw - space.text_centre), {name: row for row, name in enumerate(names)}
    views = {split: _see(job, [icon for icon in icons if icon.split == split], split, kinds) for split in SPLITS}
    train = views["train"]
    data = DrawingsData(train.states, train.picture, _told(train, row_of), vectors, _table(train, kinds, concepts))
    net = DrawingsNet(job.image, space.image_map, len(concepts), job.recipe)
    start = _measure(net, views, (vectors, row_of), (kinds, concepts), job.progress)
    losses = tune_drawings(net, data, job.recipe, work=job.work, progress=job.progress)
    moved = {name: np.array(value.detach().numpy()) for name, value in net.layers.part_names().items()}
    job.out.mkdir(parents=True, exist_ok=True)
    save_deltas(moved, {name: np.array(job.image[name]) for name in moved}, job.out, file=DRAWINGS_FILE)
    (job.out / "graphs").mkdir(exist_ok=True)
    export_image_graph(job.out / "graphs", name="drawings")
    record = {
        "recipe": asdict(job.recipe),
        "pictures": {split: len(one.icons) for split, one in views.items()},
        "views": {split: len(one.states) for split, one in views.items()},
        "losses": [round(one, 4) for one in losses],
        "start": start,
        "tuned": _measure(net, views, (vectors, row_of), (kinds, concepts), job.progress),
    }
    (job.out / DRAWINGS).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return record


def _kinds(data: Path, sets: Sequence[Icon]) -> dict[str, set[str]]:
    """Picture -> the concepts that our tables name it in."""
    found: dict[str, set[str]] = {}
    for concept, icons in learned_icons(data, sets).items():
        for icon in icons:
            found.setdefault(icon.name, set()).add(concept)
    return found


def _table(views: _Views, kinds: Mapping[str, set[str]], concepts: Sequence[str]) -> Array:
    """`[P, K]` what each picture is of; NaN where no concept names it."""
    rows = [
        [float(one in kinds[icon.name]) if icon.name in kinds else np.nan for one in concepts] for icon in views.icons
    ]
    return np.array(rows, dtype=np.float32)


def _told(views: _Views, row_of: Mapping[str, int]) -> list[dict[str, int]]:
    return rows_of((icon.captions for icon in views.icons), row_of)


def _see(job: DrawingsJob, icons: Sequence[Icon], split: str, kinds: Mapping[str, set[str]]) -> _Views:
    """The states of every view of some icons."""
    recipe = job.recipe

    def count(icon: Icon) -> int:
        if split != "train":
            return VIEWS_MEASURED
        return recipe.views_of_concepts if icon.name in kinds else recipe.views

    shown = [(icon, Style(f"drawings/{icon.name}/{view}")) for icon in icons for view in range(count(icon))]
    told = "\n".join((str(recipe.first), *names_of(shown), renderer_digest()))
    path = job.work / f"states-{split}-{hashlib.blake2b(told.encode(), digest_size=8).hexdigest()}.npy"
    with job.progress.stage(f"see {split} pictures", len(shown)) as advance:
        batches = draw_batches(shown, processes=job.processes)
        states = store_states(job.image.__getitem__, batches, len(shown), path, first=recipe.first, advance=advance)
    return _Views(icons, states, np.repeat(np.arange(len(icons)), [count(icon) for icon in icons]))


@torch.no_grad()
def _measure(
    net: DrawingsNet,
    views: Mapping[str, _Views],
    words: tuple[Array, Mapping[str, int]],
    known: tuple[Mapping[str, set[str]], Sequence[str]],
    progress: Progress,
) -> dict[str, Any]:
    """Names found for unseen pictures, by split and language, and AUROC of each concept among pictures of any."""
    net.eval()
    found: dict[str, Any] = {}
    for split in ("dev", "test"):
        own, (vectors, row_of), (kinds, concepts) = views[split], words, known
        joint, logits = [], []
        with progress.stage(f"measure {split}", len(own.states)) as advance:
            for at in range(0, len(own.states), BATCH):
                some = torch.from_numpy(own.states[at : at + BATCH].astype(np.float32))
                vector, kind = net(some.contiguous(memory_format=torch.channels_last))
                joint.append(vector.numpy())
                logits.append(kind.numpy())
                advance(len(some))
        first = np.unique(own.picture, return_index=True)[1]  # one view of each
        languages = sorted({language for icon in own.icons for language in icon.captions})
        truth, said = _table(own, kinds, concepts)[own.picture], np.concatenate(logits).astype(np.float64)
        told = ~np.isnan(truth).any(axis=1)
        found[split] = {
            "names": by_language(np.concatenate(joint)[first], _told(own, row_of), vectors, languages=languages),
            "kinds": {
                one: round(auroc(truth[told, at] > 0, said[told, at]), 4)
                for at, one in enumerate(concepts)
                if 0 < truth[told, at].sum() < told.sum()
            },
        }
    return found
