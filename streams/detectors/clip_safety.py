"""The served ensemble as a detector: an event becomes items, the items' opinions become `score.*` and `joint.*`.

An item is one text with at most one image (contract). The texts of a post are read together; each of its pictures is
read with them. Per category the most severe item counts, and the part it came from is kept. Policies know only the
signals; Triton is behind `ModelClient`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from policies import MODEL_SIGNALS, READING_SIGNALS
from policies.engine.signals import SignalSet, SignalSpec, SignalStatus
from policies.engine.taxonomy import NEVER_MODELLED
from streams.core.events import ContentEvent, ImagePart, TextPart, VideoPart
from streams.ports import (
    MediaUnavailableError,
    ModelClient,
    ModelItem,
    ModelOpinion,
    ModelUnavailableError,
    Picture,
    PictureReader,
)
from triton_models.contract import JOINT_NAMES, LABELS, MAX_TEXT_CHARS

#: A long text is read in windows, so that harm behind a long preface is seen; beyond these it is reported as unread.
MAX_WINDOWS = 8
WINDOW_OVERLAP_CHARS = 200

_MODALITIES = ("text", "image", "joint")

#: Status of the member `ocr` that leaves text in a picture unknown -> what the scores that it might have given miss.
_UNREAD = {
    "failed": (SignalStatus.FAILED, "the text in a picture could not be read"),
    "timed_out": (SignalStatus.TIMEOUT, "the text in a picture was not read in time"),
}

#: The members that judge a modality. Where one failed and no other gave a score, the score is broken, not unnecessary.
_JUDGES = {"text": ("ngrams", "towers", "prompts"), "image": ("towers", "prompts", "nsfw")}


@dataclass(slots=True)
class _Reading:
    """What one event asks of the model."""

    items: list[ModelItem] = field(default_factory=list)
    parts: list[tuple[int | None, int | None]] = field(default_factory=list)  # (text part, image part) per item
    image_problems: dict[int, str] = field(default_factory=dict)
    read_share: float = 1.0
    has_text: bool = False
    videos: int = 0


class ClipSafety:
    """Signals from the served ensemble."""

    name: ClassVar[str] = "clip_safety"
    provides: ClassVar[tuple[SignalSpec, ...]] = (*MODEL_SIGNALS, *READING_SIGNALS)

    def __init__(self, model: ModelClient, pictures: PictureReader) -> None:
        self._model = model
        self._pictures = pictures

    async def detect(self, batch: Sequence[ContentEvent], *, timeout_s: float) -> list[SignalSet]:
        """One signal set per event, in order; one inference call for the whole batch."""
        readings = await asyncio.gather(*(self._read(event) for event in batch))
        items = [item for reading in readings for item in reading.items]
        try:
            opinions = await self._model.infer(items, timeout_s=timeout_s) if items else []
        except ModelUnavailableError as exc:
            status = SignalStatus.TIMEOUT if exc.timeout else SignalStatus.FAILED
            return [_without_model(reading, status, exc.why) for reading in readings]
        sets: list[SignalSet] = []
        start = 0
        for reading in readings:
            end = start + len(reading.items)
            sets.append(_signals(reading, opinions[start:end]))
            start = end
        return sets

    async def _read(self, event: ContentEvent) -> _Reading:
        reading = _Reading(videos=sum(isinstance(part, VideoPart) for part in event.parts))
        windows, text_part, reading.read_share = _windows(event)
        reading.has_text = bool(windows)
        images = [(i, part) for i, part in enumerate(event.parts) if isinstance(part, ImagePart)]
        pixels = await asyncio.gather(*(self._pixels(part, reading, i) for i, part in images))
        for (index, _), picture in zip(images, pixels, strict=True):
            if picture is not None:
                text = windows[0] if windows else None
                reading.items.append(ModelItem(text, picture.pixels, picture.ocr_pixels))
                reading.parts.append((text_part, index))
        for window in windows[1:] if reading.items else windows:
            reading.items.append(ModelItem(window, None))
            reading.parts.append((text_part, None))
        return reading

    async def _pixels(self, part: ImagePart, reading: _Reading, index: int) -> Picture | None:
        try:
            return await self._pictures.read(part)
        except MediaUnavailableError as exc:
            reading.image_problems[index] = f"{exc.code}: {exc.why}"
            return None


def _windows(event: ContentEvent) -> tuple[list[str], int | None, float]:
    """The texts read together, in windows; the first text part; the share of characters that is read."""
    texts = [(i, part.text) for i, part in enumerate(event.parts) if isinstance(part, TextPart) and part.text.strip()]
    if not texts:
        return [], None, 1.0
    whole = "\n".join(text for _, text in texts)
    step = MAX_TEXT_CHARS - WINDOW_OVERLAP_CHARS
    starts = range(0, max(1, len(whole) - WINDOW_OVERLAP_CHARS), step)
    windows = [whole[start : start + MAX_TEXT_CHARS] for start in starts[:MAX_WINDOWS]]
    read = min(len(whole), step * (len(windows) - 1) + MAX_TEXT_CHARS)
    return windows, texts[0][0], read / len(whole)


def _signals(reading: _Reading, opinions: Sequence[ModelOpinion]) -> SignalSet:
    signals = _own_signals(reading)
    has_image = any(image is not None for _, image in reading.parts)
    broken = {name: why for name in _MODALITIES if (why := _broken(opinions, name)) is not None}
    for column, category in enumerate(LABELS):
        _category(signals, category, column, opinions, reading)
        _explain_gaps(signals, category, reading, has_image=has_image, broken=broken)
    _joint(signals, opinions)
    for opinion in opinions[:1]:
        signals.values["image.text_unread"] = sum(one.member_status.get("ocr") in _UNREAD for one in opinions)
        signals.models["clip_safety"] = opinion.release
        signals.tier = opinion.tier
    return signals


def _category(
    signals: SignalSet, category: str, column: int, opinions: Sequence[ModelOpinion], reading: _Reading
) -> None:
    """The most severe item's opinion of one category."""
    for row, name in (("fused", f"score.{category}"), *((m, f"score.{category}.{m}") for m in _MODALITIES)):
        best: float | None = None
        for opinion, (text_part, image_part) in zip(opinions, reading.parts, strict=True):
            score = opinion.scores[row][column]
            if score is not None and (best is None or score > best):
                best = score
                part = text_part if row == "text" or image_part is None else image_part
                if part is not None:
                    signals.origin[name] = part
        if best is not None:
            signals.values[name] = round(best, 4)
    severities = [s for opinion in opinions if (s := opinion.severity[column]) is not None]
    if severities:
        signals.values[f"severity.{category}"] = max(severities)
    spreads = [d for opinion in opinions if (d := opinion.disagreement[column]) is not None]
    if spreads:
        signals.values[f"disagreement.{category}"] = round(max(spreads), 4)


def _broken(opinions: Sequence[ModelOpinion], modality: str) -> tuple[SignalStatus, str] | None:
    """Why a modality's score may be missing although somebody judges it; None when every member did its work."""
    if modality == "joint":
        return _broken(opinions, "text") or _broken(opinions, "image")
    failed = [one for one in _JUDGES[modality] if any(said.member_status.get(one) == "failed" for said in opinions)]
    if failed:
        return SignalStatus.FAILED, f"failed in the model: {', '.join(failed)}"
    words = {said.member_status.get("ocr") for said in opinions} if modality == "image" else set()
    return next((why for word, why in _UNREAD.items() if word in words), None)


def _explain_gaps(
    signals: SignalSet,
    category: str,
    reading: _Reading,
    *,
    has_image: bool,
    broken: Mapping[str, tuple[SignalStatus, str]],
) -> None:
    """Say why a score that is not there is not there: nothing to judge, broken, or nothing judges it."""
    image, joint = f"score.{category}.image", f"score.{category}.joint"
    if reading.image_problems and not has_image:
        signals.miss([image, joint], SignalStatus.FAILED, "; ".join(reading.image_problems.values()))
    elif not has_image:
        signals.miss([image, joint], SignalStatus.ABSENT, "the event has no image")
    if not reading.has_text:
        signals.miss([f"score.{category}.text", joint], SignalStatus.ABSENT, "the event has no text")
    why = "no model judges this category" if category in NEVER_MODELLED else "nothing in this release judges this"
    if reading.items:
        filled_by = {f"score.{category}.{one}": one for one in _MODALITIES}
        filled_by |= dict.fromkeys((f"score.{category}", f"severity.{category}"), "joint")  # whatever is broken counts
        for name, modality in filled_by.items():
            if name not in signals.missing:
                known = None if category in NEVER_MODELLED else broken.get(modality)
                signals.miss([name], *(known or (SignalStatus.NOT_RUN, why)))
    elif reading.image_problems:
        reason = "; ".join(reading.image_problems.values())
        signals.miss([f"score.{category}", f"severity.{category}"], SignalStatus.FAILED, reason)


def _joint(signals: SignalSet, opinions: Sequence[ModelOpinion]) -> None:
    """The reading of the most contradictory text-image pair."""
    pairs = [opinion.joint for opinion in opinions if opinion.joint[0] is not None]
    if not pairs:
        return
    chosen = max(pairs, key=lambda pair: pair[1] or 0.0)
    for name, value in zip(JOINT_NAMES, chosen, strict=True):
        if value is not None:
            signals.values[f"joint.{name}"] = round(value, 4)


def _own_signals(reading: _Reading) -> SignalSet:
    signals = SignalSet()
    if reading.has_text:
        signals.values["text.read_share"] = round(reading.read_share, 4)
    signals.values["image.unreadable"] = len(reading.image_problems)
    signals.values["video.unjudged"] = reading.videos
    return signals


def _without_model(reading: _Reading, status: SignalStatus, why: str) -> SignalSet:
    """The signals of an event that the model gave no answer for: broken where it had something to judge."""
    signals = _own_signals(reading)
    if reading.items:
        signals.miss((spec.name for spec in MODEL_SIGNALS), status, why)
        return signals
    return _signals(reading, [])
