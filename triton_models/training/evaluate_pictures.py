"""Judges pictures and generated quadruples that were kept from training with the whole served ensemble, for the report.

Text, picture, and what is written in the picture go in together, as in service; the fused row is what is measured.
Where the ensemble abstains it lets pass, so that counts as a probability of 0. Trains, selects and calibrates nothing.
"""

from __future__ import annotations

import io
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from policies.engine.taxonomy import CATEGORIES, Category
from triton_models.contract import JOINT_NAMES, LABELS, ROWS, Status
from triton_models.pixels import decode_image, decode_ocr_image
from triton_models.serving import joint_fusion
from triton_models.serving.ensemble import Ensemble
from triton_models.serving.fuse import Fuser
from triton_models.serving.items import Item, Outputs
from triton_models.serving.joint_fusion import JointHead
from triton_models.serving.members import CARD, load_members
from triton_models.training.augment.images import CHANGES
from triton_models.training.consistency import contradiction_auroc, measure_invariance, measure_order
from triton_models.training.joint import measure_quadruples
from triton_models.training.judge import TextMembers
from triton_models.training.manifest_build import style_of
from triton_models.training.pairs import Icon, Pair, PairDataError, PairPlan, build_pairs, find_icons, load_phrases
from triton_models.training.pairs.icons import EMOJI, ICONS
from triton_models.training.pairs.render import render_icon
from triton_models.training.pairs.svg import SvgError
from triton_models.training.progress import Advance, Progress
from triton_models.training.robustness_pictures import held_out_pictures, lossless, measure_picture_changes

Scores = npt.NDArray[np.float64]
Icons = Mapping[str, Sequence[Icon]]
Judge = Callable[[Sequence[Item]], Outputs]
"""`Ensemble.infer`, or a test's."""

BATCH: Final = 16
PROBE: Final = 8
"""Pictures after which a category that was never judged counts as one that the ensemble abstains from."""
CONTRADICTION: Final = JOINT_NAMES.index("contradiction")
COPIES: Final[Mapping[str, str]] = {"saved again": "jpeg", "mirrored": "flip"}
"""Changes after which a post is still the same post."""


class NotMeasuredError(Exception):
    """There is nothing to judge, or nothing to judge it with; says which."""


@dataclass(frozen=True, slots=True)
class PictureSample:
    """How much is judged."""

    quadruples: int = 150
    pictures: int = 12  # per side and category, each under 13 changes at 0.1 s: half a minute a category
    copies: int = 100  # posts that are judged again with a copy of their picture
    seed: int = 20261124  # of `weir model joint`: its own held-out quadruples, the first of each family


@dataclass(frozen=True, slots=True)
class _Said:
    """What the ensemble said of N posts."""

    fused: Scores  # [N, C]; NaN: abstained
    contradiction: Scores  # [N]
    failed: int  # posts on which some member failed


def picture_sections(
    ensemble: Callable[[], Ensemble], data: Path, *, sample: PictureSample, progress: Progress
) -> dict[str, Any]:
    """The report's `pictures` and `consistency`; each only a `note` where there are no pictures or no ensemble."""
    if sample.quadruples == 0:
        return _not_measured("no quadruples were asked for")
    try:
        icons = _icons_of(data)
        judge = ensemble().infer
        return {
            "pictures": measure_pictures(judge, icons, sample=sample, progress=progress),
            "consistency": measure_consistency(judge, icons, sample=sample, progress=progress),
        }
    except (NotMeasuredError, SvgError, OSError) as exc:
        return _not_measured(str(exc))


def open_ensemble(version: Path, release: Path, members: TextMembers, fuser: Fuser) -> Ensemble:
    """The ensemble of an assembled version, with heads, n-grams, fuser and joint head of the release that is measured.

    NotMeasuredError where the version cannot judge pictures.
    """
    if not (version / CARD).is_file():
        raise NotMeasuredError(f"{version} is no assembled version; run `weir model assemble`")
    try:
        own = load_members(version)
        joint = JointHead.load(release) if (release / joint_fusion.FILE).is_file() else None
        changed = replace(own, heads=members.heads, ngrams=members.ngrams, fuser=fuser, joint=joint)
    except ValueError as exc:
        raise NotMeasuredError(str(exc)) from exc
    if own.image_tower is None:
        raise NotMeasuredError(f"{version} has no image tower")
    return Ensemble(changed, ocr_budget_ms=math.inf)  # figures must not depend on how busy the machine is


def measure_consistency(judge: Judge, icons: Icons, *, sample: PictureSample, progress: Progress) -> dict[str, Any]:
    """All four right, order, invariance to copies, and how well contradicting halves are told, over test quadruples."""
    pairs = _test_pairs(icons, sample)
    drawn = {_key(pair): pair for pair in pairs}
    pictures = {key: render_icon(pair.icon, style_of(pair)) for key, pair in drawn.items()}
    every = slice(None, None, max(1, -(-len(pairs) // sample.copies)))
    with progress.stage("judge quadruples", len(pairs) + len(pairs[every]) * len(COPIES)) as advance:
        said = _judged(judge, [(pair.text, pictures[_key(pair)]) for pair in pairs], advance)
        copies = {}
        for name, change in COPIES.items():
            again = [(pair.text, _copy(pictures[_key(pair)], change, pair.id)) for pair in pairs[every]]
            copies[name] = measure_invariance(said.fused[every], _judged(judge, again, advance).fused)
    own = np.nan_to_num(said.fused[np.arange(len(pairs)), [LABELS.index(pair.category) for pair in pairs]])
    probability = {pair.id: float(value) for pair, value in zip(pairs, own, strict=True)}
    apart = {pair.id: float(value) for pair, value in zip(pairs, said.contradiction, strict=True)}
    found = measure_quadruples(pairs, probability)
    what = (
        f"{found['quadruples']} generated quadruples of sentences and icons kept from training, some in languages kept "
        "from it too, judged by the whole served ensemble."
    )
    return {
        "what": what,
        **found,
        "order": measure_order(pairs, probability),
        "invariance": copies,
        "contradiction_auroc": round(contradiction_auroc(pairs, apart), 4),
        "posts_failed": said.failed,
    }


def measure_pictures(judge: Judge, icons: Icons, *, sample: PictureSample, progress: Progress) -> dict[str, Any]:
    """Category -> what changes of its pictures cost; `abstains` names those that the ensemble does not judge."""
    found: dict[str, Any] = {}
    abstains: list[str] = []
    shown = {category for some in icons.values() for icon in some for category in icon.labels}
    for category in (name for name in CATEGORIES if name in shown):
        pictures, truth = held_out_pictures(icons, category, per_side=sample.pictures, seed=sample.seed)
        if not truth.any() or truth.all():
            continue
        if np.isnan(_opinions(judge, category, pictures[:PROBE])).all():
            abstains.append(category)
            continue
        with progress.stage(f"judge {category} pictures", len(pictures) * (1 + len(CHANGES))) as advance:
            score = partial(_harm, judge, category, advance)
            changes = measure_picture_changes(pictures, truth, score, seed=sample.seed)
        mean = changes["rows"][-1]
        found[category] = {
            "recall_ratio": mean["recall / plain"],
            "false_positives": mean["false positives"],
            "changes": changes,
        }
    return found | {"abstains": abstains}


def _harm(judge: Judge, category: Category, advance: Advance, pictures: Sequence[Image.Image]) -> Scores:
    return np.nan_to_num(_opinions(judge, category, pictures, advance))


def _opinions(
    judge: Judge, category: Category, pictures: Sequence[Image.Image], advance: Advance = lambda _: None
) -> Scores:
    """`[N]` the fused probability of one category; NaN: abstained."""
    said = _judged(judge, [(None, lossless(picture)) for picture in pictures], advance)
    return said.fused[:, LABELS.index(category)]


def _judged(judge: Judge, posts: Sequence[tuple[str | None, bytes]], advance: Advance) -> _Said:
    """The posts, as text and picture file, through the doors that a post comes in by."""
    outputs = []
    for start in range(0, len(posts), BATCH):
        some = [Item(text, decode_image(file), decode_ocr_image(file)) for text, file in posts[start : start + BATCH]]
        outputs.append(judge(some))
        advance(len(some))
    return _Said(
        fused=np.concatenate([out.scores[:, ROWS.index("fused")] for out in outputs]).astype(np.float64),
        contradiction=np.concatenate([out.joint[:, CONTRADICTION] for out in outputs]).astype(np.float64),
        failed=sum(int((out.member_status == Status.FAILED).any(axis=1).sum()) for out in outputs),
    )


def _not_measured(why: str) -> dict[str, Any]:
    return {name: {"note": f"not measured: {why}"} for name in ("pictures", "consistency")}


def _icons_of(data: Path) -> Icons:
    if not any((data / ICONS).glob("*/*.svg")) and not any((data / EMOJI).rglob("emoji_u*.png")):
        raise NotMeasuredError(f"no pictures in {data}")
    try:
        return find_icons(data)
    except PairDataError as exc:
        raise NotMeasuredError(str(exc)) from exc


def _test_pairs(icons: Icons, sample: PictureSample) -> list[Pair]:
    """The quadruples, as many of each family, with their posts that are harmful outright."""
    phrases = load_phrases()
    each = max(1, round(sample.quadruples / len(phrases.families)))
    plan = PairPlan(2 * each, sample.seed)  # test gets a half of it
    return [pair for pair in build_pairs(phrases, icons, plan) if pair.split == "test"]


def _copy(jpeg: bytes, change: str, seed: str) -> bytes:
    with Image.open(io.BytesIO(jpeg)) as picture:
        return lossless(CHANGES[change](picture.convert("RGB"), random.Random(seed)))  # noqa: S311 - a repeatable choice


def _key(pair: Pair) -> str:
    return f"{pair.icon.name}/{pair.style}"
