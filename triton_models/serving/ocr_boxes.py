"""From the detector's map of "how likely is this pixel text" to the rectangles that hold the lines.

The post-processing of DB (Liao et al. 2020, "Real-time Scene Text Detection with Differentiable Binarization"): pixels
over a threshold, connected parts, the smallest rectangle around each, enlarged because the map is trained on shrunken
text. Numpy only. No model and no pixels of the picture here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.intp]

PIXEL_THRESHOLD: Final = 0.3
BOX_THRESHOLD: Final = 0.5
UNCLIP_RATIO: Final = 1.6
"""All three as PP-OCR's own configuration has them."""
MIN_SIDE_PX: Final = 3.0
MAX_BOXES: Final = 64
_ANGLES: Final = np.deg2rad(np.arange(-45.0, 45.0, 1.0))
UPRIGHT_TOLERANCE: Final = 1.05
"""An upright rectangle is taken while its area is at most this much over the smallest one's: text mostly is."""


@dataclass(frozen=True, slots=True)
class TextBox:
    """A rectangle, perhaps turned; corners clockwise from where its text begins, in pixels of the map."""

    corners: FloatArray  # [4, 2] x, y
    score: float

    @property
    def width(self) -> float:
        """Along the text."""
        return float(np.linalg.norm(self.corners[1] - self.corners[0]))

    @property
    def height(self) -> float:
        """Across the text."""
        return float(np.linalg.norm(self.corners[3] - self.corners[0]))


def find_boxes(probability: FloatArray) -> list[TextBox]:
    """The text rectangles in `[H, W]` probabilities, the likeliest MAX_BOXES, in reading order."""
    rows, starts, ends = _runs(_thicker(probability > PIXEL_THRESHOLD))
    if not len(rows):
        return []
    labels = _connect(rows, starts, ends)
    sums = np.concatenate((np.zeros((len(probability), 1), np.float32), probability.cumsum(axis=1)), axis=1)
    masses, sizes = sums[rows, ends] - sums[rows, starts], ends - starts
    scores = np.bincount(labels, masses) / np.maximum(np.bincount(labels, sizes), 1)
    found = []
    for label in np.argsort(-scores, kind="stable")[: 4 * MAX_BOXES]:
        if scores[label] < BOX_THRESHOLD:
            break
        own = labels == label
        box = _rectangle(rows[own], starts[own], ends[own], float(scores[label]))
        if box is not None:
            found.append(box)
    return reading_order(found[:MAX_BOXES])


def reading_order(boxes: list[TextBox]) -> list[TextBox]:
    """Lines from top to bottom, and from left to right those whose middles lie within half a line's height.

    Top and left as the text has them: a page that is turned is read along its own lines.
    """
    if len(boxes) < 2:
        return boxes
    along = np.sum([box.corners[1] - box.corners[0] for box in boxes], axis=0)
    along = along / max(float(np.linalg.norm(along)), 1e-6)
    middles = np.stack([box.corners.mean(axis=0) for box in boxes])
    places = list(zip(middles @ along, middles @ np.array((-along[1], along[0])), strict=True))
    waiting = sorted(range(len(boxes)), key=lambda index: places[index][1])
    ordered: list[TextBox] = []
    while waiting:
        first = waiting[0]
        reach = 0.5 * min(boxes[first].height, boxes[first].width)
        line = [index for index in waiting if places[index][1] - places[first][1] <= reach]
        ordered += [boxes[index] for index in sorted(line, key=lambda index: places[index][0])]
        waiting = waiting[len(line) :]
    return ordered


def _thicker(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The mask dilated by 2 x 2, which joins letters that one pixel parts."""
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:, 1:] |= grown[:, :-1].copy()
    return grown


def _runs(mask: npt.NDArray[np.bool_]) -> tuple[IntArray, IntArray, IntArray]:
    """Row, start and end (exclusive) of every horizontal run of true, row by row."""
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(edges == 1)
    return rows, starts, np.nonzero(edges == -1)[1]


def _connect(rows: IntArray, starts: IntArray, ends: IntArray) -> IntArray:
    """A label per run, the same for runs that touch (8-neighbourhood), from 0 on."""
    parent = list(range(len(rows)))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    first, last = starts.tolist(), ends.tolist()
    bounds = np.searchsorted(rows, np.arange(rows[-1] + 2)).tolist()
    for row in range(1, len(bounds) - 1):
        above, above_end = bounds[row - 1], bounds[row]
        for run in range(bounds[row], bounds[row + 1]):
            while above < above_end and last[above] < first[run]:
                above += 1
            touching = above
            while touching < above_end and first[touching] <= last[run]:
                parent[root(run)] = root(touching)
                touching += 1
    return np.unique([root(run) for run in range(len(parent))], return_inverse=True)[1].astype(np.intp)


def _rectangle(rows: IntArray, starts: IntArray, ends: IntArray, score: float) -> TextBox | None:
    """The smallest rectangle around the runs, enlarged; None when it is too small to be text."""
    points = np.stack((np.concatenate((starts, ends)), np.concatenate((rows, rows))), axis=1).astype(np.float32)
    points = np.concatenate((points, points + np.array((0, 1), np.float32)))  # a pixel has an upper and a lower edge
    along = np.stack((np.cos(_ANGLES), np.sin(_ANGLES)))  # [2, A]
    across = np.stack((-along[1], along[0]))
    u, v = points @ along, points @ across
    area = np.ptp(u, axis=0) * np.ptp(v, axis=0)
    upright = len(_ANGLES) // 2
    best = int(area.argmin())
    if area[upright] <= UPRIGHT_TOLERANCE * area[best]:
        best = upright
    width, height = float(np.ptp(u[:, best])), float(np.ptp(v[:, best]))
    if min(width, height) < MIN_SIDE_PX:
        return None
    grow = width * height * UNCLIP_RATIO / (2.0 * (width + height))
    left, right = u[:, best].min() - grow, u[:, best].max() + grow
    top, bottom = v[:, best].min() - grow, v[:, best].max() + grow
    corners = np.array(((left, top), (right, top), (right, bottom), (left, bottom)))
    corners = corners @ np.stack((along[:, best], across[:, best]))
    if height + 2 * grow > 1.5 * (width + 2 * grow):
        corners = np.roll(corners, -1, axis=0)  # written downwards: the recogniser wants it turned to the left
    return TextBox(corners.astype(np.float32), score)
