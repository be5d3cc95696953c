"""Decoding pictures: which are read, how, and which are refused before they cost anything."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from triton_models.contract import IMAGE_BYTES, IMAGE_SIZE_PX, OCR_HEADER
from triton_models.pixels import MAX_JPEG_SCANS, ImageRejected, Rejection, decode_image, decode_ocr_image


def encode(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """The file that Pillow writes."""
    out = BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def pixel(data: bytes, x: int, y: int) -> tuple[int, int, int]:
    """The RGB value at (x, y) of a decoded square."""
    at = (y * IMAGE_SIZE_PX + x) * 3
    return data[at], data[at + 1], data[at + 2]


def chunk(name: bytes, body: bytes) -> bytes:
    """One PNG chunk with its checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def halves(left: str, right: str) -> Image.Image:
    """A wide picture of two colours."""
    picture = Image.new("RGB", (300, 100), left)
    picture.paste(right, (150, 0, 300, 100))
    return picture


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_every_listed_format_keeps_the_whole_picture(kind: str) -> None:
    """Both ends of a wide picture survive the squash to a square, in every format."""
    data = decode_image(encode(halves("red", "blue"), kind))
    assert len(data) == IMAGE_BYTES
    assert pixel(data, 4, 112)[0] > 200
    assert pixel(data, 219, 112)[2] > 200


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_every_png_mode_gives_rgb(mode: str) -> None:
    """Grey, palette, alpha, one-bit and sixteen-bit pictures all come out as mid-grey-or-so RGB."""
    source = Image.new("I;16", (20, 20), 0x8000) if mode == "I;16" else Image.new("L", (20, 20), 128).convert(mode)
    data = decode_image(encode(source, "PNG"))
    assert len(data) == IMAGE_BYTES
    assert 100 < sum(data) / len(data) < 160


def test_transparent_becomes_white() -> None:
    """Alpha is laid over white, whatever colour hides beneath it."""
    assert pixel(decode_image(encode(Image.new("RGBA", (8, 8), (255, 0, 0, 0)), "PNG")), 100, 100) == (255, 255, 255)


def test_cmyk_jpeg_is_read() -> None:
    """A JPEG for print comes out in RGB."""
    assert len(decode_image(encode(Image.new("CMYK", (30, 30), (0, 255, 255, 0)), "JPEG"))) == IMAGE_BYTES


def test_exif_orientation_is_applied() -> None:
    """A picture that the camera marked as turned is judged upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = decode_image(encode(halves("red", "blue"), "JPEG", exif=exif))
    assert pixel(turned, 112, 4)[0] > 200
    assert pixel(turned, 112, 219)[2] > 200


def test_animation_gives_its_first_frame() -> None:
    """Of an animated GIF the first frame is judged."""
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    data = decode_image(encode(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert pixel(data, 50, 50)[0] > 200


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_pixel_cap_is_read_from_the_header(kind: str) -> None:
    """A picture above the cap is refused in every format."""
    with pytest.raises(ImageRejected) as caught:
        decode_image(encode(Image.new("RGB", (101, 100)), kind), max_pixels=10_000)
    assert caught.value.reason is Rejection.TOO_MANY_PIXELS


@pytest.mark.parametrize(("kind", "fits"), [("JPEG", True), ("PNG", False), ("WEBP", False), ("GIF", False)])
def test_only_jpeg_may_use_the_whole_cap(kind: str, fits: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """JPEG is decoded small; formats that must be decoded whole may have half the pixels."""
    file = encode(Image.new("RGB", (100, 60)), kind)
    if fits:
        assert decode_image(file, max_pixels=6_000)
    else:
        with pytest.raises(ImageRejected):
            decode_image(file, max_pixels=6_000)
    assert decode_image(file, max_pixels=12_000)


def test_huge_announced_size_is_refused_without_data() -> None:
    """A PNG that announces 60,000 x 60,000 pixels is refused on its header alone."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    with pytest.raises(ImageRejected) as caught:
        decode_image(data)
    assert caught.value.reason is Rejection.TOO_MANY_PIXELS


@pytest.mark.parametrize(("name", "prefix"), [(b"iCCP", b"x\0\0"), (b"zTXt", b"x\0\0")])
def test_compressed_side_chunks_are_never_inflated(name: bytes, prefix: bytes) -> None:
    """A profile or text that inflates to 200 MB does not even slow the picture down: it is dropped unread."""
    plain = encode(Image.new("RGB", (8, 8), "red"), "PNG")
    bomb = chunk(name, prefix + zlib.compress(b"\0" * 200_000_000, 9))
    at = 8 + 25  # after the signature and IHDR
    assert decode_image(plain[:at] + bomb * 20 + plain[at:]) == decode_image(plain)


def test_scan_bomb_is_refused() -> None:
    """A progressive JPEG with more scans than any encoder writes is refused before decoding."""
    data = encode(Image.new("RGB", (8, 8)), "JPEG", progressive=True)
    with pytest.raises(ImageRejected) as caught:
        decode_image(data[:-2] + b"\xff\xda\x00\x02" * (MAX_JPEG_SCANS + 1) + data[-2:])
    assert caught.value.reason is Rejection.TOO_MANY_SCANS


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Rejection.EMPTY),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", Rejection.UNKNOWN_FORMAT),
        (b"%PDF-1.7", Rejection.UNKNOWN_FORMAT),
        (b"\x89PNG\r\n\x1a\nnonsense", Rejection.CORRUPT),
        (b"RIFF\0\0\0\0WEBPVP8X", Rejection.TRUNCATED),
    ],
)
def test_what_is_no_picture_has_its_reason(data: bytes, reason: Rejection) -> None:
    """Each kind of rubbish is refused under its own fixed code."""
    with pytest.raises(ImageRejected) as caught:
        decode_image(data)
    assert caught.value.reason is reason


def test_cut_file_is_truncated() -> None:
    """Half a JPEG is refused, not shown as half a picture."""
    data = encode(Image.effect_noise((200, 200), 80), "JPEG")
    with pytest.raises(ImageRejected) as caught:
        decode_image(data[: len(data) // 2])
    assert caught.value.reason is Rejection.TRUNCATED


def test_ocr_picture_keeps_its_proportions() -> None:
    """The larger picture for reading text is scaled to fit, upright, with its size in front."""
    exif = Image.Exif()
    exif[0x0112] = 8
    data = decode_ocr_image(encode(Image.new("RGB", (960, 480)), "JPEG", exif=exif))
    assert OCR_HEADER.unpack_from(data) == (480, 240)
    assert len(data) == OCR_HEADER.size + 480 * 240 * 3


def test_ocr_picture_is_never_enlarged() -> None:
    """A small picture is passed on at its own size."""
    assert OCR_HEADER.unpack_from(decode_ocr_image(encode(Image.new("RGB", (30, 20)), "PNG"))) == (20, 30)
