"""Drawn pictures for tests: scenes with enough structure that a perceptual hash can tell them apart."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
from PIL import Image, ImageDraw


@cache
def a_scene(seed: int, size: tuple[int, int] = (640, 480)) -> Image.Image:
    """A picture of random shapes over a soft ground; the same for the same seed."""
    random = np.random.default_rng(seed)
    ground = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    picture = Image.fromarray(ground).resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(24):
        x, y = int(random.integers(0, size[0])), int(random.integers(0, size[1]))
        w, h = (int(n) for n in random.integers(20, 200, 2))
        colour = tuple(int(n) for n in random.integers(0, 256, 3))
        shape = draw.ellipse if random.random() < 0.5 else draw.rectangle
        shape([x - w // 2, y - h // 2, x + w // 2, y + h // 2], fill=colour)
    return picture


def as_file(picture: Image.Image, kind: str = "PNG", **options: int) -> bytes:
    """The picture as a file."""
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()
