"""Gates: the worst figure counts, what was not measured is a no, and a bad file says where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from triton_models.training.gates import Gate, GateError, GateFile, GateResult, check_gates, load_gates

FIGURES = {"held_out": {"a": {"auroc": 0.9, "ece": 0.02}, "b": {"auroc": 0.7, "ece": 0.2}}}


def only(figures: dict[str, Any], serving: dict[str, Any] | None = None, **limits: Any) -> GateResult:
    """The result of one gate over `held_out/*/<figure>`."""
    figure = limits.pop("figure", "auroc")
    gate = Gate(name="g", why="w", value=("held_out", "*", figure), **limits)
    return check_gates(GateFile(gates=(gate,)), figures, serving)[0]


@pytest.mark.parametrize(
    ("limits", "passed", "value", "where"),
    [
        ({"at_least": 0.7}, True, 0.7, "held_out/b/auroc"),
        ({"at_least": 0.71}, False, 0.7, "held_out/b/auroc"),
        ({"at_most": 0.2, "figure": "ece"}, True, 0.2, "held_out/b/ece"),
        ({"at_most": 0.1, "figure": "ece"}, False, 0.2, "held_out/b/ece"),
    ],
)
def test_the_worst_counts(limits: dict[str, Any], passed: bool, value: float, where: str) -> None:  # noqa: FBT001
    """A path with a star is judged by its worst figure, which is named."""
    result = only(FIGURES, **limits)
    assert (result.passed, result.value, result.where) == (passed, value, where)


def test_unmeasured_is_a_no() -> None:
    """A figure that is not there refuses, and passes only for an optional gate."""
    assert not only({}, at_least=0.1).passed
    assert only({}, at_least=0.1, optional=True).passed
    assert "not measured" in only({}, at_least=0.1).line()


def test_keeping_what_serves() -> None:
    """A share of the serving version's figures must be kept; a figure that was lost counts as nothing."""
    serving = {"held_out": {"a": {"auroc": 0.9}, "b": {"auroc": 0.8}}}
    kept = only(FIGURES, serving, keeps=0.85)
    assert kept.passed
    assert kept.value == pytest.approx(0.875)
    assert not only(FIGURES, serving, keeps=0.9).passed
    assert not only({"held_out": {"a": {"auroc": 1.0}}}, serving, keeps=0.5).passed
    assert only(FIGURES, {}, keeps=0.9).passed


def test_lists_are_walked_too() -> None:
    """A table that is a list of rows is judged by its worst row."""
    gate = Gate(name="g", why="w", value=("rows", "*", "right"), at_least=0.5)
    (result,) = check_gates(GateFile(gates=(gate,)), {"rows": [{"right": 0.9}, {"of": "x"}, {"right": 0.4}]})
    assert (result.passed, result.where) == (False, "rows/2/right")


def test_nan_is_not_a_figure() -> None:
    """An undefined figure is no figure, so the gate says no."""
    assert not only({"held_out": {"a": {"auroc": float("nan")}}}, at_least=0.0).passed


def test_shipped_gates_load() -> None:
    """The shipped file is valid and asks both before and beside production."""
    assert {gate.stage for gate in load_gates().gates} == {"figures", "canary"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gates: [{name: a, why: w, value: [x]}]", "exactly one of"),
        ("gates: [{name: a, why: w, value: [x], at_least: 1, at_most: 2}]", "exactly one of"),
        ("gates: [{name: a, why: w, value: [x], at_lest: 1}]", "at_lest"),
        ("gates: []", "gates"),
        ("gates: [", "not YAML"),
        (
            "gates: [{name: a, why: w, value: [x], at_least: 1}, {name: a, why: w, value: [y], at_least: 1}]",
            "two gates have the name a",
        ),
    ],
)
def test_bad_files_say_where(tmp_path: Path, text: str, said: str) -> None:
    """A wrong file is one error that names the file and the problem."""
    path = tmp_path / "my-gates.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(GateError, match=r"my-gates\.yaml") as caught:
        load_gates(path)
    assert said in str(caught.value)
