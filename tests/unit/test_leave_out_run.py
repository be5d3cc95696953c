"""Languages that nobody taught: what is asked about is what was left out, and nothing of it teaches."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from typer import Typer
from typer.testing import CliRunner

from ops.commands import model_leave_out
from ops.exits import MISUSED
from tests.towers_factory import write_e5
from tests.training_factory import write_data
from triton_models.parts import read_e5
from triton_models.training import leave_out_run
from triton_models.training.datasets import Row
from triton_models.training.datasets.sample import thinned
from triton_models.training.finetune_recipe import load_finetune_recipe
from triton_models.training.leave_out_run import LeaveOutJob, run_leave_out
from triton_models.training.linear_fit import Linear, fit_linear
from triton_models.training.progress import Silent


def test_the_left_out_languages_are_measured_and_not_taught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The head sees no row of them; each that has held-out rows gets a line, and so does a set given from outside."""
    recipe = load_finetune_recipe("left-out").model_copy(
        update={"sets": ("davidson", "contrast"), "without_locales": ("es", "sw", "xx")}
    )
    taught: list[int] = []
    locales: list[str] = []

    def fit(embeddings: np.ndarray, target: np.ndarray, weight: np.ndarray) -> Linear:  # type: ignore[type-arg]
        taught.append(len(embeddings))
        return fit_linear(embeddings, target, weight)

    def few(rows: Sequence[Row], most: int, seed: int) -> list[Row]:
        locales.extend(row.locale for row in rows)
        return thinned(rows, min(most, 200), seed)

    monkeypatch.setattr(leave_out_run, "fit_linear", fit)
    monkeypatch.setattr(leave_out_run, "thinned", few)
    data = write_data(tmp_path / "data")
    cases = (["hello world", "ab ab"] * 10, np.array([True, False] * 10))
    job = LeaveOutJob(read_e5(write_e5(tmp_path / "tiny.bin")), recipe, data, tmp_path / "work", Silent())
    lines = run_leave_out(job, {"given": cases, "one-sided": (["hello"], np.array([True]))})
    assert [line["language"] for line in lines] == ["es", "sw", "given"]
    assert all(0.0 <= line["never taught"] <= 1.0 for line in lines)
    assert lines[0]["rows"] > 50
    assert taught == [200]
    assert "de" in locales
    assert not {"es", "sw"} & set(locales)


def test_a_release_that_left_nothing_out_is_refused(tmp_path: Path) -> None:
    """The command says what is missing: a record, or languages in its recipe."""
    runner, app = CliRunner(), Typer()
    app.command()(model_leave_out.leave_out)
    words = [str(tmp_path), "--data", str(tmp_path)]
    nothing = runner.invoke(app, words)
    assert nothing.exit_code == MISUSED
    assert "weir model finetune" in nothing.output
    whole = load_finetune_recipe("smoke").model_dump(mode="json")
    (tmp_path / "finetune.json").write_text(json.dumps({"recipe": whole}), encoding="utf-8")
    none_left = runner.invoke(app, words)
    assert none_left.exit_code == MISUSED
    assert "without_locales" in none_left.output
