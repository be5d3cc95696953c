"""Whatever the bytes, `triton_models.pixels` answers with pixels of the promised size or with ImageRejected."""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO

from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from triton_models.contract import IMAGE_BYTES, OCR_HEADER
from triton_models.pixels import OCR_LONG_SIDE_PX, ImageRejected, decode_image, decode_ocr_image


def _seed(kind: str, mode: str) -> bytes:
    out = BytesIO()
    Image.effect_noise((41, 29), 60).convert(mode).save(out, kind)
    return out.getvalue()


KINDS = ["JPEG RGB", "JPEG L", "PNG RGBA", "PNG P", "GIF P", "WEBP RGB", "BMP RGB"]
SEEDS = [_seed(*kind.split()) for kind in KINDS]
PREFIXES = [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\0\0\0\0WEBPVP8X", b"BM"]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A real picture with a few bytes changed and perhaps its end cut off."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for at, value in draw(st.lists(st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255)), max_size=12)):
        data[at] = value
    return bytes(data[: draw(st.integers(0, len(data)))]) if draw(st.booleans()) else bytes(data)


def _check(data: bytes) -> None:
    with suppress(ImageRejected):
        assert len(decode_image(data, max_pixels=1_000_000)) == IMAGE_BYTES
    try:
        picture = decode_ocr_image(data, max_pixels=1_000_000)
    except ImageRejected:
        return
    height, width = OCR_HEADER.unpack_from(picture)
    assert len(picture) == OCR_HEADER.size + height * width * 3
    assert 1 <= max(height, width) <= OCR_LONG_SIDE_PX


@given(st.sampled_from(PREFIXES), st.binary(max_size=400))
def test_random_bytes_are_pixels_or_rejected(prefix: bytes, rest: bytes) -> None:
    """Random bytes, with or without a known signature in front, never raise anything else."""
    _check(prefix + rest)


@given(mutated())
def test_mutated_pictures_are_pixels_or_rejected(data: bytes) -> None:
    """Broken headers, broken streams and cut files never raise anything else."""
    _check(data)
