"""From drawings and their names to a release's joint space: pictures, captions, training, the record.

Starts at the ridge map that `align.py` found from class names alone and says how far pairs brought it. Pictures are
the licensed icons and emoji of the data folder; those of the test split, and their names, are only measured with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from triton_models.contract import LABELS
from triton_models.deltas import ALIGNED
from triton_models.serving.joint_space import JointSpace, unit
from triton_models.serving.text_tower import TextTower
from triton_models.training.align import RIDGE, Alignment, class_texts, classes_named, solve
from triton_models.training.align_tune import AlignData, AlignNet, AlignRecipe, tune
from triton_models.training.drawings import drawable, see
from triton_models.training.encoder import read_texts
from triton_models.training.interpolate import choose, mix, sweep
from triton_models.training.metrics import auroc
from triton_models.training.pairs import Style, all_icons, find_icons
from triton_models.training.pairs.icons import Icon
from triton_models.training.picture_calibrate import open_eyes
from triton_models.training.progress import Progress
from triton_models.training.retrieval import by_language, rows_of

Array = npt.NDArray[np.float32]
Weights = Mapping[str, Array]

MAP: Final = "map"
SPLITS: Final = ("train", "dev", "test")
VIEWS_MEASURED: Final = 2
WEAPONS: Final = ("guns", "blades", "explosives")


@dataclass(frozen=True, slots=True)
class AlignJob:
    """One run."""

    version: Path  # an assembled version: its towers see the pictures and read the captions
    data: Path
    work: Path
    out: Path  # release folder
    progress: Progress
    recipe: AlignRecipe = field(default_factory=AlignRecipe)
    processes: int = 1  # that draw


@dataclass(frozen=True, slots=True)
class _Views:
    """Pictures of one split: their features, and of which icon each is."""

    icons: Sequence[Icon]
    features: Array
    picture: npt.NDArray[np.int64]


def run_align(job: AlignJob) -> dict[str, Any]:
    """Writes the joint space and the record into the release folder; the record."""
    icons = drawable(all_icons(job.data), job.progress)
    tower, served = TextTower.load(job.version), JointSpace.load(job.version)
    raw = read_texts(tower, class_texts(), stage="read class names", progress=job.progress)
    centre = raw.mean(axis=0)
    classes = unit(raw - centre)
    names = sorted({name for icon in icons for name in icon.captions.values()})
    vectors = unit(read_texts(tower, names, stage="read captions", progress=job.progress) - centre)
    row_of = {name: row for row, name in enumerate(names)}
    weight, bias = served.classifier, served.classifier_bias
    ridge = solve(unit(weight - weight.mean(axis=0)), classes, RIDGE)
    views = {split: _see(job, [icon for icon in icons if icon.split == split], split) for split in SPLITS}
    told = rows_of((icon.captions for icon in views["train"].icons), row_of)
    net = AlignNet(ridge)
    data = AlignData(views["train"].features, views["train"].picture, told, vectors, weight, classes)
    losses = tune(net, data, job.recipe, work=job.work, progress=job.progress)
    before, after = {MAP: ridge}, {MAP: net.map.detach().numpy()}
    judge = _Judge(job, views, vectors, row_of, JointSpace(centre, ridge, weight, bias, classes))
    with job.progress.stage("sweep", 1) as advance:
        mixtures = sweep(before, after, judge.measure)
        advance(1)
    chosen = choose(mixtures)
    mixed = mix(before, after, chosen.alpha)
    record = judge.record(before, mixed) | {
        "recipe": asdict(job.recipe),
        "pictures": {split: len(one.icons) for split, one in views.items()},
        "losses": [round(one, 4) for one in losses],
        "sweep": [asdict(one) for one in mixtures],
        "alpha": chosen.alpha,
    }
    Alignment(centre, mixed[MAP], classes).save(job.out)
    (job.out / ALIGNED).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return record


class _Judge:
    """Measures maps, each under MAP."""

    def __init__(
        self,
        job: AlignJob,
        views: Mapping[str, _Views],
        vectors: Array,
        row_of: Mapping[str, int],
        space: JointSpace,
    ) -> None:
        self._views, self._vectors, self._row_of, self._space = views, vectors, row_of, space
        self._eyes = open_eyes(job.version)
        kinds = find_icons(job.data)
        self._armed = {icon.name for one in WEAPONS for icon in kinds[one]}

    def measure(self, weights: Weights) -> tuple[float, float]:
        """English recall at 10 on dev pictures, and the share of ImageNet's classes that keep their name."""
        found = self._retrieval("dev", weights, ("en",))["en"]
        return found["picture_to_text_at_10"], self._named(weights)

    def record(self, before: Weights, after: Weights) -> dict[str, Any]:
        """Retrieval on test pictures in every language and weapons told by prompts, before and after."""
        languages = sorted({language for icon in self._views["test"].icons for language in icon.captions})
        return {
            name: {
                "words_unseen": self._retrieval("test", weights, languages),
                "words_seen": self._retrieval("train", weights, languages),
                "classes_named": round(self._named(weights), 4),
                "weapons_auroc": self._weapons(weights),
            }
            for name, weights in (("start", before), ("tuned", after))
        }

    def _named(self, weights: Weights) -> float:
        alignment = Alignment(self._space.text_centre, weights[MAP], self._space.class_vectors)
        return classes_named(self._space.classifier, alignment)

    def _joint(self, features: Array, weights: Weights) -> Array:
        return replace(self._space, image_map=weights[MAP]).image(features)

    def _retrieval(self, split: str, weights: Weights, languages: Sequence[str]) -> dict[str, dict[str, float]]:
        views = self._views[split]
        rows = np.unique(views.picture, return_index=True)[1]  # one view of each
        told = rows_of((icon.captions for icon in views.icons), self._row_of)
        seen = self._joint(views.features[rows], weights)
        return by_language(seen, told, self._vectors, languages=languages)

    def _weapons(self, weights: Weights) -> float | None:
        """AUROC of the prompt bank's weapons margin on test drawings of weapons against the other test drawings."""
        if self._eyes is None:
            return None
        views = self._views["test"]
        margins = self._eyes.bank.score(self._joint(views.features, weights))[:, LABELS.index("weapons")]
        truth = np.array([views.icons[one].name in self._armed for one in views.picture])
        return round(auroc(truth, margins.astype(np.float64)), 4)


def _see(job: AlignJob, icons: Sequence[Icon], split: str) -> _Views:
    """The features of every view of some icons."""
    count = job.recipe.views if split == "train" else VIEWS_MEASURED
    shown = [(icon, Style(f"align/{icon.name}/{view}")) for icon in icons for view in range(count)]
    features = see(job.version, shown, job.work, progress=job.progress, processes=job.processes)
    return _Views(icons, features, np.repeat(np.arange(len(icons)), count))
