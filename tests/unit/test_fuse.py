"""Fusion: any member may be missing, what nothing judges abstains, and the formulae are those documented."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from triton_models.contract import JOINT_NAMES, LABELS, MEMBERS, ROWS
from triton_models.serving.fuse import (
    MAX_IMAGE_EVIDENCE,
    NEUTRAL_IMAGE,
    SEVERITY_BANDS,
    FuseInput,
    Fuser,
    Stacker,
    severity_of,
)

FloatArray = npt.NDArray[np.float32]
HATE, WEAPONS, DRUGS = LABELS.index("hate"), LABELS.index("weapons"), LABELS.index("drugs")
TEXT, IMAGE, JOINT, FUSED = (ROWS.index(name) for name in ("text", "image", "joint", "fused"))
ALIGNMENT, CONTRADICTION, GAIN = (
    JOINT_NAMES.index(name) for name in ("alignment", "contradiction", "interaction_gain")
)


def stackers(*members: str) -> tuple[Stacker, ...]:
    """One stacker per non-empty set of members, each simply the mean of their opinions."""
    return tuple(
        Stacker(chosen, (1 / len(chosen),) * len(chosen), 0.0)
        for size in range(len(members), 0, -1)
        for chosen in combinations(members, size)
    )


FUSER = Fuser(
    text={"hate": stackers("towers", "ngrams"), "weapons": stackers("towers")},
    image={"weapons": stackers("prompts")},
    alignment_quantiles=(0.0, 0.1, 0.2, 0.3, 0.4),
)


def opinion(count: int = 1, **values: float) -> FloatArray:
    """`[count, C]` raw opinions, NaN but for the named categories."""
    out = np.full((count, len(LABELS)), np.nan, dtype=np.float32)
    for name, value in values.items():
        out[:, LABELS.index(name)] = value
    return out


def sigmoid(logit: float) -> float:
    """The logistic function."""
    return float(1 / (1 + np.exp(-logit)))


def direction(cosine: float) -> tuple[FloatArray, FloatArray]:
    """Two unit vectors `[1, 2]` at a given cosine."""
    return (
        np.array([[1.0, 0.0]], dtype=np.float32),
        np.array([[cosine, np.sqrt(1 - cosine**2)]], dtype=np.float32),
    )


def test_both_members_are_averaged_and_a_missing_one_is_left_out() -> None:
    """With both members their formula, with one alone its own; a missing member is never an opinion of 0."""
    both = FUSER.fuse(FuseInput(text={"towers": opinion(hate=3), "ngrams": opinion(hate=1)}))
    alone = FUSER.fuse(FuseInput(text={"towers": opinion(hate=3)}))
    silent = FUSER.fuse(FuseInput(text={"towers": opinion(hate=3), "ngrams": opinion()}))
    assert both.scores[0, TEXT, HATE] == pytest.approx(sigmoid(2))
    assert alone.scores[0, TEXT, HATE] == pytest.approx(sigmoid(3))
    assert silent.scores[0, TEXT, HATE] == pytest.approx(sigmoid(3))


def test_rows_of_one_batch_may_miss_different_members() -> None:
    """Each row gets the formula of its own members."""
    towers, ngrams = opinion(3, hate=4), opinion(3, hate=0)
    towers[1], ngrams[2] = np.nan, np.nan
    scores = FUSER.fuse(FuseInput(text={"towers": towers, "ngrams": ngrams})).scores[:, TEXT, HATE]
    np.testing.assert_allclose(scores, [sigmoid(2), sigmoid(0), sigmoid(4)], rtol=1e-5)


def test_what_nothing_judges_abstains() -> None:
    """A category without a stacker is NaN in every row, with severity -1, whatever members say of it."""
    out = FUSER.fuse(FuseInput(text={"towers": opinion(drugs=9, hate=0)}))
    assert np.isnan(out.scores[0, :, DRUGS]).all()
    assert out.severity[0, DRUGS] == -1
    assert out.severity[0, HATE] >= 0
    assert np.isnan(out.scores[0, :, LABELS.index("sexual_minors")]).all()


def test_an_item_without_anything_abstains_everywhere() -> None:
    """An empty item is no error and no 0."""
    out = FUSER.fuse(FuseInput(text={"towers": opinion(), "ngrams": opinion()}))
    assert np.isnan(out.scores).all()
    assert (out.severity == -1).all()
    assert np.isnan(out.joint).all()
    assert np.isnan(out.disagreement).all()


def test_the_joint_row_adds_the_evidence_of_both() -> None:
    """Logit joint = logit text + logit image - logit prior; fused is the greatest of the rows."""
    text, image = {"towers": opinion(weapons=-1.0)}, {"prompts": opinion(weapons=-0.5)}
    out = FUSER.fuse(FuseInput(text=text, image=image))
    assert out.scores[0, JOINT, WEAPONS] == pytest.approx(sigmoid(-1.0 - 0.5 - NEUTRAL_IMAGE))
    assert out.scores[0, FUSED, WEAPONS] == out.scores[0, JOINT, WEAPONS]


def test_an_images_pull_on_the_joint_row_is_bounded() -> None:
    """However sure the image member is, it moves the joint row by at most MAX_IMAGE_EVIDENCE."""
    out = FUSER.fuse(FuseInput(text={"towers": opinion(weapons=-1)}, image={"prompts": opinion(weapons=50)}))
    assert out.scores[0, JOINT, WEAPONS] == pytest.approx(sigmoid(-1.0 + MAX_IMAGE_EVIDENCE))
    assert out.scores[0, FUSED, WEAPONS] == out.scores[0, IMAGE, WEAPONS]


def test_a_harmless_image_does_not_soften_the_text() -> None:
    """The fused score is never below what the text alone says."""
    alone = FUSER.fuse(FuseInput(text={"towers": opinion(weapons=2)}))
    shown = FUSER.fuse(FuseInput(text={"towers": opinion(weapons=2)}, image={"prompts": opinion(weapons=-9)}))
    assert shown.scores[0, FUSED, WEAPONS] == alone.scores[0, FUSED, WEAPONS]


def test_text_read_in_an_image_counts_as_the_image() -> None:
    """OCR text is judged by the text members, reported as member `ocr` and in the image row."""
    out = FUSER.fuse(FuseInput(text={"towers": opinion()}, ocr={"towers": opinion(hate=2)}))
    assert out.scores[0, IMAGE, HATE] == pytest.approx(sigmoid(2))
    assert out.members[0, MEMBERS.index("ocr"), HATE] == pytest.approx(sigmoid(2))
    assert np.isnan(out.scores[0, TEXT, HATE])


def test_disagreement_is_the_spread_of_the_members() -> None:
    """Greatest less least single opinion; undefined below two members."""
    out = FUSER.fuse(FuseInput(text={"towers": opinion(hate=2, weapons=1), "ngrams": opinion(hate=-2)}))
    assert out.disagreement[0, HATE] == pytest.approx(sigmoid(2) - sigmoid(-2))
    assert np.isnan(out.disagreement[0, WEAPONS])


def test_alignment_is_the_percentile_of_the_cosine() -> None:
    """Half of unrelated pairs lie below the middle quantile; beyond the ends it is 0 and 1."""
    said = {"towers": opinion(hate=0)}
    for cosine, expected in ((0.2, 0.5), (0.05, 0.125), (-0.5, 0.0), (0.9, 1.0)):
        text, image = direction(cosine)
        out = FUSER.fuse(FuseInput(text=said, text_embedding=text, image_embedding=image))
        assert out.joint[0, ALIGNMENT] == pytest.approx(expected, abs=1e-5)


def test_contradiction_needs_both_distance_and_different_judgements() -> None:
    """Pictures and words that are apart and are judged differently contradict; aligned or agreeing ones do not."""

    def contradiction(cosine: float, shown: float) -> float:
        text, image = direction(cosine)
        opinions = FuseInput(
            text={"towers": opinion(weapons=-3)},
            image={"prompts": opinion(weapons=shown)},
            text_embedding=text,
            image_embedding=image,
        )
        return float(FUSER.fuse(opinions).joint[0, CONTRADICTION])

    assert contradiction(0.0, 4) > 0.8
    assert contradiction(0.9, 4) == pytest.approx(0)
    assert contradiction(0.0, -3) == pytest.approx(0)


def test_interaction_gain_is_what_reading_together_adds() -> None:
    """Weak signs in both modalities add up; a sign in one alone gains nothing."""
    text, image = direction(0.3)

    def gain(said: float, shown: float) -> float:
        opinions = FuseInput(
            text={"towers": opinion(weapons=said)},
            image={"prompts": opinion(weapons=shown)},
            text_embedding=text,
            image_embedding=image,
        )
        return float(FUSER.fuse(opinions).joint[0, GAIN])

    assert gain(-0.5, -0.2) > 0.1
    assert gain(2.0, -4.0) == 0


@pytest.mark.parametrize("missing", ["text", "image"])
def test_joint_numbers_need_both_modalities(missing: str) -> None:
    """Without a text or without an image the joint numbers are NaN, not 0."""
    text, image = direction(0.3)
    if missing == "text":
        text = np.zeros_like(text)
    else:
        image = np.zeros_like(image)
    out = FUSER.fuse(FuseInput(text={"towers": opinion(hate=0)}, text_embedding=text, image_embedding=image))
    assert np.isnan(out.joint).all()


def test_severity_follows_the_bands() -> None:
    """Severity rises at each band and never reaches 7, which only rules give."""
    probabilities = np.array([0.0, *SEVERITY_BANDS, 1.0, np.nan], dtype=np.float32)
    assert severity_of(probabilities).tolist() == [0, 1, 2, 3, 4, 5, 6, 6, -1]


def test_a_fuser_survives_its_file(tmp_path: Path) -> None:
    """Saving and loading keeps every number, and the same fuser writes the same bytes."""
    FUSER.save(tmp_path)
    first = (tmp_path / "fuser.json").read_bytes()
    loaded = Fuser.load(tmp_path)
    loaded.save(tmp_path)
    assert (tmp_path / "fuser.json").read_bytes() == first
    opinions = FuseInput(text={"towers": opinion(hate=1), "ngrams": opinion(hate=-1)})
    np.testing.assert_array_equal(loaded.fuse(opinions).scores, FUSER.fuse(opinions).scores)


def test_an_unknown_category_in_the_file_is_named(tmp_path: Path) -> None:
    """A fuser of another taxonomy is refused with the offending name."""
    FUSER.save(tmp_path)
    path = tmp_path / "fuser.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"weapons"', '"weaponry"'), encoding="utf-8")
    with pytest.raises(ValueError, match="weaponry"):
        Fuser.load(tmp_path)
