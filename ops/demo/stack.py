"""The demo's servers: broker, worker and Triton, started together, living with this process, gone at its end.

Nothing here reads or writes what `weir up` runs: addresses are free ones, folders are private to this process.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ops.local.broker import PROJECT_ROOT, EmbeddedBroker
from ops.local.errors import LocalStackError
from ops.local.kafka import RealKafka
from ops.local.layout import private_folder
from ops.local.process import Lifetime, Server, ServerCommand, free_ports, log_tail, running_guard, start_server
from ops.local.services import KafkaKind
from ops.local.shared_memory import sweep
from ops.local.topics import standard_topics
from ops.local.triton import EmbeddedTriton, TritonOptions, TritonPorts
from streams.settings import Settings

WORKER = "worker"
SERVER_NAMES = (WORKER, "triton", "broker", "kafka-1")
PARTITIONS = 4
DRAIN_S = 5  # who stops a demo does not want to wait for what is in flight
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class StackPlan:
    """What to start."""

    settings: Settings
    kafka: KafkaKind
    media: Path  # the worker may read pictures below it
    repository: Callable[[], Path]  # the assembled model; asked once


class DemoStack:
    """Running servers; use as a context manager around `start`. Leaving it stops all of them, whatever happened."""

    def __init__(self, plan: StackPlan) -> None:
        self._plan = plan
        self.home = plan.settings.home
        self.folder = private_folder(self.home)
        self.bootstrap = ""
        self.triton_url = plan.settings.triton_url
        self._broker: EmbeddedBroker | RealKafka | None = None
        self._worker: Server | None = None
        self._triton: EmbeddedTriton | None = None

    def start(self, tell: Tell) -> None:
        """Start everything; returns when Triton serves the model. LocalStackError when a part does not come up."""
        repository = self._plan.repository() if not self.triton_url else Path()
        tell(f"starting the broker ({self._plan.kafka})")
        self.bootstrap = self._start_broker()
        ports = TritonPorts(*free_ports(3))
        if self.triton_url:
            self._worker = self._start_worker(self.triton_url)
            return
        # The worker loads while Triton loads: it only needs to know where Triton will be.
        self._worker = self._start_worker(f"127.0.0.1:{ports.grpc}")
        tell("starting Triton and the worker")
        self._triton = EmbeddedTriton(self.home, repository, TritonOptions(ports=ports))
        self.triton_url = self._triton.grpc_url

    def check(self) -> None:
        """LocalStackError, with the end of its log, when one of the servers has ended."""
        if self._worker is not None and not self._worker.alive():
            raise LocalStackError("the worker ended", log_tail=self.worker_log())
        if self._triton is not None and not self._triton.alive():
            raise LocalStackError("Triton ended", log_tail=self._triton.log)
        if self._broker is not None and not self._broker.alive():
            raise LocalStackError("the broker ended", log_tail=log_tail(self.folder / "broker.log"))

    def worker_log(self) -> str:
        """The last lines of the worker's log."""
        return log_tail(self.folder / f"{WORKER}.log")

    def stop(self) -> None:
        """Stop all, the worker first so that it finishes what it has; a second Ctrl-C does not break this off."""
        with uninterrupted():
            for name in SERVER_NAMES:  # by guard, not by handle: a start that was broken off has no handle yet
                guard = running_guard(self.folder, name)
                if guard is not None:
                    guard.stop(timeout_s=20)
            for server in (self._worker, self._triton, self._broker):
                if server is not None:
                    server.stop()
            sweep()

    def forget(self) -> None:
        """Remove the logs and the real Kafka's data; they are worth keeping only after a failure."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start_broker(self) -> str:
        topics = standard_topics(self._plan.settings.topic_prefix, PARTITIONS)
        if self._plan.kafka is KafkaKind.EMBEDDED:
            broker = EmbeddedBroker(self.home, topics={topic.name: topic.partitions for topic in topics})
            self._broker = broker
            return broker.bootstrap
        kafka = RealKafka(self.folder / "kafka-home", brokers=1)
        self._broker = kafka
        kafka.create_topics(topics)
        return kafka.bootstrap

    def _start_worker(self, triton_url: str) -> Server:
        env = {
            "PYTHONPATH": os.pathsep.join(p for p in (str(PROJECT_ROOT), os.environ.get("PYTHONPATH", "")) if p),
            "PYTHONUNBUFFERED": "1",
            "WEIR_HOME": str(self.folder / "worker-home"),
            "WEIR_KAFKA_BOOTSTRAP": self.bootstrap,
            "WEIR_TRITON_URL": triton_url,
            "WEIR_MEDIA_ROOTS": str(self._plan.media.resolve()),
            "WEIR_DRAIN_S": str(DRAIN_S),
        }
        # Without the supervisor: a worker that crashes here is something to show, not to start again.
        argv = [sys.executable, "-m", "ops.cli", "worker", "--no-supervisor"]
        return start_server(ServerCommand(WORKER, argv, self.folder, env, grace_s=DRAIN_S + 3), Lifetime.WITH_PARENT)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Ignore Ctrl-C and SIGTERM inside: what is being cleaned up is cleaned up to its end."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end this process as Ctrl-C does: through every `finally`."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
