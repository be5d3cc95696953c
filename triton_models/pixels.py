"""From the bytes of a picture to the pixels that the image towers read; serving and training both come through here.

The whole picture is squashed to a square: a centre crop would let harm hide at the edge, a letterbox would spend
half of the tower's field on nothing, and the towers were measured with (and are fine-tuned on) squashed pictures.
Only Pillow is used. No model, no network, no files; whatever the bytes are, the answer is pixels or `ImageRejected`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import StrEnum
from io import BytesIO
from typing import Final

from PIL import BmpImagePlugin, GifImagePlugin, Image, ImageFile, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from triton_models.contract import IMAGE_SIZE_PX, OCR_HEADER

MAX_PIXELS: Final = 40_000_000
"""A 40-megapixel camera's JPEG, which is decoded small and costs at most 120 MB (progressive) and 0.2 s."""

WHOLE_SHARE: Final = 2
"""Other formats can only be decoded whole: at 40 megapixels a WebP of 300 bytes was measured to take 600 MB and 0.9 s.
They may have the WHOLE_SHARE-th part of the pixels."""

OCR_LONG_SIDE_PX: Final = 480
"""Reading typographic text was measured error-free at this size for a third less than at 736."""

MAX_JPEG_SCANS: Final = 100
"""Encoders write about ten. A scan costs a pass over every pixel but only a few bytes of file."""

PNG_CORE: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"eXIf"})
"""What the pixels need. Compressed texts and colour profiles are dropped unread: each can be a bomb of its own."""

_ORIENTATION_TAG: Final = 0x0112
_TRANSPOSE: Final[dict[int, Image.Transpose]] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Rejection(StrEnum):
    """Why the bytes gave no pixels. The codes go into signals and metrics: never renamed."""

    EMPTY = "empty"
    UNKNOWN_FORMAT = "unknown_format"
    TOO_MANY_PIXELS = "too_many_pixels"
    TOO_MANY_SCANS = "too_many_scans"
    TRUNCATED = "truncated"
    CORRUPT = "corrupt"


class ImageRejected(Exception):  # noqa: N818 - an outcome for the producer, not a fault of ours
    """The bytes are not a picture that Weir reads; the producer's fault. `reason` is one of the fixed codes."""

    def __init__(self, reason: Rejection) -> None:
        super().__init__(f"image rejected: {reason.value}")
        self.reason = reason


def decode_image(data: bytes, *, max_pixels: int = MAX_PIXELS) -> bytes:
    """`IMAGE_BYTES` of uint8 RGB, [224, 224, 3] row-major: the first frame, upright, alpha over white.

    Takes 1-30 ms of CPU for ordinary pictures: call it off the event loop. Raises only ImageRejected.
    """
    return _decode(data, None, max_pixels).tobytes()


def decode_ocr_image(data: bytes, *, max_pixels: int = MAX_PIXELS, long_side_px: int = OCR_LONG_SIDE_PX) -> bytes:
    """`OCR_HEADER` (height, width), then uint8 RGB with the picture's own proportions, never enlarged.

    Raises only ImageRejected.
    """
    picture = _decode(data, long_side_px, max_pixels)
    return OCR_HEADER.pack(picture.height, picture.width) + picture.tobytes()


def _decode(data: bytes, long_side_px: int | None, max_pixels: int) -> Image.Image:
    """The upright RGB picture: the square when `long_side_px` is None, else scaled to fit it."""
    if not data:
        raise ImageRejected(Rejection.EMPTY)
    try:
        source = _open(bytes(data), max_pixels)
        whole = 1 if isinstance(source, JpegImagePlugin.JpegImageFile) else WHOLE_SHARE
        _check_pixels(source.width * source.height * whole, max_pixels)
        orientation = _orientation(source)
        size = (IMAGE_SIZE_PX, IMAGE_SIZE_PX) if long_side_px is None else _fit(source.size, long_side_px)
        source.draft("RGB", size)  # JPEG: decode at a half, quarter or eighth, a third of the time
        source.load()
        small = _to_rgb(_filterable(source).resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0))
    except ImageRejected:
        raise
    except Image.DecompressionBombError as exc:
        raise ImageRejected(Rejection.TOO_MANY_PIXELS) from exc
    except Exception as exc:  # decoders answer hostile bytes with nearly every built-in type; all mean the same
        raise ImageRejected(Rejection.TRUNCATED if "truncated" in str(exc).lower() else Rejection.CORRUPT) from exc
    turn = _TRANSPOSE.get(orientation)  # on the small picture: exact for a square, and cheap
    return small if turn is None else small.transpose(turn)


def _open(data: bytes, max_pixels: int) -> ImageFile.ImageFile:
    """The picture with its header read and no pixel decoded; only the format that the first bytes name is tried."""
    if data.startswith(b"\xff\xd8\xff"):
        if data.count(b"\xff\xda") > MAX_JPEG_SCANS:
            raise ImageRejected(Rejection.TOO_MANY_SCANS)
        return JpegImagePlugin.JpegImageFile(BytesIO(data))
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PngImagePlugin.PngImageFile(BytesIO(b"".join((data[:8], *_png_core(data)))))
    if data.startswith((b"GIF87a", b"GIF89a")):
        return GifImagePlugin.GifImageFile(BytesIO(data))
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        _check_pixels(_webp_pixels(data) * WHOLE_SHARE, max_pixels)  # its reader allocates the canvas when it opens
        return WebPImagePlugin.WebPImageFile(BytesIO(data))
    if data.startswith(b"BM"):
        return BmpImagePlugin.BmpImageFile(BytesIO(data))
    raise ImageRejected(Rejection.UNKNOWN_FORMAT)


def _check_pixels(pixels: int, max_pixels: int) -> None:
    if pixels > max_pixels:
        raise ImageRejected(Rejection.TOO_MANY_PIXELS)


def _png_core(data: bytes) -> Iterator[bytes]:
    """The chunks of PNG_CORE as they stand, up to the end of the picture or of the data."""
    at = 8
    while at + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        name, end = data[at + 4 : at + 8], at + 12 + length
        if name in PNG_CORE:
            yield data[at:end]
        if name == b"IEND":
            return
        at = end


def _webp_pixels(data: bytes) -> int:
    """Pixels of the canvas that the first chunk of a WebP file announces."""
    kind, body = data[12:16], data[20:30]
    if len(body) < 10:
        raise ImageRejected(Rejection.TRUNCATED)
    if kind == b"VP8X":
        return (int.from_bytes(body[4:7], "little") + 1) * (int.from_bytes(body[7:10], "little") + 1)
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return ((bits & 0x3FFF) + 1) * ((bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8 ":
        return (int.from_bytes(body[6:8], "little") & 0x3FFF) * (int.from_bytes(body[8:10], "little") & 0x3FFF)
    raise ImageRejected(Rejection.CORRUPT)


def _orientation(source: ImageFile.ImageFile) -> int:
    """How the camera was held (EXIF 1..8); 1 when nothing readable says so."""
    try:
        value: object = source.getexif().get(_ORIENTATION_TAG)
    except Exception:  # noqa: BLE001 - EXIF readers raise nearly anything; a broken block never spoils a good picture
        return 1
    return int(value) if isinstance(value, int) else 1


def _fit(size: tuple[int, int], long_side_px: int) -> tuple[int, int]:
    """`size` scaled down so that its long side is at most `long_side_px`; both sides at least 1."""
    scale = min(1.0, long_side_px / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _filterable(picture: Image.Image) -> Image.Image:
    """The picture in a mode whose values may be averaged: no palette, no 16-bit grey, no 1-bit."""
    if "transparency" in picture.info and picture.mode in {"P", "L", "RGB", "1"}:
        return picture.convert("RGBA")
    if picture.mode.startswith("I"):
        return picture.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if picture.mode == "PA":
        return picture.convert("RGBA")
    return picture if picture.mode in {"L", "LA", "RGB", "RGBA", "CMYK", "YCbCr"} else picture.convert("RGB")


def _to_rgb(picture: Image.Image) -> Image.Image:
    """RGB; what is transparent becomes white, as on a page."""
    if picture.mode not in {"LA", "RGBA"}:
        return picture.convert("RGB")
    page = Image.new("RGBA", picture.size, (255, 255, 255, 255))
    return Image.alpha_composite(page, picture.convert("RGBA")).convert("RGB")
