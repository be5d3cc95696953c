"""Just enough SVG for icons of one colour: the paths of a file as polygons, filled by the nonzero rule into a mask.

Knows <path> elements and all path commands (arcs become cubic curves); no transforms, strokes, gradients or groups.
The black square that game-icons.net puts behind an icon is left out. Numpy and Pillow only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

Mask = npt.NDArray[np.bool_]
Points = list[complex]

VIEW: Final = 512.0
"""Side of the view box where a file names none."""
CURVE_STEPS: Final = 10
_PATH: Final = re.compile(r"<path\b[^>]*?\bd=\"([^\"]*)\"", re.DOTALL)
_VIEW_BOX: Final = re.compile(r"<svg\b[^>]*?\bviewBox=\"([^\"]*)\"", re.DOTALL)
_BACKGROUND: Final = re.compile(r"^\s*M0\s*0h512v512H0z\s*$", re.IGNORECASE)
_TOKEN: Final = re.compile(r"([MmLlHhVvCcSsQqTtAaZz])|([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)")
_FLAGS: Final = re.compile(r"([01])\s*,?\s*([01])\s*,?\s*")


class SvgError(ValueError):
    """The file is not an icon that this module can draw."""


def icon_mask(text: str, side_px: int) -> Mask:
    """`[side, side]` true where the icon is drawn; SvgError when nothing of it can be."""
    paths = [path for path in _PATH.findall(text) if not _BACKGROUND.match(path)]
    if not paths:
        raise SvgError("no <path> to draw")
    scale, corner = _frame(text, side_px)
    drawn = np.zeros((side_px, side_px), dtype=np.bool_)
    for path in paths:
        winding = np.zeros((side_px, side_px), dtype=np.int16)
        for points in outlines(path):
            if len(points) >= 3:
                winding += _turn(points) * _filled([_at(p * scale + corner) for p in points], side_px)
        drawn |= winding != 0
    if not drawn.any():
        raise SvgError("its paths enclose nothing")
    return drawn


def _frame(text: str, side_px: int) -> tuple[float, complex]:
    """What a unit of the view box is in pixels, and where its origin comes to lie; its longer side fills the mask."""
    found = _VIEW_BOX.search(text)
    try:
        left, top, wide, high = map(float, found[1].replace(",", " ").split()) if found else (0.0, 0.0, VIEW, VIEW)
    except ValueError as exc:
        raise SvgError(f"viewBox {found and found[1]!r} is not four numbers") from exc
    if not (0 < wide < math.inf and 0 < high < math.inf):
        raise SvgError("the view box is empty")
    scale = side_px / max(wide, high)
    margin = complex(side_px - wide * scale, side_px - high * scale) / 2
    return scale, margin - complex(left, top) * scale


def _at(point: complex) -> tuple[float, float]:
    return point.real, point.imag


def outlines(path: str) -> Iterator[Points]:
    """The closed outlines of a path's `d`, curves cut into straight pieces."""
    pen = _Pen()
    for command, numbers in _commands(path):
        if command in "Mm":
            if pen.points:
                yield pen.points
            pen.start(command == "m", numbers)
        elif command in "Zz":
            pen.close()
        else:
            _DRAW[command.upper()](pen, numbers, command.islower())
        pen.last = command.upper()
    if pen.points:
        yield pen.points


class _Pen:
    """Where the drawing is."""

    def __init__(self) -> None:
        self.at = self.first = self.control = 0j
        self.points: Points = []
        self.last = ""

    def start(self, relative: bool, numbers: list[float]) -> None:  # noqa: FBT001 - SVG's own two forms
        """Begins an outline; further pairs are lines."""
        if len(numbers) < 2:
            raise SvgError("a path begins without a point")
        self.at = (self.at if relative else 0j) + complex(numbers[0], numbers[1])
        self.first, self.points = self.at, [self.at]
        _line(self, numbers[2:], relative)

    def close(self) -> None:
        """Back to the outline's first point, where the next one begins unless it says otherwise."""
        self.at = self.first
        if not self.points or self.points[-1] != self.first:
            self.points.append(self.first)

    def curve(self, a: complex, b: complex, end: complex) -> None:
        """A cubic Bezier curve from here: (1-t)^3 p + 3(1-t)^2 t a + 3(1-t) t^2 b + t^3 end."""
        for step in range(1, CURVE_STEPS + 1):
            t = step / CURVE_STEPS
            u = 1 - t
            self.points.append(u**3 * self.at + 3 * u * u * t * a + 3 * u * t * t * b + t**3 * end)
        self.at = end


def _line(pen: _Pen, numbers: list[float], relative: bool) -> None:  # noqa: FBT001
    for at in range(0, len(numbers) - 1, 2):
        pen.at = (pen.at if relative else 0j) + complex(numbers[at], numbers[at + 1])
        pen.points.append(pen.at)


def _horizontal(pen: _Pen, numbers: list[float], relative: bool) -> None:  # noqa: FBT001
    for x in numbers:
        pen.at = complex((pen.at.real if relative else 0.0) + x, pen.at.imag)
        pen.points.append(pen.at)


def _vertical(pen: _Pen, numbers: list[float], relative: bool) -> None:  # noqa: FBT001
    for y in numbers:
        pen.at = complex(pen.at.real, (pen.at.imag if relative else 0.0) + y)
        pen.points.append(pen.at)


def _cubic(pen: _Pen, numbers: list[float], relative: bool) -> None:  # noqa: FBT001
    for a, b, end in _points(pen, numbers, 3, relative=relative):
        pen.curve(a, b, end)
        pen.control = b


def _smooth(pen: _Pen, numbers: list[float], relative: bool) -> None:  # noqa: FBT001
    for b, end in _points(pen, numbers, 2, relative=relative):
        a = 2 * pen.at - pen.control if pen.last in {"C", "S"} else pen.at
        pen.curve(a, b, end)
        pen.control, pen.last = b, "S"


def _quadratic(pen: _Pen, numbers: list[float], relative: bool) -> None:  # noqa: FBT001
    for q, end in _points(pen, numbers, 2, relative=relative):
        pen.curve(pen.at + 2 / 3 * (q - pen.at), end + 2 / 3 * (q - end), end)
        pen.control = q


def _smooth_quadratic(pen: _Pen, numbers: list[float], relative: bool) -> None:  # noqa: FBT001
    for (end,) in _points(pen, numbers, 1, relative=relative):
        q = 2 * pen.at - pen.control if pen.last in {"Q", "T"} else pen.at
        pen.curve(pen.at + 2 / 3 * (q - pen.at), end + 2 / 3 * (q - end), end)
        pen.control, pen.last = q, "T"


def _arc(pen: _Pen, numbers: list[float], relative: bool) -> None:  # noqa: FBT001
    for at in range(0, len(numbers) - 6, 7):
        rx, ry, tilt, large, sweep, x, y = numbers[at : at + 7]
        end = (pen.at if relative else 0j) + complex(x, y)
        pen.points += list(arc_points(pen.at, end, (abs(rx), abs(ry), tilt), large=bool(large), sweep=bool(sweep)))
        pen.at = end


_DRAW: Final[dict[str, Callable[[_Pen, list[float], bool], None]]] = {
    "L": _line,
    "H": _horizontal,
    "V": _vertical,
    "C": _cubic,
    "S": _smooth,
    "Q": _quadratic,
    "T": _smooth_quadratic,
    "A": _arc,
}


def arc_points(
    start: complex, end: complex, ellipse: tuple[float, float, float], *, large: bool, sweep: bool
) -> Iterator[complex]:
    """Points along an elliptical arc (SVG 1.1, appendix F.6.5: from the end points to the centre)."""
    rx, ry, tilt = ellipse
    if start == end:
        return
    if not rx or not ry:
        yield end
        return
    turn = complex(math.cos(math.radians(tilt)), math.sin(math.radians(tilt)))
    half = (start - end) / 2 / turn
    spread = math.sqrt(max(1.0, (half.real / rx) ** 2 + (half.imag / ry) ** 2))
    rx, ry = rx * spread, ry * spread  # radii that do not reach are made larger
    u = complex(half.real / rx, half.imag / ry)
    off = math.sqrt(max(0.0, 1 / max(abs(u) ** 2, 1e-12) - 1)) * (1 if large == sweep else -1)
    middle = complex(u.imag, -u.real) * -off  # of the unit circle that the ellipse is squeezed into
    begin, final = u - middle, -u - middle
    sweep_angle = math.atan2((final * begin.conjugate()).imag, (final * begin.conjugate()).real)
    if sweep and sweep_angle < 0:
        sweep_angle += 2 * math.pi
    elif not sweep and sweep_angle > 0:
        sweep_angle -= 2 * math.pi
    steps = max(2, math.ceil(abs(sweep_angle) / (math.pi / 12)))
    for step in range(1, steps + 1):
        angle = sweep_angle * step / steps
        p = middle + begin * complex(math.cos(angle), math.sin(angle))
        yield (start + end) / 2 + complex(p.real * rx, p.imag * ry) * turn


def _points(pen: _Pen, numbers: list[float], each: int, *, relative: bool) -> Iterator[Points]:
    """The numbers as groups of `each` points, relative ones seen from where the pen is by then."""
    for at in range(0, len(numbers) - 2 * each + 1, 2 * each):
        base = pen.at if relative else 0j
        yield [base + complex(numbers[at + 2 * i], numbers[at + 2 * i + 1]) for i in range(each)]


def _commands(path: str) -> Iterator[tuple[str, list[float]]]:
    """Command letters with their numbers; the flags of arcs may be written without a space between them."""
    at, command, numbers = 0, "", list[float]()
    while at < len(path):
        if command in {"A", "a"} and len(numbers) % 7 == 3 and (flags := _FLAGS.match(path, at)):
            numbers += [float(flags[1]), float(flags[2])]
            at = flags.end()
            continue
        found = _TOKEN.match(path, at)
        if found is None:
            at += 1
            continue
        if found[1]:
            if command:
                yield command, numbers
            command, numbers = found[1], []
        else:
            numbers.append(float(found[2]))
        at = found.end()
    if command:
        yield command, numbers


def _turn(points: Points) -> int:
    """+1 or -1, the way round in which the outline is drawn (the sign of its shoelace area)."""
    area = sum((a.conjugate() * b).imag for a, b in zip(points, points[1:] + points[:1], strict=True))
    return 1 if area >= 0 else -1


def _filled(points: list[tuple[float, float]], side_px: int) -> npt.NDArray[np.int16]:
    canvas = Image.new("1", (side_px, side_px))
    ImageDraw.Draw(canvas).polygon(points, fill=1)
    return np.asarray(canvas, dtype=np.int16)
