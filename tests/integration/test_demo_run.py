"""`weir demo` as a process: the real worker and the embedded broker; Triton is away, which a run must survive."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ops.local.process import running_guard
from ops.samples import load_samples

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SERVERS = ("broker", "worker", "triton")


@contextmanager
def demo(home: Path, *words: str, **settings: str) -> Iterator[subprocess.Popen[str]]:
    """The command with Triton at a port where nothing listens; ended at the end."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("WEIR_")}
    env |= {"WEIR_HOME": str(home), "WEIR_TRITON_URL": "127.0.0.1:9", **settings}
    command = [sys.executable, "-m", "ops.cli", "demo", *words]
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def guards(home: Path) -> list[str]:
    """The servers of any demo under `home` that still run."""
    return [name for folder in (home / "run").glob("with-*") for name in SERVERS if running_guard(folder, name)]


def wait_for(name: str, home: Path, process: subprocess.Popen[str]) -> None:
    """Until the server `name` of the demo runs."""
    deadline = time.monotonic() + 120
    while name not in guards(home):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, f"{name} did not start"
        time.sleep(0.05)


def test_every_sample_is_answered_even_without_a_model(tmp_path: Path) -> None:
    """With Triton down every event gets its verdict or dead letter, marked degraded; the run is not well."""
    with demo(tmp_path, "--json", "--rate", "0", "--report", str(tmp_path / "out" / "run.html")) as process:
        out, err = process.communicate(timeout=240)
    told = json.loads(out)
    samples = load_samples()
    broken = sum(sample.expect.outcome == "deadletter" for sample in samples)
    assert told["unanswered"] == []
    assert told["unexpected"] == []
    assert (told["events"], sum(told["dead_letters"].values())) == (len(samples), broken)
    assert told["verdicts"] == len(samples) - broken
    assert told["degraded"] > 0
    assert process.returncode == 1, err
    html = (tmp_path / "out" / "run.html").read_text(encoding="utf-8")
    assert "no verdict was judged by the model" in html
    assert guards(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing_running(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM end the broker and the worker before the command ends, with the shell's exit code."""
    with demo(tmp_path) as process:
        wait_for("worker", tmp_path, process)
        process.send_signal(number)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in out
    assert guards(tmp_path) == []


def test_a_worker_that_cannot_start_is_shown_with_the_end_of_its_log(tmp_path: Path) -> None:
    """Broken policies end the worker; the command says so with what the worker said, and exits with 3."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "broken.yaml").write_text("policy: [", encoding="utf-8")
    with demo(tmp_path, WEIR_POLICIES=str(tmp_path / "policies")) as process:
        _, err = process.communicate(timeout=120)
    assert process.returncode == 3
    assert "the worker ended" in err
    assert "broken.yaml" in err.replace("\n    | ", "")  # the worker's console wraps long lines
    assert guards(tmp_path) == []
