"""From drawings and their names to a release's image tower and joint space: pictures, captions, tuning, the record.

Starts at the ridge map that `align.py` found from class names alone and says how far pairs brought it. Pictures are
the licensed icons and emoji of the data folder; those of the test split, and their names, are only measured with.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from triton_models.contract import IMAGE_SIZE_PX, LABELS
from triton_models.deltas import ALIGNED, IMAGE_FILE, save_deltas
from triton_models.pixels import decode_image
from triton_models.serving.joint_space import JointSpace, unit
from triton_models.serving.text_tower import TextTower
from triton_models.training.align import RIDGE, Alignment, class_texts, classes_named, solve
from triton_models.training.align_tune import AlignData, AlignNet, AlignRecipe, tune
from triton_models.training.graph_image import STAGES
from triton_models.training.image_layers import ImageLayers, store_states
from triton_models.training.interpolate import choose, mix, sweep
from triton_models.training.metrics import auroc
from triton_models.training.pairs import Style, all_icons, find_icons, render_icon
from triton_models.training.pairs.icons import PHOTOGRAPHS, Icon
from triton_models.training.pairs.svg import SvgError, icon_mask
from triton_models.training.picture_calibrate import open_eyes
from triton_models.training.progress import Progress
from triton_models.training.retrieval import by_language

Array = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
Weights = Mapping[str, Array]

MAP: Final = "map"
SPLITS: Final = ("train", "dev", "test")
SMALL_PX: Final = 32
VIEWS_MEASURED: Final = 2
WEAPONS: Final = ("guns", "blades", "explosives")
CROPS: Final = ((0, 0, 1, 1), (0, 0, 0.7, 0.7), (0.3, 0, 1, 0.7), (0, 0.3, 0.7, 1), (0.3, 0.3, 1, 1))
BATCH: Final = 64


@dataclass(frozen=True, slots=True)
class AlignJob:
    """One run."""

    version: Path  # an assembled version: its text tower reads the captions
    image: Weights  # the part's image tower
    data: Path
    work: Path
    out: Path  # release folder
    progress: Progress
    recipe: AlignRecipe = field(default_factory=AlignRecipe)


@dataclass(frozen=True, slots=True)
class _Views:
    """Pictures of one split: their states, and of which icon each is."""

    icons: Sequence[Icon]
    states: npt.NDArray[np.float16]
    picture: npt.NDArray[np.int64]


def run_align(job: AlignJob) -> dict[str, Any]:
    """Writes the image tower's deltas, the joint space and the record into the release folder; the record."""
    icons = _drawable(job)
    tower = TextTower.load(job.version)
    raw = _read(tower, class_texts())
    centre = raw.mean(axis=0)
    classes = unit(raw - centre)
    names = sorted({name for icon in icons for name in icon.captions.values()})
    with job.progress.stage("read captions", len(names)) as advance:
        vectors = unit(_read(tower, names) - centre)
        advance(len(names))
    row_of = {name: row for row, name in enumerate(names)}
    weight, bias = (np.array(job.image[f"classifier.{leaf}"], np.float32) for leaf in ("weight", "bias"))
    ridge = solve(unit(weight - weight.mean(axis=0)), classes, RIDGE)
    views = {split: _see(job, [icon for icon in icons if icon.split == split], split) for split in SPLITS}
    told = [{language: row_of[name] for language, name in icon.captions.items()} for icon in views["train"].icons]
    data = AlignData(views["train"].states, views["train"].picture, told, vectors, weight, bias, classes)
    net, start = AlignNet(job.image, ridge, job.recipe.first), ImageLayers(job.image, job.recipe.first)
    start = start.requires_grad_(requires_grad=False).to(memory_format=torch.channels_last)
    losses = tune(net, start, data, job.recipe, work=job.work, progress=job.progress)
    before, after = _weights(start, ridge), _weights(net.layers, net.map.detach().numpy())
    space = JointSpace(centre, ridge, weight, bias, classes)
    judge = _Judge(job, views, vectors, row_of, space)
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
    image_map = mixed.pop(MAP)
    if chosen.alpha and job.recipe.first < len(STAGES):
        save_deltas(mixed, {name: np.array(job.image[name]) for name in mixed}, job.out, file=IMAGE_FILE)
    Alignment(centre, image_map, classes).save(job.out)
    (job.out / ALIGNED).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return record


class _Judge:
    """Measures weights: those of the stages under the part's names, and the map under MAP."""

    def __init__(
        self,
        job: AlignJob,
        views: Mapping[str, _Views],
        vectors: Array,
        row_of: Mapping[str, int],
        space: JointSpace,
    ) -> None:
        self._job, self._views, self._vectors, self._row_of, self._space = job, views, vectors, row_of, space
        self._net = ImageLayers(job.image, job.recipe.first).to(memory_format=torch.channels_last)
        self._photographs = _photographs(job)
        self._named: npt.NDArray[np.int64] | None = None

    def measure(self, weights: Weights) -> tuple[float, float]:
        """English recall at 10 on dev pictures, and the share of photographs that keep their class."""
        self._load(weights)
        found = self._retrieval("dev", weights, ("en",))["en"]
        return found["picture_to_text_at_10"], self._kept()

    def record(self, before: Weights, after: Weights) -> dict[str, Any]:
        """Retrieval on test pictures in every language and weapons told by prompts, before and after."""
        languages = sorted({language for icon in self._views["test"].icons for language in icon.captions})
        found: dict[str, Any] = {"photograph_views": len(self._photographs) if self._photographs is not None else 0}
        for name, weights in (("start", before), ("tuned", after)):
            self._load(weights)
            found[name] = {
                "words_unseen": self._retrieval("test", weights, languages),
                "words_seen": self._retrieval("train", weights, languages),
                "classes_named": round(classes_named(self._space.classifier, self._alignment(weights)), 4),
                "weapons_auroc": self._weapons(weights),
                "photographs_keep_class": round(self._kept(), 4),
            }
        return found

    def _load(self, weights: Weights) -> None:
        with torch.no_grad():
            for name, parameter in self._net.part_names().items():
                parameter.copy_(torch.from_numpy(np.array(weights[name])).reshape(parameter.shape))

    @torch.no_grad()
    def _features(self, states: npt.NDArray[np.float16]) -> Array:
        found = []
        for start in range(0, len(states), BATCH):
            some = torch.from_numpy(states[start : start + BATCH].astype(np.float32))
            found.append(self._net(some.contiguous(memory_format=torch.channels_last)).numpy())
        return np.concatenate(found)

    def _alignment(self, weights: Weights) -> Alignment:
        return Alignment(self._space.text_centre, weights[MAP], self._space.class_vectors)

    def _joint(self, features: Array, weights: Weights) -> Array:
        return replace(self._space, image_map=weights[MAP]).image(features)

    def _retrieval(self, split: str, weights: Weights, languages: Sequence[str]) -> dict[str, dict[str, float]]:
        views = self._views[split]
        rows = np.unique(views.picture, return_index=True)[1]  # one view of each
        told = [{one: self._row_of[name] for one, name in icon.captions.items()} for icon in views.icons]
        seen = self._joint(self._features(views.states[rows]), weights)
        return by_language(seen, told, self._vectors, languages=languages)

    def _weapons(self, weights: Weights) -> float | None:
        """AUROC of the prompt bank's weapons margin on test drawings of weapons against the other test drawings."""
        eyes = open_eyes(self._job.version)
        if eyes is None:
            return None
        kinds = find_icons(self._job.data)
        armed = {icon.name for one in WEAPONS for icon in kinds[one]}
        views = self._views["test"]
        margins = eyes.bank.score(self._joint(self._features(views.states[:]), weights))[:, LABELS.index("weapons")]
        truth = np.array([views.icons[one].name in armed for one in views.picture])
        return round(auroc(truth, margins.astype(np.float64)), 4)

    def _kept(self) -> float:
        """The share of photographs whose class is what the start says; 1.0 when there is none."""
        if self._photographs is None:
            return 1.0
        logits = self._features(self._photographs) @ self._space.classifier.T + self._space.classifier_bias
        named = logits.argmax(axis=1)
        if self._named is None:  # the first weights measured are the start's
            self._named = named
        return float((named == self._named).mean())


def _weights(layers: ImageLayers, image_map: Array) -> dict[str, Array]:
    found = {name: np.array(value.detach().numpy()) for name, value in layers.part_names().items()}
    return {**found, MAP: np.array(image_map)}


def _drawable(job: AlignJob) -> list[Icon]:
    """The named pictures of the data folder; an icon that our renderer cannot draw is told and left out."""
    found, failed = list[Icon](), list[str]()
    for icon in all_icons(job.data):
        try:
            if icon.path.suffix == ".svg":
                icon_mask(icon.path.read_text(encoding="utf-8"), SMALL_PX)
        except SvgError as exc:
            failed.append(f"{icon.name}: {exc}")
        else:
            found.append(icon)
    if failed:
        job.progress.note(f"not drawn: {'; '.join(failed)}")
    return found


def _see(job: AlignJob, icons: Sequence[Icon], split: str) -> _Views:
    """The states of every view of some icons."""
    count = job.recipe.views if split == "train" else VIEWS_MEASURED
    shown = [(icon, view) for icon in icons for view in range(count)]

    def pixels(number: int) -> Pixels:
        icon, view = shown[number]
        return _pixels(render_icon(icon, Style(f"align/{icon.name}/{view}")))

    key = hashlib.blake2b(repr((job.recipe.first, count, [icon.name for icon in icons])).encode(), digest_size=8)
    path = job.work / f"states-{split}-{key.hexdigest()}.npy"
    with job.progress.stage(f"see {split} pictures", len(shown)) as advance:
        states = store_states(job.image.__getitem__, pixels, len(shown), path, first=job.recipe.first, advance=advance)
    return _Views(icons, states, np.repeat(np.arange(len(icons)), count))


def _photographs(job: AlignJob) -> npt.NDArray[np.float16] | None:
    """The states of the data folder's photographs and of pieces of them; None when it has none."""
    files = sorted((job.data / PHOTOGRAPHS).rglob("*.jpg"))
    if not files:
        return None
    pieces: list[Pixels] = []
    for file in files:
        with Image.open(file) as source:
            whole = source.convert("RGB")
            for left, top, right, bottom in CROPS:
                wide, high = whole.size
                box = (round(left * wide), round(top * high), round(right * wide), round(bottom * high))
                piece = whole.crop(box).resize((IMAGE_SIZE_PX, IMAGE_SIZE_PX), Image.Resampling.BICUBIC)
                pieces.append(np.asarray(piece, dtype=np.uint8))
    path = job.work / f"states-photographs-{job.recipe.first}-{len(pieces)}.npy"
    return store_states(
        job.image.__getitem__, lambda n: pieces[n], len(pieces), path, first=job.recipe.first, advance=lambda _n: None
    )


def _read(tower: TextTower, texts: Sequence[str]) -> Array:
    return np.concatenate([tower.encode(texts[at : at + 256]) for at in range(0, len(texts), 256)])


def _pixels(jpeg: bytes) -> Pixels:
    return np.frombuffer(decode_image(jpeg), dtype=np.uint8).reshape(IMAGE_SIZE_PX, IMAGE_SIZE_PX, 3)
