"""Starts a worker process again when it crashes; passes signals on; gives up when starting again cannot help.

A crash is the stream's answer to failed infrastructure (FACTS), so being started again quickly is part of being
loss-proof. Deployments with their own supervisor (a container runtime) may run `weir worker --no-supervisor`.
"""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from types import FrameType
from typing import Final

import structlog

from streams.worker import EXIT_MISUSED, EXIT_QUARANTINED, EXIT_STOPPED

log = structlog.get_logger(__name__)

FIRST_PAUSE_S: Final = 0.5
MAX_PAUSE_S: Final = 15.0
#: A worker that ran this long was healthy: the next crash is a new story, with the first pause again.
HEALTHY_S: Final = 60.0
_FINAL: Final = frozenset({EXIT_STOPPED, EXIT_MISUSED, EXIT_QUARANTINED})


class Supervisor:
    """Runs `command` until it ends well, or for good, or a signal asks to stop."""

    def __init__(self, command: Sequence[str], *, grace_s: float) -> None:
        self._command = list(command)
        self._grace_s = grace_s
        self._stopping = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None

    def run(self) -> int:
        """The exit code of the last child; blocks. Takes over SIGTERM and SIGINT; call it from the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        pause_s = FIRST_PAUSE_S
        while True:
            started = time.monotonic()
            code = self._run_child()
            if self._stopping.is_set() and code == -signal.SIGTERM:
                return EXIT_STOPPED  # asked to stop before it had begun: nothing was in flight
            if self._stopping.is_set() or code in _FINAL:
                return code
            if time.monotonic() - started > HEALTHY_S:
                pause_s = FIRST_PAUSE_S
            log.warning("worker.restarting", exit_code=code, pause_s=pause_s)
            if self._stopping.wait(pause_s):
                return EXIT_STOPPED
            pause_s = min(pause_s * 2, MAX_PAUSE_S)

    def _run_child(self) -> int:
        # A session of its own: Ctrl-C reaches the child once, through us, and it drains.
        self._child = subprocess.Popen(self._command, start_new_session=True)
        if self._stopping.is_set():  # the signal came while the child was being started
            self._child.terminate()
        while not self._stopping.is_set():
            try:
                return self._child.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
        try:
            return self._child.wait(self._grace_s)
        except subprocess.TimeoutExpired:
            log.warning("worker.killed", after_s=self._grace_s)
            self._child.kill()
            return self._child.wait()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping.set()
        if self._child is not None and self._child.poll() is None:
            self._child.terminate()
