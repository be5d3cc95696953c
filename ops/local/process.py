"""Servers as processes: start one under its guard, see whether it lives, stop it, read the end of its log.

Knows nothing of Kafka or Triton. The guard (`ops/local/guard.py`) does the work that must survive our own death.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from ops.local import guard
from ops.local.errors import LocalStackError
from ops.local.layout import private_folder, run_folder

LOOPBACK = "127.0.0.1"
LOG_KEEP_BYTES = 20 * 1024 * 1024  # a log larger than this is set aside when its server starts
INTERRUPTED_WAIT_S = 1.0  # for a guard that was just started to say who it is
POLL_S = 0.05
PORT_MIN = 20_000
PROJECT_ROOT = Path(__file__).resolve().parents[2]


class Lifetime(Enum):
    """How long a server lives: with the process that started it, or until it is stopped."""

    WITH_PARENT = "with-parent"
    DETACHED = "detached"


@dataclass(frozen=True, slots=True)
class ServerCommand:
    """What to run, and where its log and its pid go."""

    name: str
    argv: Sequence[str]
    folder: Path  # holds NAME.log and NAME.pid
    env: Mapping[str, str] = field(default_factory=dict)  # added to ours
    grace_s: float = 10.0

    @property
    def log(self) -> Path:
        """Where the server's output goes."""
        return self.folder / f"{self.name}.log"

    @property
    def pid_file(self) -> Path:
        """Where the guard writes the server's own pid."""
        return self.folder / f"{self.name}.pid"


@dataclass(frozen=True, slots=True)
class ProcessId:
    """One process for ever: a pid together with when it started, so that a reused pid is not mistaken for it."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        """The living process `pid`, if there is one."""
        started = guard.start_ticks(pid)
        return None if started is None else cls(pid, started)

    def alive(self) -> bool:
        """Whether this very process still runs (a zombie does not)."""
        return guard.start_ticks(self.pid) == self.started

    def stop(self, timeout_s: float) -> None:
        """SIGTERM, wait for at most `timeout_s`, SIGKILL. Blocks."""
        if not self.alive():
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        if not wait_until(lambda: not self.alive(), timeout_s):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            wait_until(lambda: not self.alive(), 5)


class Server:
    """A running server under its guard."""

    def __init__(self, command: ServerCommand, process: ProcessId, child: subprocess.Popen[bytes] | None) -> None:
        self.command = command
        self.guard = process
        self._child = child
        self.pid = _server_pid(command.pid_file)  # the server's own, not its guard's; 0: it never came to life

    def alive(self) -> bool:
        """Whether the guard, and so the server, runs."""
        if self._child is not None:
            return self._child.poll() is None
        return self.guard.alive()

    def ask_to_stop(self) -> None:
        """Send SIGTERM and return at once."""
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.guard.pid, signal.SIGTERM)

    def stop(self) -> None:
        """End the server and all that belongs to it; returns when it is gone."""
        self.guard.stop(self.command.grace_s + 5)
        if self._child is not None:
            self._child.wait()

    def kill(self) -> None:
        """Kill -9 the server, as a crash would; its guard sees that and cleans up."""
        if self.pid and self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        wait_until(lambda: not self.alive(), self.command.grace_s)

    def wait_ready(self, ready: Callable[[], bool], timeout_s: float, *, hint: str = "") -> None:
        """Block until `ready()`; LocalStackError with the log's end when the server dies or the time is over."""
        try:
            done = wait_until(lambda: not self.alive() or ready(), timeout_s)
        except BaseException:  # Ctrl-C while we wait: a detached server would stay for ever
            self.stop()
            raise
        if done and self.alive():
            return
        why = f"was not ready after {timeout_s:g} s" if self.alive() else "ended while it started"
        error = LocalStackError(
            f"{self.command.name} {why} (log: {self.command.log})", hint=hint, log_tail=log_tail(self.command.log)
        )
        self.stop()
        raise error


def start_server(command: ServerCommand, lifetime: Lifetime) -> Server:
    """Start `command` under a guard. Returns before the server is ready; see `Server.wait_ready`."""
    check_not_running(command.folder, command.name)
    command.folder.mkdir(parents=True, exist_ok=True)
    _set_aside_large_log(command.log)
    command.pid_file.unlink(missing_ok=True)
    parent = os.getpid() if lifetime is Lifetime.WITH_PARENT else 0
    argv = [sys.executable, "-S", "-E", guard.__file__, f"--parent={parent}", f"--grace={command.grace_s}"]
    argv += [f"--log={command.log}", f"--pid-file={command.pid_file}", "--", *command.argv]
    try:
        return _launched(command, argv, lifetime)
    except BaseException:  # Ctrl-C before anybody holds the server: a detached one would stay for ever
        wait_until(command.pid_file.exists, INTERRUPTED_WAIT_S)
        left = running_guard(command.folder, command.name)
        if left is not None:
            left.stop(command.grace_s + 5)
        raise


def _launched(command: ServerCommand, argv: Sequence[str], lifetime: Lifetime) -> Server:
    """The guard of `argv` and its server, as soon as the server has a pid."""
    env = {**os.environ, **command.env}
    if lifetime is Lifetime.DETACHED:
        answer = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=True, text=True)
        pid, child = int(answer.stdout), None
    else:
        child = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, start_new_session=True)
        pid = child.pid
    process = ProcessId.of(pid) or ProcessId(pid, "ended")
    wait_until(lambda: command.pid_file.exists() or not process.alive(), 10)
    return Server(command, process, child)


def folder_for(home: Path, lifetime: Lifetime) -> Path:
    """Where a server of this lifetime keeps its log and its pid."""
    return private_folder(home) if lifetime is Lifetime.WITH_PARENT else run_folder(home)


def python_path() -> str:
    """PYTHONPATH for a child that must import the project, from wherever it is started."""
    return os.pathsep.join(part for part in (str(PROJECT_ROOT), os.environ.get("PYTHONPATH", "")) if part)


def running_guard(folder: Path, name: str) -> ProcessId | None:
    """The living guard of the server `name` in this folder, whoever started it."""
    try:
        _, pid, started = (folder / f"{name}.pid").read_text(encoding="utf-8").split()
        process = ProcessId(int(pid), started)
    except (OSError, ValueError):
        return None
    return process if process.alive() else None


def check_not_running(folder: Path, name: str) -> None:
    """Two servers must not share one folder; LocalStackError when one is there."""
    process = running_guard(folder, name)
    if process is not None:
        raise LocalStackError(
            f"{name} already runs in {folder} (guard pid {process.pid})",
            hint="stop it first (weir down), or give this one a home of its own",
        )


def _server_pid(pid_file: Path) -> int:
    try:
        return int(pid_file.read_text(encoding="utf-8").split()[0])
    except (OSError, ValueError, IndexError):
        return 0


def wait_until(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Whether `condition()` came true within the time. Blocks; looks every 50 ms."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_S)
    return True


def log_tail(path: Path, lines: int = 25) -> str:
    """The last lines of a log, or why there are none."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - 16_384))
            text = log.read().decode("utf-8", errors="replace")
    except OSError as exc:
        return f"(no log: {exc})"
    return "\n".join(text.splitlines()[-lines:]) or "(the log is empty)"


def free_ports(count: int) -> list[int]:
    """Distinct loopback ports that nothing uses now, below the range from which outgoing connections take theirs.

    A server takes seconds to listen; meanwhile a connection of anybody's could get a port of the ephemeral range.
    """
    ports: set[int] = set()
    while len(ports) < count:
        port = PORT_MIN + secrets.randbelow(_ephemeral_start() - PORT_MIN)
        if port_free(port):
            ports.add(port)
    return sorted(ports)


def _ephemeral_start() -> int:
    """Where the ephemeral ports begin here; not below 25,000, so that there is always room under it."""
    try:
        told = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="utf-8")
        return max(25_000, int(told.split()[0]))
    except (OSError, ValueError, IndexError):
        return 32_768


def port_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _set_aside_large_log(path: Path) -> None:
    if path.exists() and path.stat().st_size > LOG_KEEP_BYTES:
        path.replace(path.with_suffix(".log.1"))
