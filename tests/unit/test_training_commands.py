"""`weir model train` and `evaluate` as a person meets them: what they print, write, and refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer import Typer
from typer.testing import CliRunner

from ops.commands import model_evaluate, model_train
from ops.exits import MISSING, MISUSED
from tests.training_factory import GROUPS, HARSH, MILD, HashEncoder, write_data
from triton_models.serving.text_tower import GRAPH
from triton_models.training.recipe import load_recipe

RUNNER = CliRunner()


class FakeTower(HashEncoder):
    """An encoder that is opened like the real one."""

    def __init__(self, directory: Path, *, processes: int) -> None:
        super().__init__()
        assert (directory / GRAPH).is_file()
        assert processes > 0

    def __enter__(self) -> FakeTower:  # noqa: PYI034 - a test double
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Typer:
    """The two commands, over the fake tower, with a home of their own."""
    monkeypatch.setenv("WEIR_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("triton_models.training.encoder.TowerEncoder", FakeTower)
    made = Typer()
    made.command()(model_train.train)
    made.command()(model_evaluate.evaluate)
    return made


@pytest.fixture
def towers(tmp_path: Path) -> Path:
    """A folder that looks as if it had a text tower."""
    folder = tmp_path / "towers"
    folder.mkdir()
    (folder / GRAPH).write_bytes(b"")
    return folder


def small_recipe(folder: Path) -> Path:
    """The starter recipe made small, as a file."""
    recipe = load_recipe("starter").model_dump(mode="json")
    recipe["head"] |= {"hidden": 4, "epochs": 4, "batch": 64}
    recipe["ngram"]["buckets_log2"] = 12
    recipe["augment"]["ordinary_long"] = 5
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return path


@pytest.mark.slow
def test_a_release_is_trained_written_and_measured_on_own_posts(app: Typer, towers: Path, tmp_path: Path) -> None:
    """One command from a data folder to a release with its card; a second measures it on a person's own file."""
    data = write_data(tmp_path / "data", rows=80)
    out = tmp_path / "release"
    trained = RUNNER.invoke(
        app,
        [
            "train",
            "--data",
            str(data),
            "--recipe",
            str(small_recipe(tmp_path)),
            "--out",
            str(out),
            "--towers",
            str(towers),
            "--json",
        ],
    )
    assert trained.exit_code == 0, trained.output
    summary = json.loads(trained.stdout)
    assert summary["folder"] == str(out)
    assert "sexual_minors" in summary["abstains_in_text"]
    assert {path.name for path in out.iterdir()} == {"heads.npz", "ngrams.npz", "fuser.json", "card.json", "card.md"}
    card = json.loads((out / "card.json").read_text(encoding="utf-8"))
    assert card["made"]["command"].startswith("weir model train")
    assert "Disguised texts" in card["quality"]["tables"]

    posts = tmp_path / "posts.jsonl"
    lines = [
        {
            "text": f"{HARSH[n % 4]} {GROUPS[n % 3]} {MILD[n % 10]}"
            if n % 2
            else f"{MILD[n % 10]} and {MILD[n % 7]} {n}",
            "labels": {"hate": n % 2},
        }
        for n in range(60)
    ]
    posts.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    judged = RUNNER.invoke(app, ["evaluate", str(posts), "--release", str(out), "--towers", str(towers), "--json"])
    assert judged.exit_code == 0, judged.output
    assert json.loads(judged.stdout)["held_out"]["posts.jsonl"]["hate"]["fused"]["auroc"] > 0.8

    folder = tmp_path / "report"
    words = ["evaluate", str(posts), "--release", str(out), "--towers", str(towers)]
    written = RUNNER.invoke(app, [*words, "--report", str(folder), "--against", str(out)])
    assert written.exit_code == 0, written.output
    found = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert found["against"]["release"] == card["release"]
    assert found["members"]["cost"]["texts"] == 60
    assert "What it finds" in (folder / "report.html").read_text(encoding="utf-8")
    assert RUNNER.invoke(app, [*words, "--against", str(tmp_path)]).exit_code == MISUSED

    left_out = {"tower": "fake", "locales": {"de": 0.8}, "how": "not at all"}
    (out / "leave_out.json").write_text(json.dumps(left_out), encoding="utf-8")
    sets = ["evaluate", "--sets", str(data), "--release", str(out), "--towers", str(towers), "--json"]
    whole = RUNNER.invoke(app, sets)
    assert whole.exit_code == 0, whole.output
    found = json.loads(whole.stdout)
    assert found["consistency"] == found["pictures"] == {"note": f"not measured: no pictures in {data}"}
    reached = {goal["goal"]: goal["reached"] for goal in found["goals"]}
    assert reached["languages never trained on"] == 0.8
    assert reached["joint quadruples, all four"] is None


def test_a_missing_tower_says_how_to_get_it(app: Typer, tmp_path: Path) -> None:
    """Without an assembled tower the answer is exit 3 and the two commands that make one."""
    data = write_data(tmp_path / "data", rows=4)
    result = RUNNER.invoke(app, ["train", "--data", str(data)])
    assert result.exit_code == MISSING
    assert "weir model assemble" in result.output


def test_a_wrong_recipe_is_misuse(app: Typer, towers: Path, tmp_path: Path) -> None:
    """An unknown recipe is exit 2, with the shipped ones named."""
    result = RUNNER.invoke(app, ["train", "--data", str(tmp_path), "--recipe", "startr", "--towers", str(towers)])
    assert result.exit_code == MISUSED
    assert "starter" in result.output


def test_a_data_folder_without_sets_is_misuse(app: Typer, towers: Path, tmp_path: Path) -> None:
    """An empty data folder is exit 2, with the first missing file and the option to set."""
    (tmp_path / "empty").mkdir()
    result = RUNNER.invoke(app, ["train", "--data", str(tmp_path / "empty"), "--towers", str(towers)])
    assert result.exit_code == MISUSED
    assert "davidson" in result.output


def test_evaluate_wants_exactly_one_thing_to_measure_on(app: Typer, tmp_path: Path) -> None:
    """Neither a file nor --sets, or both, is exit 2 with what to give."""
    assert RUNNER.invoke(app, ["evaluate"]).exit_code == MISUSED
    posts = tmp_path / "p.jsonl"
    posts.write_text("{}", encoding="utf-8")
    result = RUNNER.invoke(app, ["evaluate", str(posts), "--sets", str(tmp_path)])
    assert result.exit_code == MISUSED
    assert "FILE or --sets" in result.output


def test_a_bad_line_of_ones_own_posts_is_misuse(app: Typer, towers: Path, tmp_path: Path) -> None:
    """A file with broken lines is refused with their numbers, before anything is loaded from a release."""
    posts = tmp_path / "p.jsonl"
    posts.write_text('{"text": "x"}\n', encoding="utf-8")
    result = RUNNER.invoke(app, ["evaluate", str(posts), "--towers", str(towers)])
    assert result.exit_code == MISUSED
    assert "line 1" in result.output
