"""Find and remove what dead Triton servers left behind: orphan stubs and shared-memory files.

Only things that carry a guard's mark (`weir-<pid namespace>-<pid>-<start>`) are touched, and only when that guard is
gone: a running server of another user, checkout or test is never disturbed.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
from dataclasses import dataclass
from pathlib import Path

from ops.local.guard import SHM, start_ticks

_MARK = re.compile(r"weir-(?P<namespace>\d+)-(?P<pid>\d+)-(?P<started>[0-9A-Za-z]+)")


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep removed."""

    stubs: tuple[int, ...]
    files: tuple[str, ...]


def is_orphan(name: str) -> bool:
    """Whether a file name or command line carries the mark of a guard that no longer lives."""
    found = _MARK.search(name)
    if found is None or int(found["namespace"]) != _namespace():
        return False
    return start_ticks(int(found["pid"])) != found["started"]


def sweep() -> Swept:
    """End orphan stubs and remove orphan files; returns what was found."""
    stubs = []
    for pid, command in _stubs():
        if is_orphan(command):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                stubs.append(pid)
    files = []
    for path in SHM.glob("*weir-*") if SHM.is_dir() else ():
        if is_orphan(path.name):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
                files.append(path.name)
    return Swept(tuple(stubs), tuple(files))


def _stubs() -> list[tuple[int, str]]:
    """Every process of ours that is a Python-backend stub: pid and command line."""
    found = []
    for entry in Path("/proc").iterdir() if Path("/proc/self").exists() else ():
        if not entry.name.isdigit():
            continue
        try:
            if entry.stat().st_uid != os.getuid():
                continue
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it ended while we looked
        if "triton_python_backend_stub" in command or "tritonserver" in command.partition(" ")[0]:
            found.append((int(entry.name), command))
    return found


def _namespace() -> int:
    try:
        return Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return 0
