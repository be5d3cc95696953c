"""From a map of probabilities to rectangles: where the text lies, however it is turned, in reading order."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from triton_models.serving.ocr_boxes import TextBox, find_boxes, reading_order


def canvas(*boxes: tuple[int, int, int, int], size: tuple[int, int] = (120, 200)) -> npt.NDArray[np.float32]:
    """A map with likely text in the boxes (left, top, right, bottom)."""
    probability = np.zeros(size, np.float32)
    for left, top, right, bottom in boxes:
        probability[top:bottom, left:right] = 0.9
    return probability


def bounds(box: TextBox) -> tuple[float, float, float, float]:
    """Left, top, right, bottom."""
    low, high = box.corners.min(axis=0), box.corners.max(axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def test_a_box_is_found_and_enlarged() -> None:
    """The rectangle surrounds the text by area times ratio over circumference."""
    (box,) = find_boxes(canvas((20, 40, 120, 60)))
    grow = 101 * 21 * 1.6 / (2 * (101 + 21))  # the mask is one pixel thicker
    assert bounds(box) == pytest.approx((20 - grow, 40 - grow, 121 + grow, 61 + grow), abs=0.6)
    assert box.score == pytest.approx(0.9, abs=0.06)


def test_a_turned_line_gets_a_turned_box() -> None:
    """A line at 20 degrees gets a rectangle of about its own size, not its bounding box."""
    y, x = np.mgrid[:200, :200].astype(np.float64)
    angle = np.deg2rad(20)
    u = (x - 100) * np.cos(angle) + (y - 100) * np.sin(angle)
    v = -(x - 100) * np.sin(angle) + (y - 100) * np.cos(angle)
    (box,) = find_boxes(np.where((abs(u) < 60) & (abs(v) < 8), 0.9, 0.0).astype(np.float32))
    direction = box.corners[1] - box.corners[0]
    assert np.rad2deg(np.arctan2(direction[1], direction[0])) == pytest.approx(20, abs=2)
    assert box.height < 50


def test_text_written_downwards_is_turned() -> None:
    """A tall box begins where a reader who leans his head would begin."""
    (box,) = find_boxes(canvas((50, 10, 64, 110)))
    assert box.width > 3 * box.height


def test_noise_and_specks_are_no_text() -> None:
    """Unlikely pixels and spots of a few pixels give no box."""
    probability = canvas((5, 5, 6, 6))
    probability[50:80, 50:150] = 0.4  # over the pixel threshold, under the box's
    assert find_boxes(probability) == []


def test_parts_that_touch_at_a_corner_are_one() -> None:
    """Parts that touch diagonally belong together, and a gap of several pixels parts them."""
    assert len(find_boxes(canvas((10, 10, 50, 30), (50, 30, 90, 50)))) == 1
    assert len(find_boxes(canvas((10, 10, 50, 30), (60, 10, 90, 30)))) == 2


def test_reading_order() -> None:
    """Top to bottom, left to right; two words of a line stay together though one sits a little higher."""
    boxes = find_boxes(canvas((110, 18, 180, 38), (10, 20, 90, 40), (10, 80, 180, 100)))
    assert [round(bounds(box)[0] / 50) for box in boxes] == [0, 2, 0]
    assert reading_order([]) == []


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.float32, (24, 40), elements=st.floats(0, 1, width=32)))
def test_any_map_gives_ordered_finite_boxes(probability: npt.NDArray[np.float32]) -> None:
    """Whatever the network says, the boxes are finite and there are not too many."""
    boxes = find_boxes(probability)
    assert len(boxes) <= 64
    assert all(np.isfinite(box.corners).all() and box.width > 0 and box.height > 0 for box in boxes)
