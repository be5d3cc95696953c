"""One worker process: builds the app, runs it until a signal, or dies at once when it must.

`weir worker` (ops) owns a supervisor that starts this again. Exit codes tell the supervisor what to do.
"""

from __future__ import annotations

import gc
import io
import logging
import os
import sys
from typing import Final

import faust
import structlog

from streams.app import MakeModerator, build_app, build_moderator
from streams.settings import Settings
from streams.telemetry import set_up_logging

log = structlog.get_logger(__name__)

EXIT_STOPPED: Final = 0
EXIT_MISUSED: Final = 2  # settings or policies are wrong: starting again does not help
EXIT_CRASHED: Final = 70  # infrastructure: start again, nothing was acknowledged that was not published
EXIT_QUARANTINED: Final = (
    78  # too many events break our own code: a person must look, starting again would go on binning
)
_FINAL_CRASHES: Final = frozenset({"deadletter_share"})


def crash(cause: str, why: str) -> None:
    """End the process now. Nothing is flushed or committed: what is unacknowledged is read again."""
    code = EXIT_QUARANTINED if cause in _FINAL_CRASHES else EXIT_CRASHED
    log.critical("worker.crashed", cause=cause, why=why, exit_code=code)
    sys.stderr.flush()
    os._exit(code)


def _calm_collector() -> None:
    """Look for cycles less often: reference counts free what a batch makes. A tenth less CPU an event."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def run(settings: Settings, *, moderator: MakeModerator = build_moderator) -> int:
    """Judge events until SIGTERM or SIGINT; the exit code."""
    set_up_logging(settings.log_level, settings.log_format)
    app = build_app(settings, crash, moderator=moderator)
    _calm_collector()
    app.conf.datadir.parent.mkdir(parents=True, exist_ok=True)  # Faust makes the last folder only
    worker = faust.Worker(
        app,
        quiet=True,
        override_logging=False,
        redirect_stdouts=False,
        loglevel=logging.WARNING,
        console_port=0,
        stdout=io.StringIO(),  # its spinner writes escape codes even when quiet
    )
    log.info("worker.started", group=settings.group, topic=settings.topic("incoming"))
    try:
        worker.execute_from_commandline()
    except SystemExit as exc:
        code = exc.code if isinstance(exc.code, int) else EXIT_CRASHED
        log.info("worker.stopped", exit_code=code)
        return EXIT_STOPPED if code == 0 else EXIT_CRASHED
