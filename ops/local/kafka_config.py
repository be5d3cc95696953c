"""Configuration files of a local Apache Kafka: pure text from a layout; starts nothing.

KRaft with static voters: every node is broker and controller. Ports may change between two starts (the voters' list is
configuration, not data), so a kept state folder never clashes with whatever took its ports meanwhile.
"""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass
from pathlib import Path

LOOPBACK = "127.0.0.1"
MESSAGE_MAX_BYTES = 8 * 1024 * 1024  # a dead letter is an event of the largest size plus headers; topics set less
DEFAULT_PARTITIONS = 4


@dataclass(frozen=True, slots=True)
class Node:
    """One combined broker and controller."""

    number: int  # 1..
    port: int
    controller_port: int
    folder: Path

    @property
    def config_file(self) -> Path:
        """Where its `server.properties` is."""
        return self.folder / "server.properties"

    @property
    def data(self) -> Path:
        """Its log directory."""
        return self.folder / "data"

    @property
    def address(self) -> str:
        """`host:port` for clients."""
        return f"{LOOPBACK}:{self.port}"


def new_cluster_id() -> str:
    """A cluster id in Kafka's form: 22 characters of URL-safe base64, not beginning with a dash."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def server_properties(node: Node, nodes: tuple[Node, ...]) -> str:
    """The node's `server.properties`."""
    replicas = min(3, len(nodes))
    values: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": node.number,
        "controller.quorum.voters": ",".join(f"{n.number}@{LOOPBACK}:{n.controller_port}" for n in nodes),
        "listeners": f"PLAINTEXT://{node.address},CONTROLLER://{LOOPBACK}:{node.controller_port}",
        "advertised.listeners": f"PLAINTEXT://{node.address}",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": node.data,
        "num.partitions": DEFAULT_PARTITIONS,
        "default.replication.factor": replicas,
        "min.insync.replicas": max(1, replicas - 1),
        "offsets.topic.replication.factor": replicas,
        "offsets.topic.num.partitions": 4,  # 50 by default: seconds of start-up for nothing here
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": max(1, replicas - 1),
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": max(1, replicas - 1),
        "message.max.bytes": MESSAGE_MAX_BYTES,
        "replica.fetch.max.bytes": MESSAGE_MAX_BYTES,
        "group.initial.rebalance.delay.ms": 0,  # a lone worker need not wait 3 s for company
        "log.segment.bytes": 64 * 1024 * 1024,
        "auto.create.topics.enable": "true",  # as the embedded broker does
        "num.network.threads": 2,
        "num.io.threads": 4,
        "controlled.shutdown.enable": "true",
        "broker.session.timeout.ms": 5000,  # a restarted broker waits for its dead self this long; default 9 s
        "broker.heartbeat.interval.ms": 500,
    }
    return "".join(f"{key}={value}\n" for key, value in values.items())
