"""The ensemble: gathers what is present, runs each member once, scatters, fuses. The same in Triton and in process.

A member is a separate opinion: the one that raises is FAILED for the items concerned and the others go on; a category
that nothing judges is NaN and severity -1. No tensor names and no Triton here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from triton_models.contract import (
    EMBEDDING_WIDTH,
    IMAGE_BYTES,
    IMAGE_SIZE_PX,
    JOINT_NAMES,
    LABELS,
    MEMBERS,
    ROWS,
    Status,
)
from triton_models.serving.fuse import FuseInput, FuseOutput
from triton_models.serving.items import Item, Outputs
from triton_models.serving.members import Members, load_members
from triton_models.serving.ocr import BUDGET_MS, Budget, Line, as_json, joined
from triton_models.serving.round import Round, Rows

FloatArray = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

MAX_NOTES: Final = 100
_PIXELS_SHAPE: Final = (IMAGE_SIZE_PX, IMAGE_SIZE_PX, 3)


class Ensemble:
    """Judges batches of items; one per process, not for several threads at once."""

    def __init__(self, members: Members, *, ocr_budget_ms: float = BUDGET_MS) -> None:
        self._members, self._ocr_budget_ms = members, ocr_budget_ms
        self.notes: deque[str] = deque(maxlen=MAX_NOTES)
        """What went wrong lately; never content. Whoever runs the ensemble empties it into its log."""

    @classmethod
    def load(cls, directory: Path) -> Ensemble:
        """The ensemble of an assembled version directory; raises what `load_members` raises."""
        return cls(load_members(directory))

    def warm_up(self) -> None:
        """Runs every member once, so that the first real batch is not the slow one."""
        self.infer([Item(text="warm up", image=bytes(IMAGE_BYTES))])

    def infer(self, items: Sequence[Item]) -> Outputs:
        """One judgement per item, in order. Never raises for what an item holds."""
        batch = Round(len(items), self.notes.append)
        text_joint = self._read_texts(batch, [item.text or "" for item in items])
        image_joint = self._see_images(batch, [item.image or b"" for item in items])
        written = self._read_pictures(batch, [item.ocr_image or b"" for item in items])
        fused = self._fuse(batch, text_joint, image_joint)
        return Outputs(
            scores=fused.scores,
            severity=fused.severity,
            joint=fused.joint,
            disagreement=fused.disagreement,
            members=fused.members,
            member_status=batch.status,
            text_embedding=text_joint,
            image_embedding=image_joint,
            ocr_text=written,
            release=self._members.release,
        )

    def _read_texts(self, batch: Round, texts: Sequence[str]) -> FloatArray:
        """Gathers the text members' opinions; `[N, D]` text vectors in the joint space, zeros without a text."""
        own = self._members
        rows = _rows(bool(text) and not text.isspace() for text in texts)
        ngrams, tower, bank = own.ngrams, own.text_tower, own.text_prompts
        heads = own.heads if own.heads is not None and own.heads.text_head is not None else None
        batch.opine(
            "ngrams",
            batch.text,
            rows,
            None if ngrams is None else lambda some: ngrams.score([texts[row] for row in some]),
        )
        raw = _vectors(batch)
        if tower is None:
            batch.mark("towers", rows, Status.NOT_RUN)
            batch.mark("prompts", rows, Status.NOT_RUN)
            return raw
        rows = batch.attempt(("towers", "prompts"), rows, lambda some: tower.encode([texts[row] for row in some]), raw)
        batch.text_vectors = raw
        batch.opine("towers", batch.text, rows, None if heads is None else lambda some: heads.text(raw[some]))
        joint = raw if own.joint_space is None else own.joint_space.text(raw)
        batch.opine("prompts", batch.text, rows, None if bank is None else lambda some: bank.score(joint[some]))
        return joint

    def _see_images(self, batch: Round, images: Sequence[bytes]) -> FloatArray:
        """Gathers the image members' opinions; `[N, D]` image vectors in the joint space, zeros without an image."""
        own = self._members
        rows, pixels = self._pixels(batch, images)
        batch.pixels = pixels
        nsfw, tower, space, bank = own.nsfw, own.image_tower, own.joint_space, own.image_prompts
        heads = own.heads if own.heads is not None and own.heads.image_head is not None else None
        batch.opine("nsfw", batch.image, rows, None if nsfw is None else lambda some: nsfw.score(pixels[some]))
        joint = _vectors(batch)
        if tower is None or space is None:
            batch.mark("towers", rows, Status.NOT_RUN)
            batch.mark("prompts", rows, Status.NOT_RUN)
            return joint

        def see(some: Rows) -> FloatArray:
            return space.image(batch.keep_features(some, tower.features(pixels[some])))

        rows = batch.attempt(("towers", "prompts"), rows, see, joint)
        batch.opine("towers", batch.image, rows, None if heads is None else lambda some: heads.image(joint[some]))
        batch.opine("prompts", batch.image, rows, None if bank is None else lambda some: bank.score(joint[some]))
        return joint

    def _read_pictures(self, batch: Round, pictures: Sequence[bytes]) -> tuple[bytes, ...]:
        """Reads the text in pictures and asks the text members about it; OCR_TEXT per item."""
        reader = self._members.ocr
        rows = _rows(bool(picture) for picture in pictures)
        if reader is None or not len(rows):
            batch.mark("ocr", rows, Status.NOT_RUN)
            return (b"",) * batch.count
        lines: list[list[Line] | None] = [[] for _ in pictures]
        budget = Budget(self._ocr_budget_ms)  # of the batch: trying its pictures one by one gets no more

        def read(some: Rows) -> FloatArray:
            for row, found in zip(some, reader.read([pictures[row] for row in some], budget), strict=True):
                lines[row] = found
            return np.zeros((len(some), 0), dtype=np.float32)

        rows = batch.attempt(("ocr",), rows, read, np.zeros((batch.count, 0), dtype=np.float32))
        late = np.array([row for row in rows if lines[row] is None], dtype=np.intp)
        batch.mark("ocr", late, Status.TIMED_OUT)
        batch.mark("ocr", np.setdiff1d(rows, late), Status.OK)
        inner = Round(batch.count, self.notes.append)
        self._read_texts(inner, [joined(found or ()) for found in lines])
        batch.ocr = inner.text
        batch.mark("ocr", np.flatnonzero((inner.status == Status.FAILED).any(axis=1)), Status.FAILED)
        return tuple(as_json(found or ()) for found in lines)

    def _pixels(self, batch: Round, images: Sequence[bytes]) -> tuple[Rows, Pixels]:
        """The rows that carry a whole picture, and `[N, 224, 224, 3]` pixels; a picture of another size is FAILED."""
        shown = _rows(bool(image) for image in images)
        whole = _rows(len(image) == IMAGE_BYTES for image in images)
        if len(bad := np.setdiff1d(shown, whole)):
            self.notes.append(f"{len(bad)} images are not of {IMAGE_BYTES} bytes")
            for member in ("towers", "prompts", "nsfw"):
                batch.mark(member, bad, Status.FAILED)
        pixels = np.zeros((batch.count if len(whole) else 0, *_PIXELS_SHAPE), dtype=np.uint8)
        for row in whole:
            pixels[row] = np.frombuffer(images[row], dtype=np.uint8).reshape(_PIXELS_SHAPE)
        return whole, pixels

    def _read_together(self, batch: Round) -> FloatArray | None:
        """The joint head's logits `[N, C]` where an item has both; None when nothing can be read together."""
        head, features, texts = self._members.joint, batch.image_features, batch.text_vectors
        if head is None or features is None or texts is None:
            return None
        out = np.full((batch.count, len(LABELS)), np.nan, dtype=np.float32)
        both = _rows(features.any(axis=1) & texts.any(axis=1))
        drawings, pixels = self._members.drawings_tower, batch.pixels
        if drawings is not None and pixels is not None:
            second = np.zeros_like(features)
            both = batch.attempt(("towers",), both, lambda some: drawings.features(pixels[some]), second)
            features = np.concatenate((features, second), axis=1)
        seen = features
        batch.attempt((), both, lambda some: head.logits(seen[some], texts[some]), out)
        return out

    def _fuse(self, batch: Round, text_joint: FloatArray, image_joint: FloatArray) -> FuseOutput:
        """The fuser's judgement; all abstained where the release has no fuser."""
        if self._members.fuser is None:
            return _abstained(batch.count)
        return self._members.fuser.fuse(
            FuseInput(
                text=batch.text,
                image=batch.image,
                ocr=batch.ocr,
                joint=self._read_together(batch),
                text_embedding=text_joint,
                image_embedding=image_joint,
            )
        )


def _rows(present: Iterable[bool]) -> Rows:
    return np.flatnonzero(np.fromiter(present, dtype=bool))


def _vectors(batch: Round) -> FloatArray:
    return np.zeros((batch.count, EMBEDDING_WIDTH), dtype=np.float32)


def _abstained(count: int) -> FuseOutput:
    def nothing(*shape: int) -> FloatArray:
        return np.full((count, *shape), np.nan, dtype=np.float32)

    labels = len(LABELS)
    return FuseOutput(
        scores=nothing(len(ROWS), labels),
        severity=np.full((count, labels), -1, dtype=np.int32),
        joint=nothing(len(JOINT_NAMES)),
        disagreement=nothing(labels),
        members=nothing(len(MEMBERS), labels),
    )
