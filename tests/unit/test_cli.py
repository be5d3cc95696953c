"""The command line: every command explains itself, nothing heavy is imported for help, exit codes mean one thing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from ops import cli
from ops.exits import MISSING, MISUSED, NO, OK

HEAVY = ("torch", "faust", "numpy", "tritonclient", "confluent_kafka", "aiokafka", "onnxruntime", "PIL")
COMMANDS = sorted(cli._COMMANDS)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """No settings of this machine; a home without a stack."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WEIR_")}
    return {**kept, "WEIR_HOME": str(tmp_path), "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}


def weir(*arguments: str, env: dict[str, str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run `weir` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "ops.cli", *arguments],
        env=env,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def help_of(monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    """The help text of a command, in this process."""
    monkeypatch.setattr(sys, "argv", ["weir", *words, "--help"])
    monkeypatch.setenv("COLUMNS", "200")
    result = CliRunner().invoke(cli.app, [*words, "--help"])
    assert result.exit_code == OK, result.output
    return result.output


def test_help_imports_nothing_heavy(environment: dict[str, str]) -> None:
    """`weir --help` and `weir version` answer at once, in any install."""
    for argument in ("--help", "version"):
        code = (
            "import sys, contextlib\n"
            f"sys.argv = ['weir', {argument!r}]\n"
            "from ops import cli\n"
            "with contextlib.suppress(SystemExit): cli.main()\n"
            f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules])\n"
        )
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "HEAVY []"


def test_help_lists_every_command(environment: dict[str, str]) -> None:
    """A newcomer sees all of them with a line each."""
    done = weir("--help", env=environment)
    assert done.returncode == OK
    for name, (_, _, line) in cli._COMMANDS.items():
        assert f" {name} " in done.stdout
        assert line.split(".")[0][:40] in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_an_example(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """`weir NAME --help`, or the help of each of its sub-commands, shows something to copy."""
    monkeypatch.setattr(sys, "argv", ["weir", name])
    group = typer.main.get_command(cli.app)
    made = group.get_command(None, name)  # type: ignore[attr-defined]  # the lazy group
    words_of: list[tuple[str, ...]] = [(name, word) for word in getattr(made, "commands", {})]
    for words in words_of or [(name,)]:
        text = help_of(monkeypatch, *words)
        assert "Example" in text
        assert f"weir {' '.join(words)}" in text


def test_no_arguments_shows_help(environment: dict[str, str]) -> None:
    """Nothing is started by accident."""
    done = weir(env=environment)
    assert done.returncode in (OK, MISUSED)
    assert "Usage" in done.stdout + done.stderr


def test_an_unknown_command_is_misuse(environment: dict[str, str]) -> None:
    """And says so without a traceback."""
    done = weir("frobnicate", env=environment)
    assert done.returncode == MISUSED
    assert "Traceback" not in done.stderr
    assert "frobnicate" in done.stderr


def test_a_wrong_setting_is_misuse_and_named(environment: dict[str, str]) -> None:
    """Whatever the command: the variable's name, no traceback."""
    done = weir("config", env={**environment, "WEIR_BATCH_SIZE": "many"})
    assert done.returncode == MISUSED
    assert "WEIR_BATCH_SIZE" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_worker_without_kafka_names_the_missing_dependency(environment: dict[str, str]) -> None:
    """Exit code 3, what is missing, and what to do."""
    done = weir("worker", env=environment)
    assert done.returncode == MISSING
    assert "WEIR_KAFKA_BOOTSTRAP" in done.stderr
    assert "weir up" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_worker_with_broken_policies_is_misuse(environment: dict[str, str], tmp_path: Path) -> None:
    """It does not start, and says file and line."""
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "bad.yaml").write_text("policy: x\nrulez: []\n")
    addresses = {"WEIR_KAFKA_BOOTSTRAP": "127.0.0.1:1", "WEIR_TRITON_URL": "127.0.0.1:1"}
    done = weir("worker", env={**environment, **addresses, "WEIR_POLICIES": str(tmp_path / "p")})
    assert done.returncode == MISUSED
    assert "bad.yaml:2" in done.stderr
    assert "Traceback" not in done.stderr


def test_judging_a_file_that_is_not_there_is_misuse(environment: dict[str, str]) -> None:
    """The path and the reason, no traceback."""
    done = weir("judge", "nowhere.jsonl", env=environment)
    assert done.returncode == MISUSED
    assert "nowhere.jsonl" in done.stderr
    assert "Traceback" not in done.stderr


def test_lines_that_are_no_events_are_answered_in_their_place(environment: dict[str, str]) -> None:
    """Without a model the good line is judged by what is left; the bad one is an error with its number; exit code 1."""
    lines = '{"id": "1", "text": "hello"}\n\n{"id": "2"}\nnot json\n'
    settings = {"WEIR_TRITON_URL": "127.0.0.1:1", "WEIR_DEADLINE_S": "0.5", "WEIR_LOG_LEVEL": "debug"}
    done = weir("judge", "-", "--json", env={**environment, **settings}, stdin=lines)
    assert done.returncode == NO
    first, second, third = (json.loads(line) for line in done.stdout.splitlines())
    assert (first["content_id"], second["line"], third["line"]) == ("1", 3, 4)
    assert len(first["categories"]) == 10
    assert all(category["score"] is None and category["abstained"] for category in first["categories"])
    assert first["degraded"]


def test_config_lists_every_setting_as_json(environment: dict[str, str]) -> None:
    """A script can read what a deployment is set to, and from where."""
    done = weir("config", "--json", env={**environment, "WEIR_GROUP": "g"})
    rows = {row["variable"]: row for row in json.loads(done.stdout)}
    assert rows["WEIR_GROUP"]["value"] == "g"
    assert rows["WEIR_GROUP"]["from"] == "environment"
    assert rows["WEIR_BATCH_SIZE"]["from"] == "default"
    assert {"WEIR_KAFKA_BOOTSTRAP", "WEIR_TRITON_URL", "WEIR_POLICIES", "WEIR_TOPIC_PREFIX"} <= set(rows)


def test_version_as_json(environment: dict[str, str]) -> None:
    """One key."""
    assert set(json.loads(weir("version", "--json", env=environment).stdout)) == {"version"}
