"""Text read in pictures: PP-OCR's detector and recogniser in ONNX Runtime, with our own numpy around them.

Only upright text and text turned by up to 45 degrees is read, and text written downwards; upside-down text is not.
The recogniser knows Latin letters with their accents, Greek, Chinese, Japanese, digits and signs; it has no Cyrillic,
Arabic, Hangul or Devanagari (decision 0041). What becomes of the text is the ensemble's business.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from triton_models.contract import OCR_HEADER
from triton_models.serving.ocr_boxes import TextBox, find_boxes
from triton_models.serving.sessions import open_session

FloatArray = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

DETECTOR: Final = "ocr_detect.onnx"
RECOGNISER: Final = "ocr_read.onnx"
LINE_HEIGHT_PX: Final = 48
MAX_LINE_WIDTH_PX: Final = 1_280
MAX_LINES: Final = 24
BATCH_WIDTH_PX: Final = 1_600
"""Pixels of line width that are recognised together; the output has 18,710 columns per 8 of them."""
MIN_LINE_SCORE: Final = 0.6
STRIDE_PX: Final = 32
GLANCE_SIDE_PX: Final = 240
GLANCE_THRESHOLD: Final = 0.2
"""At half the size of 480 px the glance passed 97 % of 250 pictures with text of 12 to 90 px drawn into them, and
11 to 26 % of 27 photographs without; edges in the pixels, much cheaper, passed 89 % of those photographs."""
MAX_SIDE_PX: Final = 1_280
BUDGET_MS: Final = 2_000.0
"""For all pictures of a batch: ten to twenty with a sentence each. What waits behind a batch of 32 posters then waits
for 2 s and the rest of one picture, not for 6 s; the client gives an inference 25 s (`triton_deadline_s`)."""


class Budget:
    """The time that one batch may spend on reading; it runs from when this is made."""

    def __init__(self, ms: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._ends_s = clock, clock() + ms / 1_000

    @property
    def spent(self) -> bool:
        """Whether nothing new may be begun."""
        return self._clock() >= self._ends_s


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text in a picture."""

    text: str
    box: tuple[float, float, float, float]  # left, top, right, bottom as shares of the picture, 0..1
    score: float  # mean probability of its characters


class OcrReader:
    """Reads pictures; one per process, not for several threads at once."""

    def __init__(self, detector: ort.InferenceSession, recogniser: ort.InferenceSession) -> None:
        self._detector, self._recogniser = detector, recogniser
        characters = recogniser.get_modelmeta().custom_metadata_map["character"].splitlines()
        self._characters: Final = ("", *characters, " ")  # the blank of CTC first, the space last

    @classmethod
    def load(cls, directory: Path) -> OcrReader:
        """The reader of an assembled version directory; OSError or onnxruntime's exceptions when it is incomplete."""
        return cls(open_session(directory / DETECTOR), open_session(directory / RECOGNISER))

    def read(self, pictures: Sequence[bytes], budget: Budget) -> list[list[Line] | None]:
        """The lines of each picture (`OCR_HEADER`, then uint8 RGB) in reading order; none where it shows no text.

        None for a picture that was not begun because the budget was spent; what is begun is read to its end.
        ValueError, before any is read, for bytes that are no such picture. Of a picture of 480 px, a glance at a
        quarter of its pixels comes first (about 20 ms of CPU); only where that sees text is it read (80 to 180 ms).
        """
        return [None if budget.spent else self._read(pixels) for pixels in [unpack(picture) for picture in pictures]]

    def _read(self, pixels: Pixels) -> list[Line]:
        lines: list[Line] = []
        smaller = _shrunk(pixels)
        if len(smaller) < len(pixels) and self._probability(smaller).max() < GLANCE_THRESHOLD:
            return lines
        boxes = sorted_out(find_boxes(self._probability(pixels)))
        for box, (text, score) in zip(boxes, self._texts([cut_line(pixels, box) for box in boxes]), strict=True):
            if text.strip() and score >= MIN_LINE_SCORE:
                lines.append(Line(text.strip(), _shares(box, pixels), round(score, 4)))
        return lines

    def _probability(self, pixels: Pixels) -> FloatArray:
        height, width = pixels.shape[:2]
        # Padded with the picture's own edge to what the network can halve five times: no second resizing.
        below, right = -height % STRIDE_PX, -width % STRIDE_PX
        padded = np.pad(pixels, ((0, below), (0, right), (0, 0)), mode="edge")
        (found,) = self._detector.run(None, {"x": _normalised(padded)[None]})
        probability: FloatArray = found[0, 0, :height, :width]
        return probability

    def _texts(self, lines: Sequence[Pixels]) -> list[tuple[str, float]]:
        found: list[tuple[str, float]] = [("", 0.0)] * len(lines)
        batch: list[int] = []
        for index in sorted(range(len(lines)), key=lambda one: lines[one].shape[1]):
            if batch and (len(batch) + 1) * lines[index].shape[1] > BATCH_WIDTH_PX:
                self._recognise(lines, batch, found)
                batch = []
            batch.append(index)
        if batch:
            self._recognise(lines, batch, found)
        return found

    def _recognise(self, lines: Sequence[Pixels], batch: Sequence[int], found: list[tuple[str, float]]) -> None:
        width = max(lines[index].shape[1] for index in batch)
        stacked = np.zeros((len(batch), 3, LINE_HEIGHT_PX, width), dtype=np.float32)
        for row, index in enumerate(batch):
            stacked[row, :, :, : lines[index].shape[1]] = _normalised(lines[index])
        (probabilities,) = self._recogniser.run(None, {"x": stacked})
        for row, index in enumerate(batch):
            found[index] = self._decode(probabilities[row])

    def _decode(self, probabilities: FloatArray) -> tuple[str, float]:
        """CTC's best path: the likeliest character of every step, without repeats and blanks."""
        steps = probabilities.argmax(axis=1)
        kept = (steps != 0) & np.append(True, steps[1:] != steps[:-1])
        if not kept.any():
            return "", 0.0
        score = float(probabilities[kept, steps[kept]].mean())
        return "".join(self._characters[step] for step in steps[kept]), score


def unpack(picture: bytes) -> Pixels:
    """`[H, W, 3]` pixels of what `pixels.decode_ocr_image` gives; ValueError when the bytes do not fit the header."""
    if len(picture) < OCR_HEADER.size:
        raise ValueError(f"an OCR picture of {len(picture)} bytes has no header")
    height, width = OCR_HEADER.unpack_from(picture)
    if not 0 < height <= MAX_SIDE_PX or not 0 < width <= MAX_SIDE_PX:
        raise ValueError(f"an OCR picture of {height} x {width}; at most {MAX_SIDE_PX} a side")
    if len(picture) != OCR_HEADER.size + height * width * 3:
        raise ValueError(f"an OCR picture of {height} x {width} has {len(picture)} bytes")
    return np.frombuffer(picture, dtype=np.uint8, offset=OCR_HEADER.size).reshape(height, width, 3)


def cut_line(pixels: Pixels, box: TextBox) -> Pixels:
    """The line in the box, turned upright, LINE_HEIGHT_PX high: bilinear, averaged where it is made smaller."""
    finer = max(1, int(np.ceil(box.height / LINE_HEIGHT_PX)))
    width = int(np.clip(round(LINE_HEIGHT_PX * box.width / max(box.height, 1.0)), 16, MAX_LINE_WIDTH_PX))
    across = (np.arange(LINE_HEIGHT_PX * finer) + 0.5) / (LINE_HEIGHT_PX * finer)
    along = (np.arange(width * finer) + 0.5) / (width * finer)
    origin, right, down = box.corners[0], box.corners[1] - box.corners[0], box.corners[3] - box.corners[0]
    places = origin + along[None, :, None] * right + across[:, None, None] * down - 0.5
    sampled = _bilinear(pixels, places[..., 0], places[..., 1])
    sampled = sampled.reshape(LINE_HEIGHT_PX, finer, width, finer, 3).mean(axis=(1, 3))
    cut: Pixels = np.rint(sampled).astype(np.uint8)
    return cut


def as_json(lines: Sequence[Line]) -> bytes:
    """The contract's OCR_TEXT; empty for no lines."""
    if not lines:
        return b""
    return json.dumps(
        [{"text": line.text, "box": list(line.box), "score": line.score} for line in lines], ensure_ascii=False
    ).encode("utf-8")


def _shrunk(pixels: Pixels) -> Pixels:
    """The picture at a whole fraction of its size, at most GLANCE_SIDE_PX a side (means of squares)."""
    by = int(np.ceil(max(pixels.shape[:2]) / GLANCE_SIDE_PX))
    height, width = pixels.shape[0] // by, pixels.shape[1] // by
    if by == 1 or not height or not width:
        return pixels
    squares = pixels[: height * by, : width * by].reshape(height, by, width, by, 3)
    smaller: Pixels = squares.mean(axis=(1, 3)).astype(np.uint8)
    return smaller


def joined(lines: Sequence[Line]) -> str:
    """The lines as one text for the text members, as somebody would have typed it."""
    return " ".join(line.text for line in lines)


def sorted_out(boxes: list[TextBox]) -> list[TextBox]:
    """At most MAX_LINES boxes, the largest ones, still in reading order: a page of small print costs no more."""
    if len(boxes) <= MAX_LINES:
        return boxes
    least = sorted((box.width * box.height for box in boxes), reverse=True)[MAX_LINES - 1]
    return [box for box in boxes if box.width * box.height >= least][:MAX_LINES]


def _normalised(pixels: Pixels) -> FloatArray:
    """`[3, H, W]` float32 in -1..1, blue first, as PP-OCR was trained."""
    scaled: FloatArray = pixels[..., ::-1].transpose(2, 0, 1).astype(np.float32) / np.float32(127.5) - np.float32(1.0)
    return scaled


def _bilinear(pixels: Pixels, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> FloatArray:
    height, width = pixels.shape[:2]
    x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
    left, top = np.floor(x).astype(np.intp), np.floor(y).astype(np.intp)
    right, below = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    h, v = (x - left).astype(np.float32)[..., None], (y - top).astype(np.float32)[..., None]
    upper = pixels[top, left] * (1 - h) + pixels[top, right] * h
    lower = pixels[below, left] * (1 - h) + pixels[below, right] * h
    mixed: FloatArray = upper * (1 - v) + lower * v
    return mixed


def _shares(box: TextBox, pixels: Pixels) -> tuple[float, float, float, float]:
    height, width = pixels.shape[:2]
    low, high = box.corners.min(axis=0), box.corners.max(axis=0)
    corners = np.clip(np.array((*low, *high)) / (width, height, width, height), 0.0, 1.0)
    left, top, right, bottom = (round(float(value), 4) for value in corners)
    return left, top, right, bottom
