"""The embedded broker: librdkafka's mock cluster in a process of its own. No Java, no Docker, nothing on disk.

For the demo, for tests and for trying things. Memory only, 5 MiB a partition and then the oldest records are dropped
silently: nothing that is claimed about lost events may rest on it (use `ops/local/kafka.py`).
`python -m ops.local.broker --address-file F` is the process; `EmbeddedBroker` starts and stops it.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from ops.local.mock_cluster import KEPT_BYTES_PER_PARTITION, MockCluster, library_path
from ops.local.probe import live_brokers
from ops.local.process import PROJECT_ROOT as PROJECT_ROOT  # noqa: PLC0414  # the demo reads it here
from ops.local.process import (
    Lifetime,
    Server,
    ServerCommand,
    check_not_running,
    folder_for,
    python_path,
    start_server,
)

NAME = "broker"
START_TIMEOUT_S = 15.0

WARNING = (
    f"embedded broker: in memory only, keeps {KEPT_BYTES_PER_PARTITION // 2**20} MiB a partition and drops the oldest "
    "records beyond that; for demos and tests, never a measure of durability"
)


class EmbeddedBroker:
    """A running embedded broker; `bootstrap` is its address.

    `topics` maps names to numbers of partitions; other topics appear on first use with four.
    Raises LocalStackError when it does not come up.
    """

    def __init__(
        self,
        home: Path,
        *,
        topics: Mapping[str, int] | None = None,
        lifetime: Lifetime = Lifetime.WITH_PARENT,
    ) -> None:
        library_path()  # fails early and clearly
        folder = folder_for(home, lifetime)
        check_not_running(folder, NAME)
        address_file = folder / f"{NAME}.address"
        address_file.unlink(missing_ok=True)
        argv = [sys.executable, "-m", "ops.local.broker", "--address-file", str(address_file)]
        for name, partitions in (topics or {}).items():
            argv += ["--topic", f"{name}={partitions}"]
        command = ServerCommand(NAME, argv, folder, {"PYTHONPATH": python_path()}, grace_s=3)
        self.server: Server = start_server(command, lifetime)
        self.bootstrap = ""

        def ready() -> bool:
            if not self.bootstrap and address_file.exists():
                self.bootstrap = address_file.read_text(encoding="utf-8").strip()
            return bool(self.bootstrap) and live_brokers(self.bootstrap) > 0

        self.server.wait_ready(ready, START_TIMEOUT_S)

    def alive(self) -> bool:
        """Whether it runs."""
        return self.server.alive()

    def stop(self) -> None:
        """End it; its records are gone."""
        self.server.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _topic(text: str) -> tuple[str, int]:
    name, _, partitions = text.rpartition("=")
    if not name or not partitions.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=PARTITIONS")
    return name, int(partitions)


def main(argv: list[str]) -> int:
    """Serve until SIGTERM; the address is in the file once the listener is open."""
    parser = argparse.ArgumentParser(prog="python -m ops.local.broker")
    parser.add_argument("--address-file", type=Path, required=True)
    parser.add_argument("--topic", type=_topic, action="append", default=[], metavar="NAME=PARTITIONS")
    options = parser.parse_args(argv)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    with MockCluster(dict(options.topic)) as cluster:
        print(WARNING, flush=True)
        temporary = options.address_file.with_suffix(".tmp")
        temporary.write_text(cluster.bootstrap + "\n", encoding="utf-8")
        temporary.replace(options.address_file)
        print(f"listening on {cluster.bootstrap}", flush=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
