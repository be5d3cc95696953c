"""`weir up` to `weir down` with everything real: events go in, verdicts come out, nothing stays behind."""

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
from ops.local.process import ProcessId, wait_until
from ops.local.services import Service, stop_service

pytestmark = pytest.mark.integration

EVENTS = (
    '{"id": "a", "text": "good morning"}\n{"id": "b", "text": "see you at noon"}\n{"id": "c", "text": "thank you"}\n'
)


class Weir:
    """The command in a home of its own that has the assembled model."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run `weir WORDS` with this on stdin."""
        env = {key: value for key, value in os.environ.items() if not key.startswith("WEIR_")}
        return subprocess.run(
            [sys.executable, "-m", "ops.cli", *words],
            env={**env, "WEIR_HOME": str(self.home)},
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )

    def status(self) -> dict[str, Any]:
        """What `weir status --json` says, by service."""
        return {one["service"]: one for one in json.loads(self("status", "--json").stdout)["services"]}


@pytest.fixture
def weir(tmp_path: Path, model_repository: Path) -> Iterator[Weir]:
    """The command; what it left running is stopped at the end."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("repository", "parts"):  # fetched and built once for the whole session
        (home / name).symlink_to(model_repository.parent / name)
    yield Weir(home)
    for service in reversed(Service):
        stop_service(home, service)


@pytest.mark.parametrize("kafka", ["embedded", "real"])
def test_events_go_through_the_background_stack(weir: Weir, kafka: str) -> None:
    """Up, publish, tail, a crash of the worker that the next `up` mends, down: one verdict per event, nothing left."""
    done = weir("up", "--kafka", kafka)
    assert done.returncode == 0, done.stderr
    services = weir.status()
    assert {one["state"] for one in services.values()} == {"running"}
    guards = [ProcessId.of(pid) for one in services.values() for pid in one["pids"]]
    mark = guard_mark(services["triton"]["pids"][0])

    assert weir("publish", "-", given=EVENTS).returncode == 0
    told = weir("tail", "verdicts", "--from-beginning", "--max", "3", "--timeout", "60", "--json")
    assert told.returncode == 0, told.stderr
    assert len(told.stdout.splitlines()) == 3

    worker = ProcessId.of(services["worker"]["pids"][0])
    assert worker is not None
    os.kill(worker.pid, signal.SIGKILL)
    assert wait_until(lambda: not worker.alive(), 10)
    assert weir.status()["worker"]["state"] == "down"
    assert weir("status").returncode == 1
    mended = weir("up", "--kafka", kafka)
    assert mended.returncode == 0, mended.stderr
    after = weir.status()
    assert after["worker"]["state"] == "running"
    assert after["triton"]["pids"] == services["triton"]["pids"], "what runs is left alone"

    guards += [ProcessId.of(pid) for pid in after["worker"]["pids"]]
    assert weir("down").returncode == 0
    assert not any(one is not None and one.alive() for one in guards)
    assert list(SHM.glob(f"*{mark}-*")) == []
    assert {one["state"] for one in weir.status().values()} == {"down"}


def test_broken_policies_stop_the_start(weir: Weir, tmp_path: Path) -> None:
    """A worker that cannot read its policies ends `up` with exit code 3 and the reason, and nothing keeps running."""
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "broken.yaml").write_text("policy: [unclosed\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "ops.cli", "up"],
        env={**os.environ, "WEIR_HOME": str(weir.home), "WEIR_POLICIES": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 3
    assert "worker ended while it started" in done.stderr
    assert "broken.yaml" in done.stderr
    assert {one["state"] for one in weir.status().values()} == {"down"}
