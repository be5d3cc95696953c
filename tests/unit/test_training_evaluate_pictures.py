"""Pictures and quadruples in the report: judged as served, in both files, and called unmeasured without pictures."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.pairs_factory import write_pair_data
from tests.release_factory import tiny_fuser, tiny_members
from triton_models.contract import IMAGE_BYTES, JOINT_NAMES, LABELS, MEMBERS, ROWS
from triton_models.serving.ensemble import Ensemble
from triton_models.serving.items import Item, Outputs
from triton_models.training.augment.images import CHANGES
from triton_models.training.evaluate_goals import goal_rows
from triton_models.training.evaluate_pictures import (
    NotMeasuredError,
    PictureSample,
    measure_consistency,
    measure_pictures,
    open_ensemble,
    picture_sections,
)
from triton_models.training.pairs import Icon, Pair, PairPlan, build_pairs, find_icons, load_phrases
from triton_models.training.progress import Silent
from triton_models.training.report_page import write_report

SAMPLE = PictureSample(quadruples=12, pictures=3, copies=10)
EACH = 2  # of 12, for each of six families

Scores = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def icons(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Icon]]:
    """Icons of a small data folder."""
    return find_icons(write_pair_data(tmp_path_factory.mktemp("pictures")))


def outputs(fused: Scores, contradiction: Scores) -> Outputs:
    """What the ensemble gives, with only the parts filled that the report reads."""
    count = len(fused)
    scores = np.full((count, len(ROWS), len(LABELS)), np.nan, np.float32)
    scores[:, ROWS.index("fused")] = fused
    joint = np.full((count, len(JOINT_NAMES)), np.nan, np.float32)
    joint[:, JOINT_NAMES.index("contradiction")] = contradiction
    return Outputs(
        scores=scores,
        severity=np.zeros((count, len(LABELS)), np.int32),
        joint=joint,
        disagreement=np.zeros((count, len(LABELS)), np.float32),
        members=np.zeros((count, len(MEMBERS), len(LABELS)), np.float32),
        member_status=np.zeros((count, len(MEMBERS)), np.uint8),
        text_embedding=np.zeros((count, 1), np.float32),
        image_embedding=np.zeros((count, 1), np.float32),
        ocr_text=(b"",) * count,
        release=b"test",
    )


class Oracle:
    """Knows the posts in the order in which they come; a post seen again, with a copy of its picture, is told less."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self.pairs, self.items = pairs, list[Item]()

    def __call__(self, items: Sequence[Item]) -> Outputs:
        """0.9 for what is harmful, 0.1 for what is not, abstained from everything else."""
        fused = np.full((len(items), len(LABELS)), np.nan, np.float32)
        for row in range(len(items)):
            at = len(self.items) + row
            if at < len(self.pairs):
                fused[row, LABELS.index(self.pairs[at].category)] = 0.9 if self.pairs[at].harmful else 0.1
            else:
                fused[row] = 0.4
        self.items += items
        return outputs(fused, np.zeros(len(items), np.float32))


def held_out(icons: dict[str, list[Icon]]) -> list[Pair]:
    """The posts that the sample asks for."""
    pairs = build_pairs(load_phrases(), icons, PairPlan(2 * EACH, SAMPLE.seed))
    return [pair for pair in pairs if pair.split == "test"]


def test_quadruples_are_judged_whole_as_served(icons: dict[str, list[Icon]]) -> None:
    """Text, picture and the picture to be read go in; the families are even; a judge that knows gets all four right."""
    oracle = Oracle(held_out(icons))
    found = measure_consistency(oracle, icons, sample=SAMPLE, progress=Silent())
    judged = oracle.items[: len(oracle.pairs)]
    assert [item.text for item in judged] == [pair.text for pair in oracle.pairs]
    assert all(item.image is not None and len(item.image) == IMAGE_BYTES and item.ocr_image for item in judged)
    assert found["quadruples"] == EACH * len(load_phrases().families)
    assert found["all_four"] == found["order"]["order"] == found["order"]["pairwise"] == 1.0
    assert found["posts_failed"] == 0


def test_copies_of_pictures_are_compared_with_the_same_posts(icons: dict[str, list[Icon]]) -> None:
    """A judge that says 0.4 of every copy has moved by 0.5 at most; an opinion that only it has is counted."""
    oracle = Oracle(held_out(icons))
    found = measure_consistency(oracle, icons, sample=SAMPLE, progress=Silent())
    assert set(found["invariance"]) == {"saved again", "mirrored"}
    for one in found["invariance"].values():
        assert 1 <= one["compared"] <= SAMPLE.copies
        assert one["greatest shift"] == pytest.approx(0.5, abs=1e-4)
        assert one["lost opinions"] == one["compared"] * (len(LABELS) - 1)


def test_whoever_abstains_calls_nothing_harmful(icons: dict[str, list[Icon]]) -> None:
    """No opinion is no alarm: the harmful post of each quadruple is missed, the other three are right."""

    def silent(items: Sequence[Item]) -> Outputs:
        nothing = np.full((len(items), len(LABELS)), np.nan, np.float32)
        return outputs(nothing, nothing[:, 0])

    found = measure_consistency(silent, icons, sample=SAMPLE, progress=Silent())
    assert found["all_four"] == 0.0
    assert found["by_corner"] == {"11": 0.0, "10": 1.0, "01": 1.0, "00": 1.0}
    assert math.isnan(found["contradiction_auroc"])


def weapons_only(items: Sequence[Item]) -> Outputs:
    """A judge of how light a picture is, who calls that weapons and says nothing of anything else."""
    fused = np.full((len(items), len(LABELS)), np.nan, np.float32)
    light = [np.frombuffer(item.image or b"", np.uint8).mean() / 255 for item in items]
    fused[:, LABELS.index("weapons")] = light
    return outputs(fused, np.zeros(len(items), np.float32))


def test_changed_pictures_are_judged_without_a_text(icons: dict[str, list[Icon]]) -> None:
    """Every change has a line for each category that is judged; the others are named as abstained from."""
    texts: list[str | None] = []

    def judge(items: Sequence[Item]) -> Outputs:
        texts.extend(item.text for item in items)
        return weapons_only(items)

    found = measure_pictures(judge, icons, sample=SAMPLE, progress=Silent())
    assert set(texts) == {None}
    assert found["abstains"] == ["drugs"]
    assert [line["change"] for line in found["weapons"]["changes"]["rows"]] == ["plain", *CHANGES, "mean of changes"]
    assert found["weapons"]["recall_ratio"] == found["weapons"]["changes"]["rows"][-1]["recall / plain"] or math.isnan(
        found["weapons"]["recall_ratio"]
    )


def never() -> Ensemble:
    """Nobody may ask for the ensemble."""
    raise AssertionError("the ensemble was loaded for nothing")


def refused() -> Ensemble:
    """An ensemble that cannot judge pictures."""
    raise NotMeasuredError("has no image tower")


@pytest.mark.parametrize(
    ("ensemble", "pictures", "quadruples", "note"),
    [
        (never, False, 12, "not measured: no pictures in "),
        (never, True, 0, "not measured: no quadruples were asked for"),
        (refused, True, 12, "not measured: has no image tower"),
    ],
)
def test_what_cannot_be_measured_is_said(
    tmp_path: Path, ensemble: Callable[[], Ensemble], pictures: Any, quadruples: int, note: str
) -> None:
    """Without pictures, with none asked for, or without an ensemble for them, both parts hold the reason."""
    if pictures:
        write_pair_data(tmp_path)
    sample = PictureSample(quadruples)
    found = picture_sections(ensemble, tmp_path, sample=sample, progress=Silent())
    assert set(found) == {"pictures", "consistency"}
    assert all(one["note"].startswith(note) for one in found.values())


def test_a_folder_that_is_no_version_judges_no_pictures(tmp_path: Path) -> None:
    """A text tower alone, and a version of another Weir, say what to do."""
    members, fuser = tiny_members(tmp_path / "cache"), tiny_fuser()
    with pytest.raises(NotMeasuredError, match="no assembled version"):
        open_ensemble(tmp_path, tmp_path, members, fuser)
    (tmp_path / "card.json").write_text('{"format": 1}', encoding="utf-8")
    with pytest.raises(NotMeasuredError, match="weir model assemble"):
        open_ensemble(tmp_path, tmp_path, members, fuser)


def test_both_tables_are_on_the_page_and_in_the_data(icons: dict[str, list[Icon]], tmp_path: Path) -> None:
    """Changed pictures, the ensemble beside the head alone, languages left out, and a goal for each figure."""
    report: dict[str, Any] = {
        "pictures": measure_pictures(weapons_only, icons, sample=SAMPLE, progress=Silent()),
        "consistency": measure_consistency(Oracle(held_out(icons)), icons, sample=SAMPLE, progress=Silent()),
        "pairs": {"quadruples": 900, "all_four": 0.36, "by_family": {"threat": 0.4}, "by_language": {"ko": 0.3}},
        "locales": {},
        "leave_one_language_out": {"tower": "t", "locales": {"es": 0.81}, "how": "the head <anew>"},
    }
    report["goals"] = goal_rows(report)
    page, data = (path.read_text(encoding="utf-8") for path in write_report(report, tmp_path))
    for shown in ('id="pictures"', "caption_bar", "whole ensemble", "joint head alone", "saved again", "&lt;anew&gt;"):
        assert shown in page
    assert {"what", "all_four", "order", "invariance"} <= set(json.loads(data)["consistency"])
    goals = {row["goal"]: row["reached"] for row in report["goals"]}
    assert goals["joint quadruples, all four"] == 1.0
    assert goals["joint reading"] == 0.36
    assert goals["languages never trained on"] == 0.81


def test_an_unmeasured_part_is_on_the_page(tmp_path: Path) -> None:
    """The reader is told why, and the joint head's own figure is still shown."""
    report = picture_sections(never, tmp_path, sample=SAMPLE, progress=Silent())
    report["pairs"] = {"quadruples": 900, "all_four": 0.36, "by_family": {}, "by_language": {}}
    page = write_report(report, tmp_path / "out")[0].read_text(encoding="utf-8")
    assert page.count("not measured: no pictures in") == 2
    assert "joint head alone" in page
