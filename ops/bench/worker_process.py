"""A real `weir worker` for benches and proofs: started as an operator would, killed and stopped as the world would."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psutil

from ops.local.errors import LocalStackError
from ops.local.process import log_tail, wait_until

PROJECT_ROOT: Final = Path(__file__).resolve().parents[2]


class WorkerProcess:
    """A supervised worker; use as a context manager. `log` is where both write."""

    def __init__(self, home: Path, env: Mapping[str, str]) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.log = home / "worker.log"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("WEIR_")}
        self._env = {
            **kept,
            "PYTHONPATH": str(PROJECT_ROOT),
            "WEIR_HOME": str(home),
            "WEIR_LOG_FORMAT": "json",
            "WEIR_LOG_LEVEL": "warning",
            **env,
        }
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "ops.cli", "worker"], env=self._env, stdout=log, stderr=log, cwd=PROJECT_ROOT
            )

    def child(self, timeout_s: float = 30.0) -> psutil.Process:
        """The process that judges; LocalStackError when the supervisor has none in time."""
        found: list[psutil.Process] = []

        def seen() -> bool:
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                children = psutil.Process(self._process.pid).children()
                # The supervisor gives its worker a session; imports of libraries start helpers too, without one.
                found[:] = [one for one in children if os.getsid(one.pid) == one.pid]
            return bool(found) or self._process.poll() is not None

        if not wait_until(seen, timeout_s) or not found:
            raise LocalStackError("the worker's supervisor has no child", log_tail=log_tail(self.log))
        return found[0]

    def kill_child(self) -> None:
        """Kill -9 the process that judges; its supervisor starts another."""
        self.child().send_signal(signal.SIGKILL)

    def stop(self, timeout_s: float = 60.0) -> int:
        """SIGTERM to the supervisor, as a deployment would; its exit code."""
        if self._process.poll() is None:
            self.child()  # from then on the supervisor passes signals on
            self._process.terminate()
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.wait()

    def start_again(self) -> None:
        """Start it after `stop`."""
        self._process = self._start()

    def kill(self) -> None:
        """Kill -9 both."""
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in psutil.Process(self._process.pid).children(recursive=True):
                process.kill()
        self._process.kill()
        self._process.wait()

    def cpu_s(self) -> float:
        """CPU seconds of the judging process so far."""
        times = self.child().cpu_times()
        return float(times.user + times.system)

    def alive(self) -> bool:
        """Whether the supervisor runs."""
        return self._process.poll() is None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self.alive():
                self.stop(20.0)
        finally:
            self.kill()
