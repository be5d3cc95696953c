"""What happens to pictures on their way through the network, as seeded picture-to-picture functions.

Every change takes a picture of any mode and gives an RGB one (what was transparent is white, as on a page) of the same
size, but for a crop (at least 4/5 of each side) and a caption bar or border (at most 1/4 more). None hides what the
picture shows, so its label stays. Words that are drawn come from a harmless list of our own. Reads and writes no file.
"""

from __future__ import annotations

import io
import math
import random
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

Change = Callable[[Image.Image, random.Random], Image.Image]
Colour = tuple[int, int, int]

LEAST_KEPT: Final = 0.8
"""Of each side, after a crop."""
MOST_ADDED: Final = 0.25
"""Of each side, by a border or a caption bar."""
WORDS: Final = (
    "hello",
    "monday",
    "lol",
    "new",
    "so true",
    "good morning",
    "2024",
    "@someone",
    "wow",
    "part 2",
    "share",
)
"""What is drawn on pictures: says nothing, and says it about nobody."""
_WHITE: Final = (255, 255, 255, 255)
_MOST_COLOURS: Final = 256


def jpeg(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Saved as a JPEG of poor quality and read again."""
    out = io.BytesIO()
    as_rgb(picture).save(out, "JPEG", quality=rng.randint(10, 50))
    with Image.open(out) as again:
        return again.convert("RGB")


def crop(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Some edge cut off on every side."""
    width, height = picture.size
    kept = [math.ceil(side * rng.uniform(LEAST_KEPT, 0.95)) for side in (width, height)]
    left, top = rng.randint(0, width - kept[0]), rng.randint(0, height - kept[1])
    return as_rgb(picture).crop((left, top, left + kept[0], top + kept[1]))


def blur(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Out of focus, by up to 1/80 of the shorter side."""
    radius = min(picture.size) / 80 * rng.uniform(0.4, 1.0)
    return as_rgb(picture).filter(ImageFilter.GaussianBlur(radius))


def down_up(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Made small, as a thumbnail, and large again."""
    whole, factor = as_rgb(picture), rng.uniform(0.25, 0.5)
    small = [max(1, round(side * factor)) for side in whole.size]
    return whole.resize((small[0], small[1]), Image.Resampling.BILINEAR).resize(whole.size, Image.Resampling.BICUBIC)


def noise(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Grain, as of a phone at night."""
    pixels = np.asarray(as_rgb(picture), dtype=np.float32)
    grain = np.random.default_rng(rng.randrange(2**32)).normal(0, rng.uniform(8, 25), pixels.shape)
    return Image.fromarray(np.clip(pixels + grain, 0, 255).astype(np.uint8))


def brightness(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Darker or lighter."""
    return ImageEnhance.Brightness(as_rgb(picture)).enhance(rng.choice((rng.uniform(0.5, 0.75), rng.uniform(1.3, 1.6))))


def contrast(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Flatter or harder."""
    return ImageEnhance.Contrast(as_rgb(picture)).enhance(rng.choice((rng.uniform(0.45, 0.7), rng.uniform(1.4, 1.9))))


def rotate(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Turned by a few degrees; the corners take the mean colour."""
    whole = as_rgb(picture)
    angle = rng.uniform(3, 12) * rng.choice((-1, 1))
    return whole.rotate(angle, Image.Resampling.BICUBIC, fillcolor=_mean_colour(whole))


def flip(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Left and right exchanged."""
    del rng
    return as_rgb(picture).transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def border(picture: Image.Image, rng: random.Random) -> Image.Image:
    """A frame of one colour."""
    whole = as_rgb(picture)
    wide = int(min(whole.size) * rng.uniform(0.03, MOST_ADDED / 2))
    page = Image.new("RGB", (whole.width + 2 * wide, whole.height + 2 * wide), _colour(rng))
    page.paste(whole, (wide, wide))
    return page


def caption_bar(picture: Image.Image, rng: random.Random) -> Image.Image:
    """A bar with words above or below, as on a meme."""
    whole = as_rgb(picture)
    tall = int(whole.height * rng.uniform(0.1, MOST_ADDED))
    above, dark = rng.random() < 0.5, rng.random() < 0.5
    page = Image.new("RGB", (whole.width, whole.height + tall), (0, 0, 0) if dark else (255, 255, 255))
    page.paste(whole, (0, tall if above else 0))
    middle = (whole.width // 2, tall // 2 if above else whole.height + tall // 2)
    ink = (255, 255, 255) if dark else (0, 0, 0)
    return draw_words(page, rng.choice(WORDS), middle, size_px=tall // 2, ink=ink)


def watermark(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Words in rows over the whole picture, three quarters transparent."""
    whole = as_rgb(picture)
    size = max(whole.width // 12, 1)
    words = rng.choice(WORDS)
    marked = whole.copy()
    for y in range(size, whole.height, size * 4):
        for x in range(rng.randint(0, size * 4), whole.width, size * 6):
            marked = draw_words(marked, words, (x, y), size_px=size, ink=(255, 255, 255))
    return Image.blend(whole, marked, 0.25)


def typographic(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Large words on the picture, as in a typographic attack, outlined so that they are read on any ground."""
    whole = as_rgb(picture)
    middle = (round(whole.width * rng.uniform(0.35, 0.65)), round(whole.height * rng.choice((0.12, 0.88))))
    size = max(1, round(whole.height * rng.uniform(0.1, 0.18)))
    return draw_words(whole.copy(), rng.choice(WORDS), middle, size_px=size, ink=_colour(rng))


CHANGES: Final[Mapping[str, Change]] = {
    "jpeg": jpeg,
    "crop": crop,
    "blur": blur,
    "down_up": down_up,
    "noise": noise,
    "brightness": brightness,
    "contrast": contrast,
    "rotate": rotate,
    "flip": flip,
    "border": border,
    "caption_bar": caption_bar,
    "watermark": watermark,
    "typographic": typographic,
}


def change_picture(picture: Image.Image, seed: str) -> tuple[Image.Image, str]:
    """A changed copy of the picture and the change's name, the same for the same seed."""
    rng = random.Random(seed)  # noqa: S311 - not for secrets: a repeatable choice
    name = rng.choice(tuple(CHANGES))
    return CHANGES[name](picture, rng), name


def draw_words(picture: Image.Image, words: str, middle: tuple[int, int], *, size_px: int, ink: Colour) -> Image.Image:
    """The RGB picture itself with `words` around `middle`; Pillow's own font, which has Latin letters only."""
    if size_px < 1:
        return picture
    outline = (0, 0, 0) if sum(ink) > 3 * 127 else (255, 255, 255)
    ImageDraw.Draw(picture).text(
        middle,
        words,
        fill=ink,
        font=ImageFont.load_default(size_px),
        anchor="mm",
        stroke_width=size_px // 12,
        stroke_fill=outline,
    )
    return picture


def as_rgb(picture: Image.Image) -> Image.Image:
    """The picture in RGB, what is transparent on white; always a copy or a new picture where a change would show."""
    if picture.mode == "RGB" and "transparency" not in picture.info:
        return picture
    if picture.mode.startswith("I"):  # 16-bit grey
        picture = picture.convert("I").point(lambda value: value * (1 / _MOST_COLOURS)).convert("L")
    page = Image.new("RGBA", picture.size, _WHITE)
    return Image.alpha_composite(page, picture.convert("RGBA")).convert("RGB")


def _mean_colour(picture: Image.Image) -> Colour:
    red, green, blue = picture.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))  # type: ignore[misc] # RGB: three
    return int(red), int(green), int(blue)


def _colour(rng: random.Random) -> Colour:
    return rng.randrange(256), rng.randrange(256), rng.randrange(256)
