"""Changed pictures: seeded, RGB, within their bounds, and still of what they showed; and what the changes cost."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from tests.pairs_factory import write_pair_data
from tests.pictures import a_scene
from triton_models.pixels import decode_image
from triton_models.training.augment.images import CHANGES, LEAST_KEPT, MOST_ADDED, as_rgb, change_picture
from triton_models.training.pairs import find_icons
from triton_models.training.robustness_pictures import held_out_pictures, lossless, measure_picture_changes

GROWING = {"border", "caption_bar"}
MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F", "YCbCr")
SIZES = ((1, 1), (1, 90), (200, 3), (7, 5), (224, 224), (301, 97))


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_a_change_is_seen_and_repeats(name: str) -> None:
    """It alters something, the same seed gives the same pixels, and the given picture is left alone."""
    picture = a_scene(3, (160, 120))
    before = picture.tobytes()
    one, same = (CHANGES[name](picture, random.Random(4)) for _ in range(2))
    assert one.tobytes() == same.tobytes() != before
    assert picture.tobytes() == before


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_pictures_of_any_kind_stay_within_bounds(name: str) -> None:
    """RGB comes out of every mode; only a crop takes and only a border or bar adds, as much as is said."""
    for mode in MODES:
        for number, size in enumerate(SIZES):
            changed = CHANGES[name](Image.new(mode, size), random.Random(number))
            assert changed.mode == "RGB"
            for new, old in zip(changed.size, size, strict=True):
                least = LEAST_KEPT * old if name == "crop" else old
                most = (1 + MOST_ADDED) * old if name in GROWING else old
                assert least <= new <= most, (mode, size, changed.size)


@pytest.mark.parametrize("name", sorted(set(CHANGES) - GROWING - {"flip"}))
def test_what_is_shown_stays_recognisable(name: str) -> None:
    """A changed picture is nearer to its own plain picture than to any other, seen at the size of a thumbnail."""

    def seen(picture: Image.Image) -> npt.NDArray[np.float64]:
        pixels = np.asarray(picture.convert("L").resize((12, 12), Image.Resampling.BOX), dtype=np.float64)
        even: npt.NDArray[np.float64] = (pixels - pixels.mean()).ravel() / (pixels.std() + 1e-9)
        return even

    scenes = [a_scene(number, (160, 120)) for number in range(6)]
    plain = np.stack([seen(scene) for scene in scenes])
    for seed in range(3):
        changed = np.stack([seen(CHANGES[name](scene, random.Random(seed))) for scene in scenes])
        assert (plain @ changed.T).argmax(axis=0).tolist() == list(range(6))


def test_what_grows_keeps_the_picture_whole() -> None:
    """A border is around the picture, a caption bar above or below it: not a pixel is lost."""
    picture = a_scene(2, (160, 120))
    for seed in range(6):
        framed = CHANGES["border"](picture, random.Random(seed))
        edge = (framed.width - 160) // 2
        assert framed.crop((edge, edge, edge + 160, edge + 120)).tobytes() == picture.tobytes()
        barred = CHANGES["caption_bar"](picture, random.Random(seed))
        tall = barred.height - 120
        places = [barred.crop((0, top, 160, top + 120)).tobytes() for top in (0, tall)]
        assert picture.tobytes() in places


def test_what_is_transparent_turns_white() -> None:
    """As on a page, and as in serving."""
    assert as_rgb(Image.new("RGBA", (2, 2), (9, 9, 9, 0))).getpixel((0, 0)) == (255, 255, 255)
    half = Image.new("P", (2, 2), 0)
    half.info["transparency"] = 0
    assert as_rgb(half).getpixel((0, 0)) == (255, 255, 255)


def test_a_drawn_change_has_a_name_and_repeats() -> None:
    """All changes are drawn sooner or later."""
    picture = a_scene(1, (40, 30))
    drawn = [change_picture(picture, str(seed)) for seed in range(120)]
    assert {name for _, name in drawn} == set(CHANGES)
    again, name = change_picture(picture, "7")
    assert (again.tobytes(), name) == (drawn[7][0].tobytes(), drawn[7][1])


def test_held_out_pictures_are_of_test_icons(tmp_path: Path) -> None:
    """Both sides come from icons that no training saw, each rendering once, the same for the same seed."""
    icons = find_icons(write_pair_data(tmp_path))
    pictures, truth = held_out_pictures(icons, "weapons", per_side=12, seed=2)
    again, _ = held_out_pictures(icons, "weapons", per_side=12, seed=2)
    assert truth.tolist() == [True] * 12 + [False] * 12
    assert [one.tobytes() for one in pictures] == [one.tobytes() for one in again]
    few, _ = held_out_pictures(
        {name: [i for i in some if i.split == "train"] for name, some in icons.items()}, "weapons"
    )
    assert few == []


def brightness(pictures: Sequence[Image.Image]) -> npt.NDArray[np.float64]:
    """A judge that finds light pictures harmful."""
    return np.array([np.asarray(one.convert("L"), dtype=np.float64).mean() for one in pictures])


def scenes() -> tuple[list[Image.Image], npt.NDArray[np.bool_]]:
    """Light and dark pictures: for the judge above, harmful and harmless ones."""
    shades = [200 + number for number in range(20)] + [20 + number for number in range(20)]
    return [Image.new("RGB", (32, 32), (one, one, one)) for one in shades], np.array([True] * 20 + [False] * 20)


def test_the_table_tells_what_a_change_costs() -> None:
    """A change that the judge does not mind costs nothing; one that blinds it shows in recall, its ratio and AUROC."""
    pictures, truth = scenes()
    table = measure_picture_changes(
        pictures,
        truth,
        brightness,
        changes={
            "copy": lambda picture, _: picture.copy(),
            "black": lambda picture, _: Image.new("RGB", picture.size),
            "white": lambda picture, _: Image.new("RGB", picture.size, (255, 255, 255)),
        },
    )
    lines = {line["change"]: line for line in table["rows"]}
    perfect = {"AUROC": 1.0, "recall": 1.0, "false positives": 0.05, "recall / plain": 1.0}
    assert lines["plain"] == {"change": "plain", **perfect}
    assert lines["copy"] == {"change": "copy", **perfect}
    blind = {"AUROC": 0.5, "recall": 0.0, "false positives": 0.0, "recall / plain": 0.0}
    assert lines["black"] == {"change": "black", **blind}
    assert lines["white"]["false positives"] == 1.0
    assert lines["mean of changes"]["recall"] == pytest.approx(2 / 3, abs=1e-4)
    assert "20 harmful and 20 harmless" in table["what"]


def test_the_table_has_every_change_and_repeats() -> None:
    """The shipped changes, once each, between plain and their mean; the same numbers for the same seed."""
    pictures, truth = scenes()
    table = measure_picture_changes(pictures, truth, brightness, seed=3)
    assert [line["change"] for line in table["rows"]] == ["plain", *CHANGES, "mean of changes"]
    assert table == measure_picture_changes(pictures, truth, brightness, seed=3)


@pytest.mark.parametrize("truth", [[True] * 40, [False] * 40, [True, False]])
def test_one_side_alone_measures_nothing(truth: list[bool]) -> None:
    """Without harmless pictures there is no threshold, without harmful ones no recall; lengths must agree."""
    with pytest.raises(ValueError, match="both sides"):
        measure_picture_changes(scenes()[0], np.array(truth), brightness)


def test_pictures_become_files_that_lose_nothing() -> None:
    """The server takes the file and reads the very pixels of the picture, squashed to its square."""
    pixels = np.frombuffer(decode_image(lossless(Image.new("RGB", (300, 80), (10, 200, 30)))), dtype=np.uint8)
    assert set(map(tuple, pixels.reshape(-1, 3).tolist())) == {(10, 200, 30)}
    scene = a_scene(2, (224, 224))
    assert decode_image(lossless(scene)) == scene.tobytes()
