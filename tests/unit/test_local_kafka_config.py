"""The local Kafka's configuration, and the question that tells whether a broker is up."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from ops.local.kafka_config import MESSAGE_MAX_BYTES, Node, new_cluster_id, server_properties
from ops.local.kafka_jars import POM
from ops.local.probe import live_brokers
from ops.local.topics import DEADLETTER_MAX_BYTES, EVENT_MAX_BYTES, standard_topics

NODES = tuple(Node(n, 9000 + n, 9100 + n, Path("/home/w/node") / str(n)) for n in (1, 2, 3))


def properties(node: Node, nodes: tuple[Node, ...]) -> dict[str, str]:
    """The file as a mapping."""
    return dict(line.split("=", 1) for line in server_properties(node, nodes).splitlines())


def test_one_broker_replicates_nothing() -> None:
    """A lone broker asks for one replica of everything: three would never be there."""
    told = properties(NODES[0], NODES[:1])
    factors = {key: value for key, value in told.items() if "replication.factor" in key}
    assert len(factors) == 4
    assert set(factors.values()) == {"1"}
    assert told["min.insync.replicas"] == "1"


def test_three_brokers_survive_one() -> None:
    """Three brokers keep three replicas and acknowledge with two: one may be killed."""
    told = properties(NODES[1], NODES)
    assert told["default.replication.factor"] == "3"
    assert told["min.insync.replicas"] == "2"
    assert told["controller.quorum.voters"] == "1@127.0.0.1:9101,2@127.0.0.1:9102,3@127.0.0.1:9103"
    assert told["node.id"] == "2"


def test_listens_on_loopback_only() -> None:
    """No listener of any node is reachable from outside this machine."""
    for node in NODES:
        told = properties(node, NODES)
        for key in ("listeners", "advertised.listeners"):
            assert all("//127.0.0.1:" in one for one in told[key].split(",")), key


def test_broker_takes_the_largest_record() -> None:
    """The broker's limit is above every topic's, and a dead letter's above an event's."""
    assert max(topic.max_message_bytes for topic in standard_topics()) == DEADLETTER_MAX_BYTES
    by_name = {topic.name: topic.max_message_bytes for topic in standard_topics("")}
    assert (by_name["incoming"], by_name["deadletter"]) == (EVENT_MAX_BYTES, DEADLETTER_MAX_BYTES)
    assert EVENT_MAX_BYTES < DEADLETTER_MAX_BYTES < MESSAGE_MAX_BYTES


def test_topics_are_those_of_the_contract() -> None:
    """Every topic of CONTRACT is there, with the prefix and the partitions asked for; dead letters keep longest."""
    topics = standard_topics("x.", 9)
    names = {topic.name.removeprefix("x.") for topic in topics}
    contract = {"incoming", "verdicts", "flagged", "novel", "feedback", "deadletter"}
    assert names == contract | {"policy.facts", "policy.strikes", "policy.bundles", "policy.audit"}
    ours = [topic for topic in topics if topic.name.removeprefix("x.") in contract]
    assert {topic.partitions for topic in ours} == {9}
    assert max(ours, key=lambda topic: topic.retention_ms).name == "x.deadletter"


def test_cluster_ids_have_kafkas_form() -> None:
    """22 characters of URL-safe base64 that no command line takes for an option, never twice the same."""
    made = {new_cluster_id() for _ in range(200)}
    assert len(made) == 200
    assert {len(one) for one in made} == {22}
    assert not any(one.startswith("-") for one in made)


def test_pom_pins_everything() -> None:
    """The pom names exact versions of Kafka 4.1 and a log binding, and no host to fetch them from."""
    text = POM.read_text(encoding="utf-8")
    root = ET.fromstring(text)
    properties = {element.tag: element.text or "" for element in root.iterfind("properties/*")}
    assert properties["kafka.version"].startswith("4.1.")
    assert {element.text for element in root.iterfind("dependencies/dependency/artifactId")} == {
        "kafka_2.13",
        "log4j-slf4j-impl",
        "log4j-core",
    }
    assert "://" not in text
    assert "SNAPSHOT" not in text


# --- the probe -----------------------------------------------------------------------------------------------------


@contextmanager
def server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A listener that takes one connection and does `answer` with it; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        thread.join(5)


def framed(*numbers: int) -> bytes:
    """A Kafka answer of these 32-bit numbers."""
    body = struct.pack(f">{len(numbers)}i", *numbers)
    return struct.pack(">i", len(body)) + body


def test_probe_counts_brokers() -> None:
    """The number of brokers in the answer is what you get."""
    with server(lambda connection: connection.sendall(framed(1, 3, 0))) as address:
        assert live_brokers(address) == 3


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        framed(2, 3, 0),
        struct.pack(">i", -1),
        struct.pack(">i", 2**31 - 1),
        b"\0\0\0\x08\0",
    ],
    ids=["closes", "http", "another correlation", "negative", "huge", "cut short"],
)
def test_probe_of_something_else_is_zero(answer: bytes) -> None:
    """Whatever else listens there is no broker, and the probe ends without reading gigabytes."""
    with server(lambda connection: connection.sendall(answer)) as address:
        assert live_brokers(address) == 0


def test_probe_takes_the_first_that_answers() -> None:
    """An address that is down is passed over."""
    with server(lambda connection: connection.sendall(framed(1, 1))) as address:
        assert live_brokers(f"127.0.0.1:1,{address}") == 1


@pytest.mark.parametrize("address", ["", "nonsense", "127.0.0.1:port", "127.0.0.1:1"])
def test_probe_of_no_address_is_zero(address: str) -> None:
    """Nothing that can be written there raises."""
    assert live_brokers(address) == 0
