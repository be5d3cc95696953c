"""A small supervisor process that owns one server: when it ends, the server, its children and its files are gone.

Run as a script by `ops.local.process`, never imported for its work: it must start in milliseconds, so it imports
the standard library only. It ends the server when asked to (SIGTERM), when the process that started it is gone
(so that kill -9 of a test or of `weir demo` leaves nothing), and dies with the server's exit code.
Should the guard itself be killed, Linux sends the server SIGTERM (PR_SET_PDEATHSIG).

`@GUARD@` in the server's command line becomes this guard's mark, `weir-<pid namespace>-<pid>-<start>`: a name for
shared-memory files from which a later sweep can tell that their owner is dead.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

MARK = "@GUARD@"
CHECK_S = 0.5  # how soon the death of the parent is noticed
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
SHM = Path("/dev/shm")  # noqa: S108  # POSIX shared memory is there and nowhere else


def start_ticks(pid: int) -> str | None:
    """When `pid` started, as text that no later process with the same pid repeats; None: no such live process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return _start_from_ps(pid) if not Path("/proc/self/stat").exists() else None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def _start_from_ps(pid: int) -> str | None:
    """The same on systems without /proc."""
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    text = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    state, _, started = text.partition(" ")
    return None if not text or state.startswith("Z") else "".join(started.split()).replace(":", "")


def guard_mark(pid: int) -> str:
    """The mark of the guard with this pid, which must be alive."""
    try:
        namespace = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        namespace = 0
    return f"weir-{namespace}-{pid}-{start_ticks(pid)}"


def remove_shared_memory(mark: str) -> int:
    """Remove the shared-memory files that carry `mark`; how many there were."""
    removed = 0
    for path in SHM.glob(f"*{mark}-*") if SHM.is_dir() else ():
        try:
            path.unlink()
            removed += 1
        except FileNotFoundError:
            pass
    return removed


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _group_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _reap() -> None:
    """Collect every ended child that was handed to this subreaper, the server's own excepted."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def _stop(server: subprocess.Popen[bytes], grace_s: float) -> None:
    """SIGTERM to the server, `grace_s` seconds, then SIGKILL to all that is left of its process group."""
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(grace_s)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
    _signal_group(server.pid, signal.SIGKILL)
    deadline = time.monotonic() + 2
    while _group_alive(server.pid) and time.monotonic() < deadline:
        _reap()
        time.sleep(0.01)


def _wait(server: subprocess.Popen[bytes], wakeup: int, orphaned: Callable[[], bool]) -> None:
    """Return when the server ended, a signal to stop came, or the parent is gone."""
    while server.poll() is None and not orphaned():
        ready, _, _ = select.select([wakeup], [], [], CHECK_S)
        numbers = os.read(wakeup, 64) if ready else b""
        if any(number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP) for number in numbers):
            return


def _publish(pid_file: Path, server: int) -> None:
    """Write the server's pid, this guard's pid and its start, in one step."""
    temporary = pid_file.with_suffix(".pid.tmp")
    temporary.write_text(f"{server} {os.getpid()} {start_ticks(os.getpid())}\n", encoding="utf-8")
    temporary.replace(pid_file)


def _watch_signals() -> int:
    """A descriptor that yields the number of each signal received."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    return read_end


def _in_child() -> None:
    """In the server, before exec: die when the guard does, start with clean signal handling."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _detach() -> None:
    """Leave the starting process: it gets this guard's pid on stdout and returns at once."""
    child = os.fork()
    if child:
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        os._exit(0)
    os.setsid()
    quiet = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(quiet, descriptor)


def main(argv: list[str]) -> int:
    """Own one server until it ends or must end; its exit code (128 + signal when a signal ended it)."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, default=0, help="stop when this process is gone; 0: detach")
    parser.add_argument("--grace", type=float, default=10)
    parser.add_argument("--log", required=True)
    parser.add_argument("--pid-file", required=True)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(argv)
    if not options.parent:
        _detach()
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    wakeup = _watch_signals()
    mark = guard_mark(os.getpid())
    command = [part.replace(MARK, mark) for part in options.command]
    with Path(options.log).open("ab", buffering=0) as log:
        try:
            server = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
                preexec_fn=_in_child,  # noqa: PLW1509  # this process has one thread
            )
        except OSError as exc:
            log.write(f"cannot start {command[0]}: {exc}\n".encode())
            return 127
        _publish(Path(options.pid_file), server.pid)
        try:
            _wait(server, wakeup, lambda: bool(options.parent) and os.getppid() != options.parent)
        finally:
            _stop(server, options.grace)
            remove_shared_memory(mark)
            Path(options.pid_file).unlink(missing_ok=True)
    return server.returncode if server.returncode >= 0 else 128 - server.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
