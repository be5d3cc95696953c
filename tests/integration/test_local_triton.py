"""The bundled Triton server: serves on loopback, says why it cannot, and leaves no process and no shared memory."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as grpc_client

from ops.local.errors import LocalStackError
from ops.local.guard import SHM, guard_mark
from ops.local.layout import private_folder
from ops.local.process import ProcessId, running_guard, wait_until
from ops.local.shared_memory import is_orphan, sweep
from ops.local.triton import EmbeddedTriton, TritonOptions, TritonPorts, model_ready
from tests.integration.echo_model import (
    ECHO_MODEL,
    write_broken_repository,
    write_echo_repository,
    write_slow_repository,
)

pytestmark = pytest.mark.integration

PARENT = """
import sys, time
from pathlib import Path
from ops.local.triton import EmbeddedTriton, TritonOptions
triton = EmbeddedTriton(Path(sys.argv[1]), Path(sys.argv[2]), TritonOptions(model="echo"))
print(triton.server.guard.pid, triton.server.pid, flush=True)
time.sleep(60)
"""


def echo(url: str, texts: list[bytes]) -> list[bytes]:
    """What the echo model answers."""
    client: Any = grpc_client.InferenceServerClient(url)
    try:
        given = grpc_client.InferInput("IN", [len(texts), 1], "BYTES")
        given.set_data_from_numpy(np.array([[text] for text in texts], dtype=object))
        return [row[0] for row in client.infer(ECHO_MODEL, [given]).as_numpy("OUT")]
    finally:
        client.close()


def shared_files(mark: str) -> list[str]:
    """The shared-memory files of one server."""
    return [path.name for path in SHM.glob(f"*{mark}-*")]


def descendants(pid: int) -> list[ProcessId]:
    """The process and all below it."""
    found = ProcessId.of(pid)
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    return ([found] if found else []) + [one for child in children for one in descendants(int(child))]


def test_infers(echo_triton: EmbeddedTriton) -> None:
    """A client gets from the model what it sent, byte for byte."""
    assert echo(echo_triton.grpc_url, [b"\x00\xff", "é".encode()]) == [b"\x00\xff", "é".encode()]


def test_listens_on_loopback_only(echo_triton: EmbeddedTriton) -> None:
    """None of its listeners is reachable from outside this machine."""
    listening = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout.splitlines()
    own = [line.split()[3] for line in listening if f"pid={echo_triton.server.pid}," in line]
    assert len(own) == 3
    assert all("127.0.0.1" in address for address in own)


def test_stop_leaves_nothing(tmp_path: Path) -> None:
    """After stop no process and no shared-memory file stays, and another server is not disturbed."""
    repository = write_echo_repository(tmp_path / "repository")
    options = TritonOptions(model=ECHO_MODEL)
    with EmbeddedTriton(tmp_path / "a", repository, options) as first:
        with EmbeddedTriton(tmp_path / "b", repository, options) as second:
            mark = guard_mark(second.server.guard.pid)
            family = descendants(second.server.guard.pid)
            assert len(family) == 3
            assert shared_files(mark)
        assert not any(one.alive() for one in family)
        assert shared_files(mark) == []
        assert echo(first.grpc_url, [b"still here"]) == [b"still here"]


@pytest.mark.parametrize("victim", ["parent", "server"])
def test_kill_leaves_nothing(tmp_path: Path, victim: str) -> None:
    """Kill -9 of the starting process, or of the server itself, leaves no process and no shared memory."""
    repository = write_echo_repository(tmp_path / "repository")
    argv = [sys.executable, "-c", PARENT, str(tmp_path / "home"), str(repository)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        guard, server = (int(text) for text in parent.stdout.readline().split())
        mark = guard_mark(guard)
        family = descendants(guard)
        assert len(family) == 3
        os.kill(parent.pid if victim == "parent" else server, signal.SIGKILL)
        assert wait_until(lambda: not any(one.alive() for one in family), 20)
        parent.kill()
    assert shared_files(mark) == []


def test_sweep_after_the_guard_was_killed_too(tmp_path: Path) -> None:
    """When guard and server are both killed, a sweep removes the stub and the shared memory that stay."""
    repository = write_echo_repository(tmp_path / "repository")
    with EmbeddedTriton(tmp_path / "home", repository, TritonOptions(model=ECHO_MODEL)) as triton:
        mark = guard_mark(triton.server.guard.pid)
        family = descendants(triton.server.guard.pid)
        guard, server, stub = (one.pid for one in family)
        os.kill(guard, signal.SIGSTOP)  # it cannot clean up
        os.kill(server, signal.SIGKILL)
        os.kill(guard, signal.SIGKILL)
        assert wait_until(lambda: not triton.alive(), 10)
        # As if hung in the model (an idle stub notices within two seconds). Only now: the kernel sends SIGHUP to
        # stopped members of a group whose last parent dies.
        os.kill(stub, signal.SIGSTOP)
        left = shared_files(mark)
        assert left
        swept = sweep()
        assert stub in swept.stubs
        assert set(left) <= set(swept.files)
        assert wait_until(lambda: not any(one.alive() for one in family), 10)
        assert shared_files(mark) == []


def test_model_that_cannot_be_loaded(tmp_path: Path) -> None:
    """A model that fails to load is an error with the end of the server's log, and nothing keeps running."""
    repository = write_broken_repository(tmp_path / "repository")
    with pytest.raises(LocalStackError) as caught:
        EmbeddedTriton(tmp_path / "home", repository, TritonOptions(model=ECHO_MODEL))
    assert "ended while it started" in caught.value.what
    assert "cannot be loaded, on purpose" in str(caught.value)


def test_model_that_takes_too_long(tmp_path: Path) -> None:
    """After the time for starting, the server is ended and the error says how long was waited."""
    repository = write_slow_repository(tmp_path / "repository")
    before = set(SHM.iterdir())
    with pytest.raises(LocalStackError, match=r"triton was not ready after 1 s"):
        EmbeddedTriton(tmp_path / "home", repository, TritonOptions(model=ECHO_MODEL, start_timeout_s=1))
    left = {path.name for path in set(SHM.iterdir()) - before}
    assert not any(is_orphan(name) for name in left)
    assert running_guard(private_folder(tmp_path / "home"), "triton") is None


def test_repository_that_is_not_there(tmp_path: Path) -> None:
    """A model that was never assembled is named, with the commands that make it, before anything starts."""
    with pytest.raises(LocalStackError, match=r"no model 'clip_safety'.*\n.*weir model assemble"):
        EmbeddedTriton(tmp_path / "home", tmp_path)


def test_wanted_port_that_is_taken(tmp_path: Path, echo_triton: EmbeddedTriton) -> None:
    """A port asked for that is in use is named in the error."""
    repository = write_echo_repository(tmp_path / "repository")
    port = int(echo_triton.grpc_url.rpartition(":")[2])
    options = TritonOptions(model=ECHO_MODEL, ports=TritonPorts(grpc=port))
    with pytest.raises(LocalStackError, match=f"port {port} .*grpc.* taken"):
        EmbeddedTriton(tmp_path / "home", repository, options)


def test_port_lost_while_starting_is_retried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A free port that someone takes before the server listens costs another try, not the start."""
    repository = write_echo_repository(tmp_path / "repository")
    chosen, tries = TritonPorts.chosen, itertools.count(1)
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        taken = squatter.getsockname()[1]

        def unlucky(wanted: TritonPorts) -> TritonPorts:
            ports = chosen(wanted)
            return TritonPorts(taken, ports.grpc, ports.metrics) if next(tries) == 1 else ports

        monkeypatch.setattr(TritonPorts, "chosen", unlucky)
        with EmbeddedTriton(tmp_path / "home", repository, TritonOptions(model=ECHO_MODEL)) as triton:
            assert next(tries) == 3
            assert echo(triton.grpc_url, [b"second try"]) == [b"second try"]


def test_killed_server_is_not_alive(tmp_path: Path) -> None:
    """After a crash the handle says so, and no model is ready at its address."""
    repository = write_echo_repository(tmp_path / "repository")
    with EmbeddedTriton(tmp_path / "home", repository, TritonOptions(model=ECHO_MODEL)) as triton:
        triton.kill()
        assert not triton.alive()
        assert not model_ready(triton.http_url, ECHO_MODEL)
