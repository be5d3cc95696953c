"""PDQ: what its authors promise, on drawn pictures, and agreement with a direct transcription of its definition."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

from streams.adapters.prints import take_prints
from streams.core.pdq import PdqPrint, pdq
from tests.pictures import a_scene, as_file

PIXELS = 40_000_000


def look(picture: Image.Image, kind: str = "PNG", **options: int) -> PdqPrint:
    """The print of a picture, through a file as in production."""
    found = take_prints(as_file(picture, kind, **options), True, PIXELS).look
    assert found is not None
    return found


def distance(a: bytes, b: bytes) -> int:
    """Bits in which two hashes differ."""
    return (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).bit_count()


@cache
def original() -> PdqPrint:
    """The print of the scene that the tests change."""
    return look(a_scene(1))


def test_a_hash_has_as_many_ones_as_zeros() -> None:
    """Bits are cut at the median, so half of them are set."""
    assert int.from_bytes(original().variants[0], "big").bit_count() == 128
    assert original().quality == 100


@pytest.mark.parametrize("quality", [90, 50, 30])
def test_jpeg_hardly_changes_it(quality: int) -> None:
    """Recompression is what PDQ was made for."""
    changed = look(a_scene(1), "JPEG", quality=quality)
    assert distance(changed.variants[0], original().variants[0]) <= 8


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p.resize((p.width // 2, p.height // 2)),
        lambda p: p.resize((400, 400)),
        lambda p: p.filter(ImageFilter.GaussianBlur(2)),
        lambda p: ImageEnhance.Brightness(p).enhance(0.8),
        lambda p: ImageEnhance.Contrast(p).enhance(1.3),
        lambda p: p.convert("L").convert("RGB"),
    ],
    ids=["half", "squashed", "blurred", "darker", "contrast", "grey"],
)
def test_ordinary_changes_stay_within_reach(change: object) -> None:
    """Smaller, squashed, blurred, darker, stronger, without colour: all nearer than 31."""
    changed = look(change(a_scene(1)))  # type: ignore[operator]  # one of the lambdas
    assert distance(changed.variants[0], original().variants[0]) <= 31


def test_other_pictures_are_far_away() -> None:
    """Different scenes differ in about half of the bits."""
    others = [look(a_scene(seed)).variants for seed in range(2, 12)]
    assert min(distance(v, original().variants[0]) for variants in others for v in variants) > 70


@pytest.mark.parametrize(
    ("turn", "variant"),
    [
        (Image.Transpose.ROTATE_180, 2),
        (Image.Transpose.FLIP_TOP_BOTTOM, 4),
        (Image.Transpose.FLIP_LEFT_RIGHT, 5),
        (Image.Transpose.TRANSPOSE, 6),
        (Image.Transpose.TRANSVERSE, 7),
        (Image.Transpose.ROTATE_90, None),
        (Image.Transpose.ROTATE_270, None),
    ],
)
def test_turned_and_mirrored_pictures_are_found_by_a_variant(turn: Image.Transpose, variant: int | None) -> None:
    """Upright the hash is far away; exactly one of the eight variants is near."""
    turned = look(a_scene(1).transpose(turn))
    distances = [distance(one, original().variants[0]) for one in turned.variants]
    assert distances[0] > 60
    assert min(distances) <= 31 < sorted(distances)[1]
    if variant is not None:
        assert distances.index(min(distances)) == variant


def test_a_flat_picture_says_that_it_cannot_be_told() -> None:
    """Quality is what keeps a blank page from matching every other blank page."""
    assert look(Image.new("RGB", (300, 200), (90, 120, 30))).quality < 5


@pytest.mark.parametrize("size", [(64, 64), (100, 61), (512, 384), (257, 509), (3, 2), (1, 1)])
def test_it_is_the_definition(size: tuple[int, int]) -> None:
    """The matrices give what the loops of the definition give, for odd sides and tiny pictures too."""
    pixels = np.asarray(a_scene(3).resize(size))
    wanted, gap = by_the_definition(pixels)
    ours = np.unpackbits(np.frombuffer(pdq(pixels).variants[0], np.uint8))[::-1].reshape(16, 16)
    assert np.array_equal(ours[gap > 1e-3], wanted[gap > 1e-3])  # a coefficient at the median may fall either way


def by_the_definition(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """The bits by plain loops over a tent of two box filters and a cosine sum, and each one's distance to the cut."""
    luma = pixels @ np.array([0.299, 0.587, 0.114])
    for _ in range(2):
        luma = np.apply_along_axis(_box, 1, luma)
        luma = np.apply_along_axis(_box, 0, luma)
    rows, columns = luma.shape
    blocks = np.array([
        [luma[int((i + 0.5) * rows / 64), int((j + 0.5) * columns / 64)] for j in range(64)] for i in range(64)
    ])  # fmt: skip
    cosine = np.array([[math.cos(math.pi / 128 * (i + 1) * (2 * j + 1)) for j in range(64)] for i in range(16)])
    found = cosine @ blocks @ cosine.T
    cut = np.sort(found.ravel())[127]
    return found > cut, np.abs(found - cut) / max(1.0, float(np.abs(found).max()))


def _box(line: NDArray[np.float64]) -> NDArray[np.float64]:
    window = (len(line) + 127) // 128
    half = (window + 2) // 2
    made = [line[max(0, n - (window - half)) : n + half].mean() for n in range(len(line))]
    return np.array(made)


def test_what_cannot_be_decoded_still_has_digests() -> None:
    """The very same broken file can be known."""
    prints = take_prints(b"\xff\xd8\xff no picture", True, PIXELS)
    assert prints.look is None
    assert prints.problem.startswith("image.")
    assert (len(prints.md5), len(prints.sha256)) == (16, 32)


def test_digests_are_of_the_bytes() -> None:
    """Another file of the same picture has the same look and other digests."""
    one, two = (take_prints(as_file(a_scene(1), kind), True, PIXELS) for kind in ("PNG", "BMP"))
    assert one.look == two.look
    assert one.sha256 != two.sha256
