"""`weir model list|show|compare|promote|rollback` as a person uses them, with no server running."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ops.commands.model import app
from ops.exits import MISUSED, NO, OK
from tests.integration.tiny_safety_model import write_tiny_repository, write_tiny_version

RUNNER = CliRunner()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose repository has version 1."""
    monkeypatch.setenv("WEIR_HOME", str(tmp_path))
    monkeypatch.delenv("WEIR_TRITON_URL", raising=False)
    write_tiny_repository(tmp_path / "repository")
    return tmp_path


@pytest.fixture
def gates(tmp_path: Path) -> Path:
    """One gate on the tiny versions' only figure."""
    path = tmp_path / "gates.yaml"
    path.write_text("gates: [{name: figure, why: w, value: [auroc], at_least: 0.5}]", encoding="utf-8")
    return path


def run(*words: str, code: int = OK) -> str:
    """What the command printed, after it ended with `code`."""
    result = RUNNER.invoke(app, list(words))
    assert result.exit_code == code, result.output
    return result.output


def serving() -> int:
    """The version that is served, as `list` tells it."""
    versions = json.loads(run("list", "--json"))["versions"]
    return next(int(one["version"]) for one in versions if one["serving"])


def test_promote_and_back(home: Path, gates: Path) -> None:
    """A candidate that passes is served from the next start on; rolling back serves the one before."""
    candidate = write_tiny_version(home / "new", score=0.8, release="tiny-2")
    told = run("promote", str(candidate), "--gates", str(gates))
    assert "ok  figure: 0.8 (≥ 0.5)" in told
    assert "serving version 2" in told
    assert serving() == 2
    assert "rolled back from 2 to 1" in run("rollback")
    assert serving() == 1
    journal = json.loads(run("list", "--json"))["journal"]
    assert [entry["reason"] for entry in journal] == [
        "pinned; no server runs, the next start loads it",
        "rolled back from 2 to 1",
    ]
    assert "tiny-2" in run("list")


def test_a_refusal_is_exit_1_with_its_reasons(home: Path, gates: Path) -> None:
    """A gate that says no is named with value and limit, nothing changes, and the exit code is 1."""
    candidate = write_tiny_version(home / "new", score=0.2)
    told = run("promote", str(candidate), "--gates", str(gates), code=NO)
    assert "NO  figure: 0.2 (≥ 0.5)" in told
    assert "still serving version 1" in told
    assert serving() == 1


def test_the_shipped_gates_refuse_what_was_not_measured(home: Path) -> None:
    """A candidate without figures does not pass the shipped gates."""
    candidate = write_tiny_version(home / "new", score=0.9)
    told = json.loads(run("promote", str(candidate), "--json", code=NO))
    assert not told["done"]
    assert any(gate["value"] is None and not gate["passed"] for gate in told["gates"])


def test_show_and_compare(home: Path) -> None:
    """A version's card and gates, and the figures in which two versions differ."""
    write_tiny_version(home / "repository/clip_safety/2", score=0.7)
    assert json.loads(run("show", "2", "--json"))["card"]["quality"] == {"auroc": 0.7}
    assert "tiny-1" in run("show", "1")
    figures = json.loads(run("compare", "1", "2", "--json"))["figures"]
    assert {"figure": "auroc", "first": 0.9, "second": 0.7} in figures
    assert "-0.2" in run("compare", "1", "2")


@pytest.mark.parametrize("words", [("show", "9"), ("promote", "9"), ("promote", "/nowhere"), ("rollback", "--to", "9")])
def test_what_is_not_there_is_exit_2(home: Path, words: tuple[str, ...]) -> None:
    """A version or folder that does not exist is a message, not a traceback."""
    assert "weir model:" in run(*words, code=MISUSED)


def test_wrong_gates_are_exit_2(home: Path, tmp_path: Path) -> None:
    """A file of gates that cannot be used names itself."""
    path = tmp_path / "wrong.yaml"
    path.write_text("gates: []", encoding="utf-8")
    assert "wrong.yaml" in run("promote", "1", "--gates", str(path), code=MISUSED)


def test_no_repository_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything was assembled, the message names the command that does it."""
    monkeypatch.setenv("WEIR_HOME", str(tmp_path))
    assert "weir model assemble" in run("list", code=MISUSED)
