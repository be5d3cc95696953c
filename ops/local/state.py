"""State files of what runs in the background: one JSON file per service in `$WEIR_HOME/run`.

A file names a process by pid and start time; when that process is gone the file is stale and counts for nothing.
Starting and stopping is done under one lock, so that two `weir up` at the same time start one stack.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ops.local.errors import LocalStackError
from ops.local.layout import run_folder
from ops.local.process import ProcessId

FORMAT = 1


@dataclass(frozen=True, slots=True)
class ServiceState:
    """A service that was started: its guards, its addresses, its log."""

    name: str
    kind: str  # "embedded" | "real" | ...
    processes: tuple[ProcessId, ...]  # one guard per server of the service
    addresses: Mapping[str, str]
    logs: tuple[str, ...]
    since: float  # seconds since the epoch

    def alive(self) -> bool:
        """Whether every server of the service still runs."""
        return bool(self.processes) and all(one.alive() for one in self.processes)

    def partly_alive(self) -> bool:
        """Whether at least one of its servers still runs."""
        return any(one.alive() for one in self.processes)

    def stop(self, timeout_s: float) -> None:
        """End all its servers, together. Blocks until they are gone."""
        for one in self.processes:
            if one.alive():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one.pid, 15)
        deadline = time.monotonic() + timeout_s
        for one in self.processes:
            one.stop(max(0.1, deadline - time.monotonic()))


class RunFolder:
    """The folder of state files."""

    def __init__(self, home: Path) -> None:
        self.path = run_folder(home)

    def read(self, name: str) -> ServiceState | None:
        """The service's state, stale or not; None when there is no file, or one that cannot be read."""
        try:
            raw = json.loads(self._file(name).read_text(encoding="utf-8"))
            if raw["format"] != FORMAT:
                return None
            return ServiceState(
                name=raw["name"],
                kind=raw["kind"],
                processes=tuple(ProcessId(int(p["pid"]), str(p["started"])) for p in raw["processes"]),
                addresses=dict(raw["addresses"]),
                logs=tuple(raw["logs"]),
                since=float(raw["since"]),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def running(self, name: str) -> ServiceState | None:
        """The service's state if at least one of its servers really runs; a stale file is as good as none."""
        state = self.read(name)
        return state if state is not None and state.partly_alive() else None

    def write(self, state: ServiceState) -> None:
        """Publish a state: readers see the old file or the new one, never half of it."""
        self.path.mkdir(parents=True, exist_ok=True)
        raw = {
            "format": FORMAT,
            "name": state.name,
            "kind": state.kind,
            "processes": [{"pid": p.pid, "started": p.started} for p in state.processes],
            "addresses": dict(state.addresses),
            "logs": list(state.logs),
            "since": state.since,
        }
        temporary = self._file(state.name).with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
        temporary.replace(self._file(state.name))

    def remove(self, name: str) -> None:
        """Forget the service; no error when it is not known."""
        self._file(name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the stack's lock; LocalStackError when another command holds it."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                raise LocalStackError(
                    f"another weir command is starting or stopping the stack in {self.path}",
                    hint="wait until it has ended, then try again",
                ) from exc
            yield

    def _file(self, name: str) -> Path:
        return self.path / f"{name}.json"
