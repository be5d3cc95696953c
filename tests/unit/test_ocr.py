"""Reading pictures without the models: cutting lines, unpacking, decoding, packing the answer."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from triton_models.contract import OCR_HEADER
from triton_models.serving.ocr import (
    LINE_HEIGHT_PX,
    Budget,
    Line,
    OcrReader,
    as_json,
    cut_line,
    joined,
    sorted_out,
    unpack,
)
from triton_models.serving.ocr_boxes import TextBox

ENDLESS = Budget(float("inf"))


class FakeSession:
    """A network that says what it is told; counts its runs."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.shapes: list[tuple[int, ...]] = []

    def get_modelmeta(self) -> Any:
        """Two characters: a and b."""
        return SimpleNamespace(custom_metadata_map={"character": "a\nb"})

    def run(self, _names: None, inputs: dict[str, Any]) -> list[Any]:
        """The answer for the input's shape."""
        self.shapes.append(inputs["x"].shape)
        return [self.answer(inputs["x"])]


def text_everywhere(x: Any) -> Any:
    """A detector that sees one line across the picture's middle."""
    found = np.zeros((1, 1, *x.shape[2:]), np.float32)
    found[..., x.shape[2] // 3 : x.shape[2] // 2, 4 : x.shape[3] - 4] = 0.9
    return found


def a_a_b(x: Any) -> Any:
    """A recogniser that reads `aab `: a, a repeated, blank, a, b, space."""
    steps = np.eye(4, dtype=np.float32)[[1, 1, 0, 1, 2, 3]]
    return np.broadcast_to(steps, (len(x), *steps.shape))


def picture(height: int, width: int) -> bytes:
    """A grey picture as the client packs it."""
    return OCR_HEADER.pack(height, width) + bytes([128]) * (height * width * 3)


def reader(detector: FakeSession, recogniser: FakeSession) -> OcrReader:
    """A reader over fakes."""
    return OcrReader(detector, recogniser)


def test_reads_a_line() -> None:
    """Repeats and blanks are taken out, the box is in shares of the picture, blanks at the ends are cut."""
    (lines,) = reader(FakeSession(text_everywhere), FakeSession(a_a_b)).read([picture(100, 200)], ENDLESS)
    (line,) = lines or []
    assert line.text == "aab"
    assert line.score == 1.0
    left, top, right, bottom = line.box
    assert 0 <= left < 0.1
    assert 0.9 < right <= 1
    assert 0.1 < top < bottom < 0.9


def test_a_picture_without_text_is_only_glanced_at() -> None:
    """The whole picture is not looked at when its half shows no text."""
    detector = FakeSession(lambda x: np.zeros((1, 1, *x.shape[2:]), np.float32))
    recogniser = FakeSession(a_a_b)
    assert reader(detector, recogniser).read([picture(480, 360)], ENDLESS) == [[]]
    assert detector.shapes == [(1, 3, 256, 192)]  # half of each side, padded to what the network can halve
    assert recogniser.shapes == []


def test_an_unsure_line_is_dropped() -> None:
    """A line whose characters are unlikely is not text."""
    unsure = FakeSession(lambda x: 0.4 * a_a_b(x))
    assert reader(FakeSession(text_everywhere), unsure).read([picture(64, 64)], ENDLESS) == [[]]


def test_a_spent_budget_begins_no_picture() -> None:
    """With 100 ms and 60 ms a look, the second picture is read to its end and the third is not begun: None, not []."""
    now_s = 0.0

    def look(x: Any) -> Any:
        nonlocal now_s
        now_s += 0.06
        return text_everywhere(x)

    detector = FakeSession(look)
    found = reader(detector, FakeSession(a_a_b)).read([picture(64, 64)] * 3, Budget(100, lambda: now_s))
    texts = [None if lines is None else [line.text for line in lines] for lines in found]
    assert texts == [["aab"], ["aab"], None]
    assert len(detector.shapes) == 2


def test_a_broken_picture_is_refused_before_time_is_spent_on_others() -> None:
    """ValueError comes before any picture of the batch is looked at."""
    detector = FakeSession(text_everywhere)
    with pytest.raises(ValueError, match="OCR picture"):
        reader(detector, FakeSession(a_a_b)).read([picture(64, 64), b""], ENDLESS)
    assert detector.shapes == []


@pytest.mark.parametrize(
    "broken", [b"", b"\x01", OCR_HEADER.pack(2, 2) + bytes(11), OCR_HEADER.pack(0, 5), OCR_HEADER.pack(9_999, 1)]
)
def test_broken_pictures_are_refused(broken: bytes) -> None:
    """Bytes that are no packed picture are a ValueError, never a crash of the network."""
    with pytest.raises(ValueError, match="OCR picture"):
        unpack(broken)


def test_lines_are_cut_upright() -> None:
    """The cut of a rectangle is its pixels, scaled to the recogniser's height; a turned one is turned back."""
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[10:20, 10:50] = 255
    pixels[10:20, 10:30] = (255, 0, 0)
    box = np.array(((10, 10), (50, 10), (50, 20), (10, 20)), np.float32)
    cut = cut_line(pixels, TextBox(box, 1.0))
    assert cut.shape == (LINE_HEIGHT_PX, 4 * LINE_HEIGHT_PX, 3)
    assert cut[24, 20].tolist() == [255, 0, 0]
    assert cut[24, 170].tolist() == [255, 255, 255]
    turned = cut_line(
        np.rot90(pixels).copy(), TextBox(np.array(((10, 50), (10, 10), (20, 10), (20, 50)), np.float32), 1)
    )
    assert np.abs(turned.astype(int) - cut.astype(int)).mean() < 3


def test_only_the_largest_lines_are_read() -> None:
    """A page of small print costs no more than MAX_LINES lines, and they stay in order."""
    boxes = [TextBox(np.array(((0, i), (9 + i, i), (9 + i, 5 + i), (0, 5 + i)), np.float32), 1.0) for i in range(40)]
    kept = sorted_out(boxes)
    assert kept == boxes[16:]


def test_the_answer_is_json() -> None:
    """OCR_TEXT holds text, box and score; nothing read is no bytes."""
    lines = [Line("été", (0.0, 0.1, 0.2, 0.3), 0.9), Line("b", (0.0, 0.4, 0.2, 0.5), 0.8)]
    told = json.loads(as_json(lines))
    assert told[0] == {"text": "été", "box": [0.0, 0.1, 0.2, 0.3], "score": 0.9}
    assert as_json([]) == b""
    assert joined(lines) == "été b"
