"""Picture scales: set on harmless pictures, used only where named things rank above the others, else abstaining."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from triton_models.contract import LABELS
from triton_models.serving.heads import PromptBank
from triton_models.serving.image_tower import ImageTower
from triton_models.serving.joint_space import JointSpace, unit
from triton_models.training.picture_calibrate import (
    NAMED,
    NSFW,
    Eyes,
    captions,
    measure_pictures,
    open_eyes,
    picture_files,
    scale_pictures,
)
from triton_models.training.progress import Silent

FloatArray = npt.NDArray[np.float32]
WEAPONS = LABELS.index("weapons")
NAMES = [*sorted(NAMED["weapons"]), *(f"thing {number}" for number in range(34))]
WIDTH = 384


def vectors(rows: int, seed: int) -> FloatArray:
    """Random unit vectors."""
    drawn: FloatArray = np.random.default_rng(seed).standard_normal((rows, WIDTH)).astype(np.float32)
    return unit(drawn)


class FlatTower:
    """Features that are the picture's mean colour: enough to tell one picture from another."""

    def features(self, pixels: npt.NDArray[np.uint8]) -> FloatArray:
        """`[N, 40]` features."""
        means = pixels.reshape(len(pixels), -1).mean(axis=1)
        features: FloatArray = np.abs(np.sin(means[:, None] + np.arange(40)[None, :])).astype(np.float32)
        return features


def eyes(*, seeing: bool) -> Eyes:
    """Picture members over 40 classes; `seeing` ones put weapon classes where the weapon prompts are."""
    harmful, benign, named = vectors(3, 1), vectors(5, 2), vectors(len(NAMES), 3)
    if seeing:
        named[: len(NAMED["weapons"])] = harmful[0]
    space = JointSpace(
        text_centre=np.zeros(WIDTH, dtype=np.float32),
        image_map=np.eye(40, dtype=np.float32) @ named,
        classifier=np.eye(40, dtype=np.float32),
        classifier_bias=np.zeros(40, dtype=np.float32),
        class_vectors=named,
    )
    bank = PromptBank({"weapons": harmful, "violence": vectors(3, 5)}, {"weapons": benign, "violence": benign})
    return Eyes(cast("ImageTower", FlatTower()), space, bank)


def test_a_bank_that_sees_is_scaled_on_harmless_pictures() -> None:
    """Weapon directions rank first, so the category is used, and 1 harmless picture in 200 reaches one half."""
    pictures = vectors(400, 9)
    scale = scale_pictures(eyes(seeing=True), pictures, names=NAMES, unrelated=vectors(20, 11))
    (stacker,) = scale.image["weapons"]
    margins = eyes(seeing=True).bank.score(pictures)[:, WEAPONS]
    assert stacker.members == ("prompts",)
    assert (stacker.logit({"prompts": margins}) > 0).mean() <= 0.01
    assert stacker.weights[0] > 0


def test_a_bank_that_does_not_see_abstains() -> None:
    """Where named things do not rank above the others the category is left out, and the report says so."""
    scale = scale_pictures(eyes(seeing=False), vectors(400, 9), names=NAMES, unrelated=vectors(20, 11))
    assert "weapons" not in scale.image
    assert {line["category"]: line["used"] for line in scale.report}["weapons"] == "no: abstains"


def test_a_category_that_cannot_be_checked_abstains() -> None:
    """No class direction is violence, so nothing vouches for it; the report says unknown, not a number."""
    scale = scale_pictures(eyes(seeing=True), vectors(400, 9), names=NAMES, unrelated=vectors(20, 11))
    assert "violence" not in scale.image
    line = next(line for line in scale.report if line["category"] == "violence")
    assert line["AUROC on directions"] == "unknown"
    json.dumps(scale.report, allow_nan=False)


def test_the_sexual_classifiers_customary_threshold_is_one_half() -> None:
    """Its probability of .8 is our .5, and more is more."""
    at = np.array([np.log(0.8 / 0.2), np.log(0.95 / 0.05)], dtype=np.float32)
    logits = NSFW.logit({"nsfw": at})
    assert logits[0] == pytest.approx(0, abs=1e-6)
    assert logits[1] > 1


def test_alignment_quantiles_rise() -> None:
    """The cosines of unrelated pairs are kept in rising order, from least to greatest."""
    scale = scale_pictures(eyes(seeing=True), vectors(50, 9), names=NAMES, unrelated=vectors(20, 11))
    assert len(scale.alignment_quantiles) == 101
    assert list(scale.alignment_quantiles) == sorted(scale.alignment_quantiles)


def write_pictures(data: Path) -> None:
    """A data folder with three readable pictures, one broken one, and captions."""
    emoji = data / "images" / "noto_emoji" / "png"
    emoji.mkdir(parents=True)
    for number in range(3):
        Image.new("RGB", (72, 72), (number * 80, 10, 10)).save(emoji / f"{number}.png")
    (emoji / "broken.png").write_bytes(b"not a picture")
    folder = data / "images" / "cldr_annotations"
    folder.mkdir()
    named = {"x": {"tts": ["grinning face"]}, "y": {"default": ["no name"]}, "z": {"tts": ["red apple"]}}
    (folder / "en.json").write_text(json.dumps({"annotations": {"annotations": named}}), encoding="utf-8")


def test_broken_pictures_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is no picture does not stop calibration, and captions are the pictures' spoken names."""
    write_pictures(tmp_path)
    monkeypatch.setattr("triton_models.training.picture_calibrate.class_names", lambda: NAMES)
    asked: list[str] = []

    def encode(texts: list[str]) -> FloatArray:
        asked.extend(texts)
        return vectors(len(texts), 4)

    scale = measure_pictures(eyes(seeing=True), tmp_path, encode=encode, progress=Silent())  # type: ignore[arg-type]
    assert scale is not None
    assert asked == captions(tmp_path) == ["grinning face", "red apple"]
    assert len(picture_files(tmp_path)) == 4


def test_a_data_folder_without_pictures_calibrates_none(tmp_path: Path) -> None:
    """No pictures, no scale, no error."""
    assert measure_pictures(eyes(seeing=True), tmp_path, encode=lambda _: vectors(1, 1), progress=Silent()) is None


def test_a_folder_with_only_the_text_tower_has_no_eyes(tmp_path: Path) -> None:
    """A version directory without its card is a place for the text tower alone."""
    assert open_eyes(tmp_path) is None
