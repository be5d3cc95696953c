"""One icon as the picture of a post: on some ground, at some place, size and turn, saved as a JPEG of some quality.

The same icon and seed give the same pixels. No words are drawn here.
"""

from __future__ import annotations

import io
import random
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageFilter

from triton_models.training.pairs.icons import Icon
from triton_models.training.pairs.svg import icon_mask

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
        if rng.random() < 0.5:
            figure = figure.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        figure = figure.rotate(rng.uniform(-25, 25), Image.Resampling.BICUBIC, expand=True)
        figure.thumbnail((SIDE_PX, SIDE_PX))
    page = _ground(rng, ground, plain=style.plain)
    free_x, free_y = SIDE_PX - figure.width, SIDE_PX - figure.height
    place = (free_x // 2, free_y // 2) if style.plain else (rng.randint(0, free_x), rng.randint(0, free_y))
    page.paste(figure, place, figure)
    if not style.plain and rng.random() < 0.25:
        page = page.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.5)))
    out = io.BytesIO()
    page.save(out, "JPEG", quality=92 if style.plain else rng.randint(45, 95))
    return out.getvalue()


def _figure(icon: Icon, size: int, ink: tuple[int, int, int]) -> Image.Image:
    """The icon alone, transparent around it."""
    if icon.path.suffix == ".svg":
        mask = icon_mask(icon.path.read_text(encoding="utf-8"), size * _FINE)
        alpha = Image.fromarray(mask.astype(np.uint8) * 255).resize((size, size), Image.Resampling.BOX)
        figure = Image.new("RGBA", (size, size), (*ink, 255))
        figure.putalpha(alpha)
        return figure
    with Image.open(icon.path) as source:
        return source.convert("RGBA").resize((size, size), Image.Resampling.BICUBIC)


def _colours(rng: random.Random, *, plain: bool) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """A ground and an ink that differ enough to be seen (by their mean brightness)."""
    if plain:
        return (255, 255, 255), (0, 0, 0)
    while True:
        ground, ink = _colour(rng), _colour(rng)
        if abs(sum(ground) - sum(ink)) > 3 * 90:
            return ground, ink


def _colour(rng: random.Random) -> tuple[int, int, int]:
    return rng.randrange(256), rng.randrange(256), rng.randrange(256)


def _ground(rng: random.Random, colour: tuple[int, int, int], *, plain: bool) -> Image.Image:
    page = Image.new("RGB", (SIDE_PX, SIDE_PX), colour)
    if plain or rng.random() < 0.4:
        return page
    # A slope of brightness, or grain: no ground is a sign of anything, so all are used everywhere.
    noise = np.random.default_rng(rng.randrange(2**32))
    slope = np.linspace(-1, 1, SIDE_PX)[:, None] * rng.uniform(-40, 40)
    slope = slope + np.linspace(-1, 1, SIDE_PX)[None, :] * rng.uniform(-40, 40)
    grain = noise.normal(0, rng.choice((0, 4, 12)), (SIDE_PX, SIDE_PX))
    pixels = np.asarray(page, np.float32) + (slope + grain)[..., None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
