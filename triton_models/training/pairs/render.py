"""One icon as the picture of a post: on some ground, at some place, size and turn, saved as a JPEG of some quality.

Emoji are coloured and icons are not, and harmful things are mostly icons; so that colour is no sign, some emoji are
printed in one ink and some icons in two. The same icon and seed give the same pixels. No words are drawn here.
"""

from __future__ import annotations

import io
import random
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from triton_models.training.pairs.icons import Icon
from triton_models.training.pairs.svg import icon_mask

Colour = tuple[int, int, int]

SIDE_PX: Final = 256
_FINE: Final = 2  # icons are drawn at twice their size and made smaller, for smooth edges


@dataclass(frozen=True, slots=True)
class Style:
    """How a picture is made."""

    seed: str
    plain: bool = False  # black on white, upright, in the middle: how an icon set shows it


def render_icon(icon: Icon, style: Style) -> bytes:
    """The picture's JPEG bytes, SIDE_PX square; SvgError or OSError when the icon cannot be drawn."""
    rng = random.Random(style.seed)  # noqa: S311 - not for secrets: a repeatable choice
    size = SIDE_PX * 3 // 4 if style.plain else rng.randint(SIDE_PX * 4 // 10, SIDE_PX * 19 // 20)
    ground, ink = _colours(rng, plain=style.plain)
    figure = _figure(icon, size, ink)
    if not style.plain:
        figure = _printed(rng, figure, ink, ground, coloured=icon.path.suffix != ".svg")
        if rng.random() < 0.5:
            figure = figure.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if rng.random() < 0.3:  # seen from the side
            figure = figure.resize((max(1, round(figure.width * rng.uniform(0.75, 1))), figure.height))
        figure = figure.rotate(rng.uniform(-25, 25), Image.Resampling.BICUBIC, expand=True)
        figure.thumbnail((SIDE_PX, SIDE_PX))
    page = _ground(rng, ground, plain=style.plain)
    free_x, free_y = SIDE_PX - figure.width, SIDE_PX - figure.height
    place = (free_x // 2, free_y // 2) if style.plain else (rng.randint(0, free_x), rng.randint(0, free_y))
    if not style.plain and rng.random() < 0.2:
        _cast_shadow(rng, page, figure, place)
    page.paste(figure, place, figure)
    if not style.plain and rng.random() < 0.25:
        page = page.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.5)))
    out = io.BytesIO()
    page.save(out, "JPEG", quality=92 if style.plain else rng.randint(35, 95))
    return out.getvalue()


def _figure(icon: Icon, size: int, ink: Colour) -> Image.Image:
    """The icon alone, transparent around it."""
    if icon.path.suffix == ".svg":
        mask = icon_mask(icon.path.read_text(encoding="utf-8"), size * _FINE)
        alpha = Image.fromarray(mask.astype(np.uint8) * 255).resize((size, size), Image.Resampling.BOX)
        figure = Image.new("RGBA", (size, size), (*ink, 255))
        figure.putalpha(alpha)
        return figure
    with Image.open(icon.path) as source:
        return source.convert("RGBA").resize((size, size), Image.Resampling.BICUBIC)


def _printed(rng: random.Random, figure: Image.Image, ink: Colour, ground: Colour, *, coloured: bool) -> Image.Image:
    """The figure as it is, in other inks, as a contour, with a rim, or cut out of a badge."""
    alpha, kind = figure.getchannel("A"), rng.random()
    if kind < 0.4:
        if coloured:  # in one ink: the darker, the more of it
            dark = ImageChops.invert(figure.convert("L"))
            return _inked(ink, ImageChops.multiply(alpha, dark.point([min(255, 100 + one) for one in range(256)])))
        slope = Image.linear_gradient("L").resize(figure.size).rotate(rng.choice((0, 90, 180, 270)))
        two = Image.composite(Image.new("RGB", figure.size, ink), Image.new("RGB", figure.size, _near(rng, ink)), slope)
        two.putalpha(alpha)
        return two
    wide = 2 * rng.randint(1, 4) + 1
    if kind < 0.5 and not coloured:
        return _inked(ink, ImageChops.subtract(alpha.filter(ImageFilter.MaxFilter(wide)), alpha))
    if kind < 0.65:
        rim = _inked(_colour(rng), alpha.filter(ImageFilter.MaxFilter(wide)))
        rim.alpha_composite(figure)
        return rim
    if kind < 0.75:
        return _badge(rng, figure, ink, ground, coloured=coloured)
    return figure


def _badge(rng: random.Random, figure: Image.Image, ink: Colour, ground: Colour, *, coloured: bool) -> Image.Image:
    """The figure on a disc or a rounded square; one of one colour is left free in it."""
    side = max(figure.size) * 5 // 4
    shape = Image.new("L", (side, side))
    ImageDraw.Draw(shape).rounded_rectangle((0, 0, side - 1, side - 1), side // rng.choice((2, 2, 6, 10)), fill=255)
    badge = _inked(ink, shape)
    inside = figure if coloured else _inked(ground, figure.getchannel("A"))
    badge.alpha_composite(inside, ((side - figure.width) // 2, (side - figure.height) // 2))
    return badge


def _cast_shadow(rng: random.Random, page: Image.Image, figure: Image.Image, place: tuple[int, int]) -> None:
    """Darkens the page a little beside where the figure will be."""
    shadow = figure.getchannel("A").point([one // 2 for one in range(256)])
    shadow = shadow.filter(ImageFilter.GaussianBlur(rng.uniform(1, 4)))
    page.paste((0, 0, 0), (place[0] + rng.randint(-8, 8), place[1] + rng.randint(2, 10)), shadow)


def _inked(ink: Colour, alpha: Image.Image) -> Image.Image:
    """One colour, as thick as `alpha` says."""
    flat = Image.new("RGBA", alpha.size, (*ink, 255))
    flat.putalpha(alpha)
    return flat


def _near(rng: random.Random, colour: Colour) -> Colour:
    """A colour not far from another."""
    red, green, blue = (min(255, max(0, one + rng.randint(-70, 70))) for one in colour)
    return red, green, blue


def _colours(rng: random.Random, *, plain: bool) -> tuple[Colour, Colour]:
    """A ground and an ink that differ enough to be seen (by their mean brightness)."""
    if plain:
        return (255, 255, 255), (0, 0, 0)
    while True:
        ground, ink = _colour(rng), _colour(rng)
        if abs(sum(ground) - sum(ink)) > 3 * 90:
            return ground, ink


def _colour(rng: random.Random) -> Colour:
    return rng.randrange(256), rng.randrange(256), rng.randrange(256)


def _ground(rng: random.Random, colour: Colour, *, plain: bool) -> Image.Image:
    page = Image.new("RGB", (SIDE_PX, SIDE_PX), colour)
    if plain or rng.random() < 0.4:
        return page
    # A slope of brightness, grain, or soft spots as behind a photographed thing. No ground is a sign of anything, so
    # all are used everywhere.
    noise = np.random.default_rng(rng.randrange(2**32))
    slope = np.linspace(-1, 1, SIDE_PX)[:, None] * rng.uniform(-40, 40)
    slope = slope + np.linspace(-1, 1, SIDE_PX)[None, :] * rng.uniform(-40, 40)
    grain = noise.normal(0, rng.choice((0, 4, 12)), (SIDE_PX, SIDE_PX))
    pixels = np.asarray(page, np.float32) + (slope + grain)[..., None]
    if rng.random() < 0.4:
        spots = noise.normal(128, 28, (rng.randint(2, 9), rng.randint(2, 9), 3)).clip(0, 255).astype(np.uint8)
        pixels += np.asarray(Image.fromarray(spots).resize(page.size, Image.Resampling.BICUBIC), np.float32) - 128
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
