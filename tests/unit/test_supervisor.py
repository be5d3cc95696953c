"""The supervisor: what is started again, what is not, and what a signal does. Children are real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ops import supervisor
from ops.supervisor import Supervisor
from streams.worker import EXIT_CRASHED, EXIT_MISUSED, EXIT_QUARANTINED, EXIT_STOPPED

#: Appends a line to the file for each start, then does what the test says.
_CHILD = """
import pathlib, signal, sys, time
path = pathlib.Path({path!r})
with path.open("a") as file:
    file.write("started\\n")
starts = len(path.read_text().splitlines())
{body}
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause between starts; leave the signal handlers as they were."""
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_S", 0.0)


@pytest.fixture
def starts(tmp_path: Path) -> Path:
    """The file with one line per start."""
    return tmp_path / "starts"


def child(starts: Path, body: str) -> list[str]:
    """The command of a child that does `body`."""
    return [sys.executable, "-c", _CHILD.format(path=str(starts), body=body)]


def supervise(command: list[str], *, grace_s: float = 5.0) -> int:
    """Run the supervisor here, with the signal handlers put back afterwards."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        return Supervisor(command, grace_s=grace_s).run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def count(starts: Path) -> int:
    """How often the child was started."""
    return len(starts.read_text().splitlines())


def test_a_crashed_worker_is_started_again(starts: Path) -> None:
    """Three crashes, one by kill -9, then a good end: four starts."""
    body = f"import os; os.kill(os.getpid(), 9) if starts == 2 else sys.exit(0 if starts == 4 else {EXIT_CRASHED})"
    assert supervise(child(starts, body)) == EXIT_STOPPED
    assert count(starts) == 4


@pytest.mark.parametrize("code", [EXIT_STOPPED, EXIT_MISUSED, EXIT_QUARANTINED])
def test_an_end_that_starting_again_cannot_mend_is_final(starts: Path, code: int) -> None:
    """Stopped, misused and quarantined workers stay down, and their code comes out."""
    assert supervise(child(starts, f"sys.exit({code})")) == code
    assert count(starts) == 1


def _under_supervisor(starts: Path, body: str, *, grace_s: float) -> subprocess.Popen[bytes]:
    """A supervisor in a process of its own, with its child started."""
    made = f"Supervisor({child(starts, body)!r}, grace_s={grace_s})"
    code = f"import sys; from ops.supervisor import Supervisor; sys.exit({made}.run())"
    process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(Path.cwd())})
    deadline = time.monotonic() + 20
    while not starts.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.1)  # the child installs its handler right after its first line
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_the_child_once_and_its_code_comes_out(starts: Path, number: signal.Signals) -> None:
    """The child drains in its own time and is not started again."""
    body = """
def stop(*_):
    with path.open("a") as file: file.write("drained\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
time.sleep(60)
"""
    process = _under_supervisor(starts, body, grace_s=30)
    process.send_signal(number)
    assert process.wait(20) == EXIT_STOPPED
    assert starts.read_text().splitlines() == ["started", "drained"]


def test_a_child_that_does_not_stop_is_killed_after_its_grace(starts: Path) -> None:
    """A stuck worker must not keep a deployment from rolling on."""
    process = _under_supervisor(starts, "signal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)", grace_s=0.3)
    process.terminate()
    assert process.wait(20) != EXIT_STOPPED
    assert count(starts) == 1


def test_a_child_that_is_still_starting_is_stopped_well(starts: Path) -> None:
    """Nothing was in flight: that is a good end."""
    process = _under_supervisor(starts, "time.sleep(60)", grace_s=30)
    process.terminate()
    assert process.wait(20) == EXIT_STOPPED


def test_a_killed_supervisor_takes_its_worker_with_it(starts: Path) -> None:
    """`die_with_parent`: no worker goes on without its supervisor."""
    body = f"""
import os
sys.path.insert(0, {str(Path.cwd())!r})
from ops.parent import die_with_parent
die_with_parent()
with path.open("a") as file: file.write(str(os.getpid()) + "\\n")
time.sleep(60)
"""
    process = _under_supervisor(starts, body, grace_s=30)
    deadline = time.monotonic() + 20
    while count(starts) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    pid = int(starts.read_text().splitlines()[1])
    process.kill()
    process.wait()
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{pid}").exists()
