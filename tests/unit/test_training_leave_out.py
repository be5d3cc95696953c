"""A language that is left out is judged by a head that never saw it; few rows are drawn the same every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from triton_models.training.datasets import DataError, Row
from triton_models.training.datasets.sample import capped, thinned
from triton_models.training.evaluate_goals import goal_rows
from triton_models.training.leave_out import FILE, leave_language_out, read_left_out, write_left_out

WIDTH = 6
Array = npt.NDArray[np.float32]


def made(locale: str, split: str, axis: int, count: int = 60) -> tuple[list[Row], Array]:
    """Rows whose hate lies on one axis of the vectors."""
    rng = np.random.default_rng(len(split) + axis)
    rows, vectors = [], rng.normal(size=(count, WIDTH)).astype(np.float32)
    for number in range(count):
        hate = number % 2
        vectors[number, axis] += 4.0 * hate
        rows.append(Row(f"x:{locale}{split}{number}", f"{number}", locale, "x", split, {"hate": float(hate)}))  # type: ignore[arg-type]
    return rows, vectors


def test_a_language_of_its_own_is_lost_without_its_rows() -> None:
    """En and de share an axis, so each is found without its rows; zh has one of its own, and is not."""
    parts = {"train": [made("en", "train", 0), made("de", "train", 0), made("zh", "train", 1)]}
    parts["test"] = [made("en", "test", 0), made("de", "test", 0), made("zh", "test", 1)]
    train, test = (
        ([row for rows, _ in parts[name] for row in rows], np.concatenate([vectors for _, vectors in parts[name]]))
        for name in ("train", "test")
    )
    lines = {line["language"]: line for line in leave_language_out(train, test, "hate")}
    assert set(lines) == {"en", "de", "zh"}
    assert all(line["taught"] > 0.9 for line in lines.values())
    assert lines["en"]["never taught"] > 0.9
    assert lines["zh"]["never taught"] < 0.7


def test_too_few_rows_are_no_figure() -> None:
    """Nor is a language that the training rows do not have, where nothing could be left out."""
    train = made("en", "train", 0)
    assert leave_language_out(train, made("en", "test", 0, count=12), "hate") == []
    assert leave_language_out(train, made("fr", "test", 0), "hate") == []


def test_few_rows_are_drawn_the_same_every_time() -> None:
    """By the seed, in their order, and only from sets that are named."""
    rows = [Row(f"{name}:{n}", f"{n}", "en", name, "train", {}) for name in ("a", "b") for n in range(30)]
    found = capped(rows, {"a": 10}, seed=3)
    assert found == capped(rows, {"a": 10}, seed=3)
    assert [row.source for row in found] == ["a"] * 10 + ["b"] * 30
    assert [row.id for row in found[:10]] == sorted((row.id for row in found[:10]), key=lambda one: int(one[2:]))
    assert thinned(rows, None, seed=3) == rows
    assert capped(rows, {"a": 10}, seed=4) != found


def test_what_was_found_is_kept_with_the_release(tmp_path: Path) -> None:
    """The lines become a file; what is read of it answers the goal, whose worst language counts. No file, no answer."""
    assert read_left_out(tmp_path) is None
    lines = [{"language": "es", "taught": 0.9, "never taught": 0.81}, {"language": "zh", "never taught": 0.7}]
    write_left_out(tmp_path, lines, tower="reference 2026.11.2", how="only the head is trained anew")
    found = read_left_out(tmp_path)
    assert found is not None
    assert found.locales == {"es": 0.81, "zh": 0.7}
    goals = {row["goal"]: row for row in goal_rows({"leave_one_language_out": found.model_dump()})}
    reached = goals["languages never trained on"]
    assert (reached["met"], reached["reached"]) == (False, 0.7)
    assert reached["where"].endswith("zh")


@pytest.mark.parametrize(
    ("text", "where"),
    [("{", "file"), ('{"tower": "x", "locales": {"es": 81}, "how": "y"}', "locales.es"), ("{}", "tower")],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str, where: str) -> None:
    """With its path, the place that is wrong, and the form that is expected."""
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=rf"{FILE}: {where}: .*expected"):
        read_left_out(tmp_path)
