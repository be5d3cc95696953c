"""Pictures for the samples: drawn by code, from emoji, or photographs made small. What to show is chosen elsewhere."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

SIDE_PX = 224
PHOTO_SIDE_PX = 240


def encode(picture: Image.Image, kind: str = "JPEG", quality: int = 80) -> bytes:
    """The picture as a small file of that kind."""
    out = BytesIO()
    picture.save(out, kind, quality=quality, optimize=True) if kind != "GIF" else picture.save(out, kind)
    return out.getvalue()


def emoji_picture(emoji: Path, ground: tuple[int, int, int], *, turn: float = 0.0) -> Image.Image:
    """One emoji, large, on a ground that grows darker downwards."""
    page = gradient(ground, (SIDE_PX, SIDE_PX))
    figure = Image.open(emoji).convert("RGBA").resize((168, 168), Image.Resampling.LANCZOS)
    figure = figure.rotate(turn, Image.Resampling.BICUBIC, expand=False)
    page.paste(figure, ((SIDE_PX - 168) // 2, (SIDE_PX - 168) // 2), figure)
    return page


def gradient(top: tuple[int, int, int], size: tuple[int, int]) -> Image.Image:
    """A plain ground, a third darker at its foot."""
    page = Image.new("RGB", size)
    draw = ImageDraw.Draw(page)
    for y in range(size[1]):
        share = 1 - y / size[1] / 3
        draw.line((0, y, size[0], y), fill=(round(top[0] * share), round(top[1] * share), round(top[2] * share)))
    return page


def text_picture(text: str, ground: tuple[int, int, int], ink: tuple[int, int, int]) -> Image.Image:
    """A text in large letters on a plain ground, as on a poster."""
    page = Image.new("RGB", (400, 240), ground)
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(34)  # the font that Pillow carries: the same on every machine
    draw.multiline_text((200, 120), text, fill=ink, font=font, anchor="mm", align="center", spacing=12)
    return page


def photograph(path: Path) -> Image.Image:
    """A photograph at thumbnail size."""
    picture = Image.open(path).convert("RGB")
    picture.thumbnail((PHOTO_SIDE_PX, PHOTO_SIDE_PX), Image.Resampling.LANCZOS)
    return picture


def animated_gif(frames: Sequence[Image.Image]) -> bytes:
    """A GIF of several frames; only the first is judged."""
    out = BytesIO()
    first, *rest = [frame.resize((112, 112)).quantize(32) for frame in frames]
    first.save(out, "GIF", save_all=True, append_images=rest, duration=400, loop=0)
    return out.getvalue()


def sideways_jpeg(picture: Image.Image) -> bytes:
    """A JPEG that lies on its side and says so in its EXIF orientation."""
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise to show
    out = BytesIO()
    picture.transpose(Image.Transpose.ROTATE_90).save(out, "JPEG", quality=80, exif=exif)
    return out.getvalue()


def png_bomb(side_px: int = 60_000) -> bytes:
    """A PNG of some hundred bytes that announces billions of pixels, all of which it would really unfold to rows of."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", side_px, side_px, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(200_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
