"""`weir kafka` and `weir triton` as a person and a script use them: background servers, exit codes, JSON, crashes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.local.guard import SHM, guard_mark
from ops.local.process import ProcessId, running_guard, wait_until
from ops.local.services import Service, stop_service
from tests.integration.echo_model import write_echo_repository, write_slow_repository

pytestmark = pytest.mark.integration


class Weir:
    """The command in a home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `weir WORDS`."""
        env = {key: value for key, value in os.environ.items() if not key.startswith("WEIR_")}
        argv = [sys.executable, "-m", "ops.cli", *words]
        return subprocess.run(
            argv, env={**env, "WEIR_HOME": str(self.home)}, capture_output=True, text=True, check=False, timeout=120
        )

    def json(self, *words: str, code: int = 0) -> Any:
        """The same with --json: what it printed, once the exit code is as expected."""
        done = self(*words, "--json")
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def weir(tmp_path: Path) -> Iterator[Weir]:
    """The command; whatever it started in the background is stopped at the end."""
    yield Weir(tmp_path / "home")
    for service in Service:
        stop_service(tmp_path / "home", service)


def test_kafka_in_the_background(weir: Weir) -> None:
    """Start, start again, status, stop, status: one broker, told truthfully."""
    assert weir.json("kafka", "status", code=1)["services"][0]["state"] == "down"
    first = weir.json("kafka", "start", "--kind", "embedded")
    again = weir.json("kafka", "start", "--kind", "embedded")
    assert first["running"]
    assert again["services"][0]["pids"] == first["services"][0]["pids"]
    assert weir("kafka", "stop").returncode == 0
    assert weir.json("kafka", "status", code=1)["running"] is False
    assert weir("kafka", "stop").returncode == 0, "stopping what does not run is no error"


def test_embedded_broker_is_announced(weir: Weir) -> None:
    """A person who starts the embedded broker is told on stderr that it is not durable."""
    assert "never a measure of durability" in weir("kafka", "start", "--kind", "embedded").stderr


def test_crash_is_seen_and_mended(weir: Weir) -> None:
    """After kill -9 the status is down with the reason, and start brings a new one up."""
    (service,) = weir.json("kafka", "start", "--kind", "embedded")["services"]
    guard = ProcessId.of(service["pids"][0])
    assert guard is not None
    os.kill(guard.pid, signal.SIGKILL)
    assert wait_until(lambda: not guard.alive(), 5)
    (told,) = weir.json("kafka", "status", code=1)["services"]
    assert (told["state"], told["note"]) == ("down", "its process is gone (a crash, or kill -9)")
    (mended,) = weir.json("kafka", "start", "--kind", "embedded")["services"]
    assert mended["state"] == "running"
    assert mended["pids"] != service["pids"]


def test_triton_in_the_background(weir: Weir, tmp_path: Path) -> None:
    """Triton starts with the model asked for, is told with its addresses, and stops."""
    repository = write_echo_repository(tmp_path / "repository")
    (service,) = weir.json("triton", "start", "--model", "echo", "--repository", str(repository))["services"]
    assert service["addresses"].keys() == {"grpc", "http", "metrics", "model"}
    assert weir("triton", "stop").returncode == 0
    assert weir.json("triton", "status", code=1)["running"] is False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_start_that_is_broken_off(weir: Weir, tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C while Triton starts leaves nothing; after kill -9 `weir down` finds what the start left, and ends it."""
    repository = write_slow_repository(tmp_path / "repository")
    argv = [sys.executable, "-m", "ops.cli", "triton", "start", "--model", "echo", "--repository", str(repository)]
    with subprocess.Popen(argv, env={**os.environ, "WEIR_HOME": str(weir.home)}, stderr=subprocess.DEVNULL) as starting:
        run = weir.home / "run"
        assert wait_until(lambda: running_guard(run, "triton") is not None, 60)
        guard = running_guard(run, "triton")
        assert guard is not None
        mark = guard_mark(guard.pid)
        assert wait_until(lambda: bool(list(SHM.glob(f"*{mark}-*"))), 30)
        starting.send_signal(number)
        starting.wait(60)
    if number is signal.SIGKILL:
        assert guard.alive()
        assert weir("down").returncode == 0
    assert not guard.alive()
    assert list(SHM.glob(f"*{mark}-*")) == []


def test_missing_repository_is_exit_code_3(weir: Weir, tmp_path: Path) -> None:
    """What is missing is said on stderr, with the remedy, and the exit code is that of a missing dependency."""
    done = weir("triton", "start", "--repository", str(tmp_path))
    assert done.returncode == 3
    assert "weir model assemble" in done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_use_is_exit_code_2(weir: Weir) -> None:
    """A number of brokers that cannot be is wrong use."""
    for words in (("kafka", "start", "--brokers", "2"), ("up", "--brokers", "3"), ("kafka", "start", "--kind", "x")):
        assert weir(*words).returncode == 2, words


def test_status_of_the_stack(weir: Weir) -> None:
    """`weir status` tells all three services and exits with 1 while one of them does not run."""
    weir("kafka", "start", "--kind", "embedded")
    told = weir.json("status", code=1)
    assert {one["service"]: one["state"] for one in told["services"]} == {
        "kafka": "running",
        "triton": "down",
        "worker": "down",
    }
    assert weir("down").returncode == 0
    assert weir.json("kafka", "status", code=1)["running"] is False


@pytest.mark.parametrize("words", [("up",), ("down",), ("status",), ("kafka", "start"), ("triton", "start")])
def test_help_has_an_example(weir: Weir, words: tuple[str, ...]) -> None:
    """Every command's help shows how it is used."""
    assert f"weir {' '.join(words)}" in weir(*words, "--help").stdout
