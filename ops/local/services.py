"""The three services of the background stack (kafka, triton, worker): start one, stop one, ask how it is.

Each start is idempotent and leaves a state file (`ops/local/state.py`); the servers are detached and live until they
are stopped. The whole stack is `ops/local/stack.py`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ops.local.broker import EmbeddedBroker
from ops.local.errors import LocalStackError
from ops.local.kafka import KafkaOptions, RealKafka
from ops.local.layout import run_folder
from ops.local.probe import live_brokers
from ops.local.process import Lifetime, Server, ServerCommand, python_path, running_guard, start_server
from ops.local.shared_memory import sweep
from ops.local.state import RunFolder, ServiceState
from ops.local.topics import TopicSpec
from ops.local.triton import EmbeddedTriton, TritonOptions, model_ready

STOP_TIMEOUT_S = 60.0  # longest drain (30 s) and slack
WORKER_TIMEOUT_S = 60.0
READY_EVENT = b"worker.ready"  # what a worker logs when it has joined its group


class Service(StrEnum):
    """What the stack is made of, in the order of starting."""

    KAFKA = "kafka"
    TRITON = "triton"
    WORKER = "worker"


class KafkaKind(StrEnum):
    """Which broker."""

    EMBEDDED = "embedded"
    REAL = "real"


SERVER_NAMES = {
    Service.KAFKA: ("broker", "kafka-1", "kafka-2", "kafka-3"),
    Service.TRITON: ("triton",),
    Service.WORKER: ("worker",),
}


@dataclass(frozen=True, slots=True)
class Health:
    """How a service is."""

    service: Service
    state: str  # "running" | "unwell" | "down"
    kind: str = ""
    addresses: Mapping[str, str] | None = None
    pids: tuple[int, ...] = ()
    since: float = 0.0  # seconds since the epoch
    logs: tuple[str, ...] = ()
    note: str = ""

    @property
    def well(self) -> bool:
        """Whether it runs and answers."""
        return self.state == "running"


def start_kafka(home: Path, kind: KafkaKind, topics: Sequence[TopicSpec], *, brokers: int = 1) -> ServiceState:
    """The running Kafka of this kind, started if there is none. Blocks until it answers and the topics are there."""
    run = RunFolder(home)
    present = run.running(Service.KAFKA)
    if present is not None:
        _check_kind(present, kind)
        if present.alive():
            return present
    stop_service(home, Service.KAFKA)  # what a crash or a broken-off start left
    servers: Sequence[Server]
    if kind is KafkaKind.EMBEDDED:
        partitions = {topic.name: topic.partitions for topic in topics}
        broker = EmbeddedBroker(home, topics=partitions, lifetime=Lifetime.DETACHED)
        bootstrap, servers = broker.bootstrap, [broker.server]
    else:
        cluster = RealKafka(home, brokers, KafkaOptions(lifetime=Lifetime.DETACHED))
        bootstrap, servers = cluster.bootstrap, list(cluster.servers.values())
        try:
            cluster.create_topics(topics)
        except BaseException:  # Ctrl-C too: a detached cluster that no state file names could not be stopped
            cluster.stop()
            raise
    return _publish(run, Service.KAFKA, kind, servers, {"bootstrap": bootstrap})


def start_triton(home: Path, repository: Callable[[], Path], options: TritonOptions | None = None) -> ServiceState:
    """The running Triton, started if there is none. Blocks until its model is ready.

    `repository` is asked only when one must be started: assembling the model takes a while.
    """
    run = RunFolder(home)
    present = run.running(Service.TRITON)
    if present is not None:
        return present
    stop_service(home, Service.TRITON)
    given = options or TritonOptions()
    detached = TritonOptions(given.model, given.ports, given.start_timeout_s, Lifetime.DETACHED, given.env)
    triton = EmbeddedTriton(home, repository(), detached)
    addresses = {"grpc": triton.grpc_url, "http": triton.http_url, "metrics": triton.metrics_url, "model": given.model}
    return _publish(run, Service.TRITON, "embedded", [triton.server], addresses)


def start_worker(home: Path, env: Mapping[str, str], *, drain_s: float = 30.0) -> ServiceState:
    """The running worker, started if there is none; `env` tells it its Kafka and its Triton.

    Blocks until it has joined its group. LocalStackError when it ends instead (wrong settings, broken policies).
    """
    run = RunFolder(home)
    present = run.running(Service.WORKER)
    if present is not None:
        return present
    stop_service(home, Service.WORKER)
    argv = [sys.executable, "-m", "ops.cli", "worker"]
    full = {
        "PYTHONPATH": python_path(),
        "PYTHONUNBUFFERED": "1",
        "COLUMNS": "240",  # messages for people shall not be wrapped in a log: a broken path cannot be searched
        "WEIR_HOME": str(home),
        "WEIR_LOG_LEVEL": "debug" if os.environ.get("WEIR_LOG_LEVEL", "").lower() == "debug" else "info",
        **env,
    }
    command = ServerCommand("worker", argv, run_folder(home), full, grace_s=drain_s + 15)
    if command.log.exists():  # an older run's words must not count
        command.log.replace(command.log.with_suffix(".log.1"))
    server = start_server(command, Lifetime.DETACHED)
    server.wait_ready(lambda: READY_EVENT in command.log.read_bytes(), WORKER_TIMEOUT_S)
    return _publish(run, Service.WORKER, "worker", [server], {})


def stop_service(home: Path, service: Service) -> bool:
    """End a service and forget it; whether there was one. Blocks until its processes are gone."""
    run = RunFolder(home)
    state = run.read(service)
    was_there = state is not None and state.partly_alive()
    if state is not None:
        state.stop(STOP_TIMEOUT_S)
        run.remove(service)
    was_there = _end_forgotten(home, SERVER_NAMES[service]) or was_there
    if service is Service.TRITON:
        sweep()
    return was_there


def health(home: Path, service: Service) -> Health:
    """How the service is now: whether its processes live and whether it answers. Changes nothing."""
    state = RunFolder(home).read(service)
    if state is None:
        return Health(service, "down", note="not started")
    pids = tuple(process.pid for process in state.processes)
    told = Health(service, "running", state.kind, state.addresses, pids, state.since, state.logs)
    if not state.partly_alive():
        return _with(told, "down", "its process is gone (a crash, or kill -9)")
    if service is Service.KAFKA:
        brokers = live_brokers(state.addresses["bootstrap"])
        if brokers < len(state.processes):
            return _with(told, "unwell", f"{brokers} of {len(state.processes)} brokers answer")
    if service is Service.TRITON and not model_ready(state.addresses["http"], state.addresses["model"]):
        return _with(told, "unwell", f"model {state.addresses['model']} is not ready")
    return told


def _with(told: Health, state: str, note: str) -> Health:
    return Health(told.service, state, told.kind, told.addresses, told.pids, told.since, told.logs, note)


def _check_kind(present: ServiceState, kind: KafkaKind) -> None:
    if present.kind != kind:
        raise LocalStackError(
            f"a Kafka of another kind runs here ({present.kind}; asked for {kind})", hint="weir down, then try again"
        )


def _publish(
    run: RunFolder, service: Service, kind: str, servers: Sequence[Server], addresses: Mapping[str, str]
) -> ServiceState:
    logs = tuple(str(server.command.log) for server in servers)
    state = ServiceState(service, str(kind), tuple(server.guard for server in servers), addresses, logs, time.time())
    run.write(state)
    return state


def _end_forgotten(home: Path, names: Sequence[str]) -> bool:
    """End servers that have a guard but no state file: a start that was killed half-way. Whether there were any."""
    guards = [found for name in names if (found := running_guard(run_folder(home), name))]
    for one in guards:
        one.stop(STOP_TIMEOUT_S)
    return bool(guards)
