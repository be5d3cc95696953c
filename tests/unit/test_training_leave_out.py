"""A language that is left out is judged by a head that never saw it; few rows are drawn the same every time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from triton_models.training.datasets import Row
from triton_models.training.datasets.sample import capped, thinned
from triton_models.training.leave_out import leave_language_out

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
