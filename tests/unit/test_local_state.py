"""State files: what was written is read, and what no longer runs counts for nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ops.local.errors import LocalStackError
from ops.local.process import ProcessId
from ops.local.state import RunFolder, ServiceState

HOLD_LOCK = """
import sys, time
from pathlib import Path
from ops.local.state import RunFolder
with RunFolder(Path(sys.argv[1])).lock():
    print("held", flush=True)
    sys.stdin.readline()
"""


def state(*processes: ProcessId) -> ServiceState:
    """A service of these processes."""
    return ServiceState("kafka", "real", processes, {"bootstrap": "127.0.0.1:9"}, ("/a.log",), 12.5)


def living() -> ProcessId:
    """This process."""
    process = ProcessId.of(os.getpid())
    assert process is not None
    return process


DEAD = ProcessId(os.getpid(), "another start")


def test_round_trip(tmp_path: Path) -> None:
    """A written state is read back whole."""
    run = RunFolder(tmp_path)
    run.write(state(living(), DEAD))
    assert run.read("kafka") == state(living(), DEAD)


def test_stale_state_does_not_run(tmp_path: Path) -> None:
    """A file that names a pid which is another process by now is stale."""
    run = RunFolder(tmp_path)
    run.write(state(DEAD))
    assert run.read("kafka") is not None
    assert run.running("kafka") is None


def test_partly_alive_service_runs(tmp_path: Path) -> None:
    """A cluster that lost a broker is still the one that runs."""
    run = RunFolder(tmp_path)
    run.write(state(DEAD, living()))
    found = run.running("kafka")
    assert found is not None
    assert found.partly_alive()
    assert not found.alive()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 99}', '{"format": 1, "name": "kafka"}'])
def test_file_that_cannot_be_read_is_no_state(tmp_path: Path, text: str) -> None:
    """Half a file, another format or something else entirely is as good as none."""
    run = RunFolder(tmp_path)
    run.path.mkdir()
    (run.path / "kafka.json").write_text(text, encoding="utf-8")
    assert run.read("kafka") is None


def test_nothing_is_there_at_first(tmp_path: Path) -> None:
    """An empty home has no state, and removing none is no error."""
    run = RunFolder(tmp_path)
    run.remove("kafka")
    assert run.read("kafka") is None


def test_file_is_for_scripts_too(tmp_path: Path) -> None:
    """The file is JSON with the addresses in it."""
    run = RunFolder(tmp_path)
    run.write(state(living()))
    raw = json.loads((tmp_path / "run" / "kafka.json").read_text(encoding="utf-8"))
    assert raw["addresses"] == {"bootstrap": "127.0.0.1:9"}
    assert raw["processes"] == [{"pid": os.getpid(), "started": living().started}]


def test_lock_has_one_holder(tmp_path: Path) -> None:
    """While another process holds the lock, taking it is an error that says so; afterwards it is free."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(LocalStackError, match="another weir command"), RunFolder(tmp_path).lock():
            pass
        other.communicate("\n")
    with RunFolder(tmp_path).lock():
        pass
