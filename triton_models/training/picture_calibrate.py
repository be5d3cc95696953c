"""What picture members' numbers mean, without a single harmful photograph: scales set on harmless pictures.

No licence-clean set of harmful photographs is at hand, so nothing here is fitted to harm. For the prompt bank the
scale of a category is set on *harmless* pictures (emoji, photographs) and on the classifier's own class directions,
which stand for photographs of 1,000 named things: p = .5 where only 1 in 200 of them reaches, p = .05 where 1 in 5
does. A category is used only if it also ranks class directions that *are* the thing (rifle, revolver: weapons) above
the others; the others abstain. The sexual-image classifier keeps its own probability, moved so that its makers'
customary threshold of .8 is our .5. It is unmeasured here, and the card says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from triton_models.contract import IMAGE_SIZE_PX, LABELS
from triton_models.pixels import ImageRejected, decode_image
from triton_models.serving.fuse import Stacker
from triton_models.serving.heads import PromptBank
from triton_models.serving.image_tower import ImageTower
from triton_models.serving.joint_space import JointSpace
from triton_models.serving.members import CARD, load_members
from triton_models.training.datasets.rows import DataError
from triton_models.training.metrics import auroc
from triton_models.training.progress import Progress

FloatArray = npt.NDArray[np.float32]
Encode = Callable[[Sequence[str]], FloatArray]
"""Texts -> `[N, D]` vectors of the text tower."""

PICTURES: Final = (("images/noto_emoji", "*.png"), ("images/pdq", "*.jpg"))
BATCH: Final = 16
HALF_AT: Final = 0.995  # quantile of harmless margins where p = .5
LITTLE_AT: Final = 0.80  # and where p = LITTLE
LITTLE: Final = 0.05
LEAST_AUROC: Final = 0.95
#: ImageNet classes that are the thing itself. A category without any cannot be checked, and abstains.
NAMED: Final[Mapping[str, frozenset[str]]] = {
    "weapons": frozenset({"assault rifle", "rifle", "revolver", "cannon", "missile", "projectile"}),
}
#: Classes that go with the thing; neither it nor harmless.
NEAR: Final[Mapping[str, frozenset[str]]] = {
    "weapons": frozenset({"holster", "military uniform", "bulletproof vest", "bow", "cleaver", "tank", "guillotine"}),
}
NSFW: Final = Stacker(("nsfw",), (1.0,), -float(np.log(0.8 / 0.2)))
QUANTILES: Final = 101


@dataclass(frozen=True, slots=True)
class Eyes:
    """The picture members of an assembled version."""

    tower: ImageTower
    space: JointSpace
    bank: PromptBank


@dataclass(frozen=True, slots=True)
class PictureScale:
    """What the fuser needs to read pictures, and the figures behind it."""

    image: Mapping[str, tuple[Stacker, ...]]
    alignment_quantiles: tuple[float, ...]
    report: Sequence[Mapping[str, str | float | int]]


def open_eyes(version: Path) -> Eyes | None:
    """The picture members of an assembled version; None when it has not all of them (a folder with the text tower).

    DataError for a version that another Weir assembled.
    """
    if not (version / CARD).is_file():
        return None
    try:
        members = load_members(version)
    except ValueError as exc:
        raise DataError(version, f"cannot be loaded: {exc}", "run `weir model assemble`") from exc
    tower, space, bank = members.image_tower, members.joint_space, members.image_prompts
    return Eyes(tower, space, bank) if tower is not None and space is not None and bank is not None else None


def measure_pictures(eyes: Eyes, data: Path, *, encode: Encode, progress: Progress) -> PictureScale | None:
    """Looks at the harmless pictures of `data` and sets every scale; None when it has none."""
    files = picture_files(data)
    texts = captions(data)
    if not files or not texts:
        return None
    pictures = see(eyes, files, progress=progress)
    return scale_pictures(eyes, pictures, names=class_names(), unrelated=eyes.space.text(encode(texts)))


def class_names() -> list[str]:
    """The first name of each of the classifier's 1,000 classes, in its order."""
    from timm.data.imagenet_info import ImageNetInfo

    names = ImageNetInfo()
    return [str(names.index_to_description(index)).split(",")[0] for index in range(1000)]


def picture_files(data: Path) -> list[Path]:
    """The harmless pictures below a data folder; empty when it has none."""
    return [path for folder, pattern in PICTURES for path in sorted((data / folder).rglob(pattern))]


def see(eyes: Eyes, paths: Sequence[Path], *, progress: Progress) -> FloatArray:
    """`[N, D]` vectors of the joint space of the pictures that can be read."""
    found: list[FloatArray] = []
    with progress.stage("look at pictures", len(paths)) as advance:
        for start in range(0, len(paths), BATCH):
            pixels = list(_pixels(paths[start : start + BATCH]))
            if pixels:
                found.append(eyes.space.image(eyes.tower.features(np.stack(pixels))))
            advance(len(paths[start : start + BATCH]))
    return np.concatenate(found) if found else np.empty((0, 0), dtype=np.float32)


def class_directions(space: JointSpace, *, length: float = 16.5) -> FloatArray:
    """`[K, D]` joint-space vectors of what the classifier looks for, as long as a photograph's features (16.5)."""
    wanted = np.maximum(space.classifier, 0.0)  # features come out of a ReLU
    norms = np.linalg.norm(wanted, axis=1, keepdims=True)
    return space.image((wanted / norms * np.float32(length)).astype(np.float32))


def scale_pictures(eyes: Eyes, pictures: FloatArray, *, names: Sequence[str], unrelated: FloatArray) -> PictureScale:
    """The scale of every picture category. `names` are the classifier's classes; `unrelated` joint vectors of texts."""
    own = class_directions(eyes.space)
    harmless, directions = eyes.bank.score(pictures), eyes.bank.score(own)
    image: dict[str, tuple[Stacker, ...]] = {"sexual": (NSFW,)}
    report: list[dict[str, str | float | int]] = []
    for category in eyes.bank.harmful:
        column = LABELS.index(category)
        named = np.array([name in NAMED.get(category, ()) for name in names], dtype=np.bool_)
        near = np.array([name in NEAR.get(category, ()) for name in names], dtype=np.bool_)
        reached = auroc(named[~near], directions[~near, column].astype(np.float64))
        pool = np.concatenate((harmless[:, column], directions[~named & ~near, column]))
        half, little = np.quantile(pool, (HALF_AT, LITTLE_AT))
        used = bool(reached >= LEAST_AUROC)
        if used:
            slope = float(np.log((1 - LITTLE) / LITTLE) / max(half - little, 1e-3))
            image[category] = (Stacker(("prompts",), (slope,), -slope * float(half)),)
        report.append(
            {
                "category": category,
                "class directions that are it": int(named.sum()),
                "AUROC on directions": round(reached, 4) if named.any() else "unknown",
                "margin at p = .5": round(float(half), 4),
                "used": "yes" if used else "no: abstains",
            }
        )
    cosines = np.quantile(pictures @ unrelated.T, np.linspace(0.0, 1.0, QUANTILES))
    return PictureScale(image, tuple(float(value) for value in cosines), report)


def captions(data: Path, *, languages: Sequence[str] = ("en", "de", "zh", "es"), most: int = 300) -> list[str]:
    """Emoji names in several languages, as texts that have nothing to do with a given picture."""
    found: list[str] = []
    for language in languages:
        path = data / "images" / "cldr_annotations" / f"{language}.json"
        if path.is_file():
            named = json.loads(path.read_text(encoding="utf-8"))["annotations"]["annotations"]
            spoken = [entry["tts"][0] for entry in named.values() if entry.get("tts")]
            found.extend(spoken[:: max(1, len(spoken) * len(languages) // most)])
    return found


def _pixels(paths: Sequence[Path]) -> Iterator[npt.NDArray[np.uint8]]:
    for path in paths:
        try:
            raw = decode_image(path.read_bytes())
        except ImageRejected:
            continue
        yield np.frombuffer(raw, dtype=np.uint8).reshape(IMAGE_SIZE_PX, IMAGE_SIZE_PX, 3)
