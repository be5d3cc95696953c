"""Drawing icons: every path command, holes by the nonzero rule, and errors for what cannot be drawn."""

from __future__ import annotations

import numpy as np
import pytest

from triton_models.training.pairs.svg import SvgError, arc_points, icon_mask, outlines


def icon(path: str) -> str:
    """A file with the background square and one path."""
    return f'<svg viewBox="0 0 512 512"><path d="M0 0h512v512H0z"/><path fill="#fff" d="{path}"/></svg>'


def share(path: str) -> float:
    """The share of the picture that the path fills."""
    return float(icon_mask(icon(path), 256).mean())


@pytest.mark.parametrize(
    "path",
    [
        "M128 128h256v256H128z",
        "m128 128 256 0 0 256-256 0z",
        "M128,128 L384,128 L384,384 L128,384 Z",
        "M128 128H384V384H128Z",
        "M128 128C170 128 214 128 256 128S342 128 384 128V384H128z",
        "M128 128c42 0 86 0 128 0s86 0 128 0v256h-256z",
        "M128 128Q192 128 256 128T384 128V384H128z",
        "M128 128h256v256h-256z m0 0",
    ],
)
def test_every_command_draws_the_same_square(path: str) -> None:
    """A quarter of the picture, however it is written."""
    assert share(path) == pytest.approx(0.25, abs=0.02)


def test_holes_are_left_open() -> None:
    """An inner outline drawn the other way round is a hole; one drawn the same way round is not."""
    outer = "M128 128h256v256H128z"
    assert share(outer + "M192 192v128h128V192z") == pytest.approx(0.1875, abs=0.02)
    assert share(outer + "M192 192h128v128H192z") == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("sweep", ["1 0", "10", "1,0 "])
def test_arcs_make_circles(sweep: str) -> None:
    """Two half circles are a circle, also when the flags are written without spaces."""
    path = f"M128 256a128 128 0 {sweep} 256 0a128 128 0 {sweep} -256 0z"
    assert share(path) == pytest.approx(np.pi * 128**2 / 512**2, abs=0.01)


def test_arcs_pass_where_they_must() -> None:
    """A quarter circle ends at its end, keeps its radius, and bends to the side that its flags say."""
    points = list(arc_points(1 + 0j, 1j, (1, 1, 0), large=False, sweep=True))
    assert points[-1] == pytest.approx(1j, abs=1e-9)
    assert all(abs(abs(point) - 1) < 1e-9 for point in points)
    other = list(arc_points(1 + 0j, 1j, (1, 1, 0), large=False, sweep=False))
    assert all(abs(abs(point - (1 + 1j)) - 1) < 1e-9 for point in other)


def test_outlines_are_closed_one_by_one() -> None:
    """Each subpath is an outline of its own, the next beginning relative to where the last one closed."""
    first, second = outlines("M10 10h10v10z m100 0 10 0 0 10z")
    assert first[0] == first[-1] == 10 + 10j
    assert second[0] == 110 + 10j


@pytest.mark.parametrize("text", ["", "<svg/>", icon(""), icon("M"), icon("M1 1"), '<path d="M0 0h512v512H0z"/>'])
def test_what_cannot_be_drawn_says_so(text: str) -> None:
    """No path, an empty one, or one that encloses nothing is an error, never an empty picture."""
    with pytest.raises(SvgError):
        icon_mask(text, 64)


@pytest.mark.parametrize(
    ("box", "wide", "high"), [("0 0 24 24", 0.5, 0.5), ("0,0,48,24", 0.25, 0.25), ("-12 0 24 24", 0.5, 0.5)]
)
def test_the_view_box_sets_the_scale(box: str, wide: float, high: float) -> None:
    """Its longer side fills the mask, its shorter one is in the middle, its corner is where drawing begins."""
    mask = icon_mask(f'<svg xmlns="x" viewBox="{box}"><path d="M0 6h12v12H0z"/></svg>', 240)
    assert mask.any(axis=0).mean() == pytest.approx(wide, abs=0.02)
    assert mask.any(axis=1).mean() == pytest.approx(high, abs=0.02)
    assert mask.any(axis=1).argmax() == pytest.approx(240 * (1 - high) / 2, abs=4)
    assert mask.any(axis=0).argmax() == pytest.approx(120 if box.startswith("-12") else 0, abs=4)


@pytest.mark.parametrize("box", ["0 0 24", "0 0 a 24", "0 0 0 24", "0 0 inf 24"])
def test_a_view_box_of_no_size_is_refused(box: str) -> None:
    """Anything but four numbers, the last two above zero, is no frame to draw in."""
    with pytest.raises(SvgError, match="view"):
        icon_mask(f'<svg viewBox="{box}"><path d="M0 6h12v12H0z"/></svg>', 64)
