"""The guard ends what it owns, passes on how it ended, and its marks tell the dead from the living."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from ops.local import guard
from ops.local.errors import LocalStackError
from ops.local.process import (
    Lifetime,
    ProcessId,
    Server,
    ServerCommand,
    free_ports,
    log_tail,
    port_free,
    running_guard,
    start_server,
    wait_until,
)
from ops.local.shared_memory import is_orphan, sweep

STUBBORN = "trap '' TERM; echo stubborn; while :; do sleep 0.1; done"
FAMILY = "sleep 60 & echo $!; wait"


def shell(folder: Path, script: str, *, grace_s: float = 5) -> ServerCommand:
    """A server that is a shell script."""
    return ServerCommand("shell", ["/bin/sh", "-c", script], folder, grace_s=grace_s)


def start(folder: Path, script: str, *, grace_s: float = 5) -> Server:
    """The same, started, once it has said its first word."""
    server = start_server(shell(folder, script, grace_s=grace_s), Lifetime.WITH_PARENT)
    assert wait_until(lambda: server.command.log.stat().st_size > 0, 10)
    return server


def exit_code(folder: Path, *command: str) -> int:
    """What a guard returns for this command."""
    argv = [
        sys.executable,
        guard.__file__,
        f"--parent={os.getpid()}",
        f"--log={folder}/log",
        f"--pid-file={folder}/pid",
    ]
    return subprocess.run([*argv, "--", *command], check=False).returncode


def test_stop_ends_the_server_and_its_children(tmp_path: Path) -> None:
    """Children that the server started end with it, and its pid file goes."""
    server = start(tmp_path, FAMILY)
    child = ProcessId.of(int(server.command.log.read_text(encoding="utf-8")))
    assert child is not None
    server.stop()
    assert not server.alive()
    assert not child.alive()
    assert not server.command.pid_file.exists()


def test_a_server_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    """After the grace time SIGKILL follows."""
    server = start(tmp_path, STUBBORN, grace_s=0.3)
    process = ProcessId.of(server.pid)
    assert process is not None
    server.stop()
    assert not process.alive()


def test_children_end_when_the_server_crashes(tmp_path: Path) -> None:
    """A child of a server that was killed does not stay behind."""
    server = start(tmp_path, FAMILY)
    child = ProcessId.of(int(server.command.log.read_text(encoding="utf-8")))
    assert child is not None
    server.kill()
    assert not server.alive()
    assert wait_until(lambda: not child.alive(), 5)


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)])
def test_exit_code_is_the_servers(tmp_path: Path, script: str, code: int) -> None:
    """How the server ended is how the guard ends."""
    assert exit_code(tmp_path, "/bin/sh", "-c", script) == code


def test_command_that_cannot_be_started(tmp_path: Path) -> None:
    """A missing program is exit code 127 and a line in the log."""
    assert exit_code(tmp_path, "/no/such/program") == 127
    assert "cannot start /no/such/program" in (tmp_path / "log").read_text(encoding="utf-8")


def test_detached_server_outlives_the_call_and_can_be_stopped(tmp_path: Path) -> None:
    """A detached server has no parent here: it is found by its pid file and stopped by its guard's identity."""
    server = start_server(shell(tmp_path, "echo on; sleep 60"), Lifetime.DETACHED)
    found = running_guard(tmp_path, "shell")
    assert found == server.guard
    server.stop()
    assert running_guard(tmp_path, "shell") is None


def test_a_start_that_is_interrupted_before_anybody_holds_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C between the launch of a detached server and the return of its handle leaves nothing."""

    def interrupted(*_: object) -> Server:
        raise KeyboardInterrupt

    monkeypatch.setattr("ops.local.process.Server", interrupted)
    with pytest.raises(KeyboardInterrupt):
        start_server(shell(tmp_path, "echo on; sleep 60"), Lifetime.DETACHED)
    assert (tmp_path / "shell.log").exists()
    assert running_guard(tmp_path, "shell") is None


def test_shared_memory_of_a_server_is_removed_with_it(tmp_path: Path) -> None:
    """Files that carry the guard's mark are gone after stop; the mark stands in the command line."""
    server = start(tmp_path, f"touch /dev/shm/{guard.MARK}-region; echo {guard.MARK}; sleep 60")
    mark = server.command.log.read_text(encoding="utf-8").strip()
    assert mark == guard.guard_mark(server.guard.pid)
    region = guard.SHM / f"{mark}-region"
    assert region.exists()
    server.stop()
    assert not region.exists()


def test_orphans_are_told_from_the_living() -> None:
    """A mark of a living guard, of another pid namespace, or no mark at all is no orphan; that of a dead one is."""
    mine = guard.guard_mark(os.getpid())
    namespace, pid = mine.split("-")[1:3]
    assert not is_orphan(f"{mine}-region")
    assert not is_orphan("someone-elses-file")
    assert not is_orphan(f"weir-1{namespace}-{pid}-1-region")
    assert is_orphan(f"weir-{namespace}-{pid}-1-region")


def test_sweep_removes_only_orphans() -> None:
    """A sweep removes the file of a dead guard and leaves that of a living one and of a stranger."""
    mine = guard.guard_mark(os.getpid())
    namespace, pid = mine.split("-")[1:3]
    unique = uuid.uuid4().hex
    orphan = guard.SHM / f"weir-{namespace}-{pid}-1-{unique}"
    living, stranger = guard.SHM / f"{mine}-{unique}", guard.SHM / f"weir-like-{unique}"
    try:
        for path in (orphan, living, stranger):
            path.touch()
        assert orphan.name in sweep().files
        assert not orphan.exists()
        assert living.exists()
        assert stranger.exists()
    finally:
        for path in (orphan, living, stranger):
            path.unlink(missing_ok=True)


def test_a_reused_pid_is_another_process() -> None:
    """A pid with another start time is not the process that was meant."""
    me = ProcessId.of(os.getpid())
    assert me is not None
    assert me.alive()
    assert not ProcessId(me.pid, me.started + "0").alive()


def test_a_zombie_is_dead() -> None:
    """A process that ended and was not collected counts as gone."""
    with subprocess.Popen(["/bin/sh", "-c", "read line"], stdin=subprocess.PIPE) as child:
        process = ProcessId.of(child.pid)
        assert process is not None
        os.kill(child.pid, signal.SIGKILL)
        assert wait_until(lambda: not process.alive(), 5)


def test_server_that_ends_while_it_starts(tmp_path: Path) -> None:
    """The error has the end of the log and the hint."""
    server = start_server(shell(tmp_path, "echo the reason; exit 1"), Lifetime.WITH_PARENT)
    with pytest.raises(LocalStackError) as caught:
        server.wait_ready(lambda: False, 5, hint="look there")
    assert str(caught.value).splitlines() == [
        f"shell ended while it started (log: {tmp_path}/shell.log)",
        "  hint: look there",
        "  the end of its log:",
        "    | the reason",
    ]


def test_server_that_is_never_ready_is_stopped(tmp_path: Path) -> None:
    """After the time for starting it is ended: no half-started server stays."""
    server = start(tmp_path, "echo on; sleep 60")
    with pytest.raises(LocalStackError, match=r"was not ready after 0\.1 s"):
        server.wait_ready(lambda: False, 0.1)
    assert not server.alive()


def test_interrupted_wait_stops_the_server(tmp_path: Path) -> None:
    """Ctrl-C while a server starts ends that server."""

    def interrupted() -> bool:
        raise KeyboardInterrupt

    server = start(tmp_path, "echo on; sleep 60")
    with pytest.raises(KeyboardInterrupt):
        server.wait_ready(interrupted, 5)
    assert not server.alive()


def test_two_servers_of_one_name_in_one_folder_are_refused(tmp_path: Path) -> None:
    """The second names the first."""
    server = start(tmp_path, "echo on; sleep 60")
    try:
        with pytest.raises(LocalStackError, match=f"shell already runs .*{server.guard.pid}"):
            start_server(shell(tmp_path, "true"), Lifetime.WITH_PARENT)
    finally:
        server.stop()


def test_large_log_is_set_aside(tmp_path: Path) -> None:
    """A log beyond the limit is renamed when its server starts, so that it cannot grow for ever."""
    log = tmp_path / "shell.log"
    with log.open("wb") as file:
        file.truncate(21 * 1024 * 1024)
    start(tmp_path, "echo fresh; sleep 60").stop()
    assert log.read_text(encoding="utf-8") == "fresh\n"
    assert (tmp_path / "shell.log.1").exists()


def test_log_tail_tells_why_there_is_none(tmp_path: Path) -> None:
    """A missing and an empty log are told apart."""
    assert log_tail(tmp_path / "none").startswith("(no log:")
    (tmp_path / "empty").touch()
    assert log_tail(tmp_path / "empty") == "(the log is empty)"


def test_free_ports_are_free_and_differ() -> None:
    """Ports handed out together differ and can be listened on."""
    ports = free_ports(5)
    assert len(set(ports)) == 5
    assert all(port_free(port) for port in ports)
