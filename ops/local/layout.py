"""Where the local stack keeps its things below `$WEIR_HOME`."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path

from ops.local.guard import start_ticks

KEEP_LOGS_S = 24 * 3600.0  # of servers that lived with a process that is gone


def run_folder(home: Path) -> Path:
    """State files, logs and pid files of what runs in the background."""
    return home / "run"


def private_folder(home: Path) -> Path:
    """The folder for servers that live with this process, so that two commands at once do not meet in one.

    Those of processes that ended more than a day ago are removed.
    """
    run = run_folder(home)
    for old in run.glob("with-*") if run.is_dir() else ():
        pid = old.name.removeprefix("with-")
        with contextlib.suppress(OSError):
            if pid.isdigit() and start_ticks(int(pid)) is None and time.time() - old.stat().st_mtime > KEEP_LOGS_S:
                shutil.rmtree(old)
    return run / f"with-{os.getpid()}"


def kafka_data(home: Path, brokers: int) -> Path:
    """Logs of the real Kafka's partitions; kept between starts."""
    return home / "kafka" / f"{brokers}-brokers"
