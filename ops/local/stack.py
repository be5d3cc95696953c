"""The background stack: Kafka, Triton and a worker started in order, stopped in reverse, and told apart by state files.

What a deployment already has is used and not started: an address in the settings makes that service external.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ops.local.probe import live_brokers
from ops.local.services import (
    Health,
    KafkaKind,
    Service,
    health,
    start_kafka,
    start_triton,
    start_worker,
    stop_service,
)
from ops.local.state import RunFolder
from ops.local.topics import standard_topics

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class StackOptions:
    """What `up` shall start. Empty addresses: start our own."""

    home: Path
    repository: Callable[[], Path]  # asked only when Triton must be started
    kafka: KafkaKind = KafkaKind.EMBEDDED
    brokers: int = 1
    partitions: int = 4
    topic_prefix: str = "content."
    kafka_bootstrap: str = ""
    triton_url: str = ""
    drain_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the stack's servers are; empty when they do not run."""

    kafka_bootstrap: str
    triton_url: str


def up(options: StackOptions, tell: Tell) -> Addresses:
    """Start what does not run yet; the addresses. Blocks until all of it is ready.

    When a service does not come up, what this call started is stopped again. Raises LocalStackError.
    """
    started: list[Service] = []
    with RunFolder(options.home).lock():
        try:
            return _start_all(options, tell, started)
        except BaseException:  # Ctrl-C too: half a stack is no use to anyone
            for service in reversed(started):
                stop_service(options.home, service)
            raise


def down(home: Path, tell: Tell) -> list[Service]:
    """Stop all that runs, the worker first so that it drains; what was stopped."""
    stopped = []
    with RunFolder(home).lock():
        for service in reversed(Service):
            if RunFolder(home).read(service) is not None:
                tell(f"stopping {service}")
            if stop_service(home, service):
                stopped.append(service)
    return stopped


def status(home: Path, *, kafka_bootstrap: str = "", triton_url: str = "") -> list[Health]:
    """How each service is; external ones by asking them."""
    told = {service: health(home, service) for service in Service}
    if kafka_bootstrap:
        told[Service.KAFKA] = _external(
            Service.KAFKA, {"bootstrap": kafka_bootstrap}, live_brokers(kafka_bootstrap) > 0
        )
    if triton_url:
        told[Service.TRITON] = _external(Service.TRITON, {"grpc": triton_url}, _accepts(triton_url))
    return list(told.values())


def _start_all(options: StackOptions, tell: Tell, started: list[Service]) -> Addresses:
    home, bootstrap, triton_url = options.home, options.kafka_bootstrap, options.triton_url
    run = RunFolder(home)
    if not bootstrap:
        fresh = run.running(Service.KAFKA) is None
        tell(f"{'starting' if fresh else 'running:'} Kafka ({options.kafka})")
        started += [Service.KAFKA] if fresh else []
        topics = standard_topics(options.topic_prefix, options.partitions)
        bootstrap = start_kafka(home, options.kafka, topics, brokers=options.brokers).addresses["bootstrap"]
    if not triton_url:
        fresh = run.running(Service.TRITON) is None
        tell(f"{'starting' if fresh else 'running:'} Triton")
        started += [Service.TRITON] if fresh else []
        triton_url = start_triton(home, options.repository).addresses["grpc"]
    fresh = run.running(Service.WORKER) is None
    tell(f"{'starting' if fresh else 'running:'} worker")
    started += [Service.WORKER] if fresh else []
    env = {"WEIR_KAFKA_BOOTSTRAP": bootstrap, "WEIR_TRITON_URL": triton_url}
    start_worker(home, env, drain_s=options.drain_s)
    return Addresses(bootstrap, triton_url)


def _external(service: Service, where: dict[str, str], answers: bool) -> Health:  # noqa: FBT001
    return Health(service, "running" if answers else "unwell", "external", where, note="" if answers else "no answer")


def _accepts(address: str) -> bool:
    """Whether something listens at `host:port`."""
    import socket

    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=2):
            return True
    except (OSError, ValueError):
        return False
