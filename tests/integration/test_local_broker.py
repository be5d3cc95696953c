"""The embedded broker is a Kafka broker for real clients, can fail on demand, and dies with its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import aiokafka
import pytest
from aiokafka.errors import KafkaError

from ops.local.broker import EmbeddedBroker
from ops.local.errors import LocalStackError
from ops.local.mock_cluster import MockCluster
from ops.local.probe import live_brokers
from ops.local.process import ProcessId, wait_until

pytestmark = pytest.mark.integration

PRODUCE = 0  # protocol key
TOPIC_AUTHORIZATION_FAILED = 29

PARENT = """
import sys, time
from pathlib import Path
from ops.local.broker import EmbeddedBroker
broker = EmbeddedBroker(Path(sys.argv[1]))
print(broker.server.guard.pid, broker.server.pid, flush=True)
time.sleep(60)
"""


async def test_round_trip(embedded_broker: EmbeddedBroker, unique_topic: str) -> None:
    """What aiokafka produces, a consumer group reads back with keys, headers and order."""
    async with aiokafka.AIOKafkaProducer(bootstrap_servers=embedded_broker.bootstrap, acks="all") as producer:
        for number in range(50):
            await producer.send_and_wait(unique_topic, b"%d" % number, key=b"k", headers=[("schema", b"s/1")])
    consumer = aiokafka.AIOKafkaConsumer(
        unique_topic, bootstrap_servers=embedded_broker.bootstrap, group_id=unique_topic, auto_offset_reset="earliest"
    )
    async with consumer:
        records = [await consumer.getone() for _ in range(50)]
    assert [record.value for record in records] == [b"%d" % number for number in range(50)]
    assert {record.headers for record in records} == {(("schema", b"s/1"),)}


async def test_partitions_are_as_asked(tmp_path: Path) -> None:
    """Topics named at the start have the partitions asked for; others have four."""
    with EmbeddedBroker(tmp_path, topics={"wide": 7}) as broker:
        async with aiokafka.AIOKafkaProducer(bootstrap_servers=broker.bootstrap) as producer:
            assert len(await producer.partitions_for("wide")) == 7
            assert len(await producer.partitions_for("other")) == 4


def test_says_what_it_is_not(embedded_broker: EmbeddedBroker) -> None:
    """Its log begins with the warning that it is no durable broker."""
    first = embedded_broker.server.command.log.read_text(encoding="utf-8").splitlines()[0]
    assert "in memory only" in first
    assert "never a measure of durability" in first


def test_second_one_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    """Two brokers of one process in one home would overwrite each other's files: the second says so."""
    with EmbeddedBroker(tmp_path), pytest.raises(LocalStackError, match="already runs"):
        EmbeddedBroker(tmp_path)


def test_dies_with_its_parent(tmp_path: Path) -> None:
    """After kill -9 of the process that started it, neither the broker nor its guard stays."""
    with subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(text) for text in parent.stdout.readline().split()]
        living = [ProcessId.of(pid) for pid in pids]
        assert None not in living
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert wait_until(lambda: not any(one is not None and one.alive() for one in living), 10)


def test_mock_cluster_forgets_its_port_when_closed() -> None:
    """A closed cluster no longer answers."""
    with MockCluster() as cluster:
        assert live_brokers(cluster.bootstrap) == 1
    assert live_brokers(cluster.bootstrap) == 0


def test_broker_down_and_up_again() -> None:
    """A broker that is set down refuses connections until it is set up again."""
    with MockCluster() as cluster:
        cluster.broker_down()
        assert wait_until(lambda: live_brokers(cluster.bootstrap) == 0, 10)
        cluster.broker_up()
        assert wait_until(lambda: live_brokers(cluster.bootstrap) == 1, 10)


async def test_pushed_errors_reach_the_client(unique_topic: str) -> None:
    """An error pushed for Produce is what the next produce gets, and only that one."""
    with MockCluster({unique_topic: 1}) as cluster:
        async with aiokafka.AIOKafkaProducer(bootstrap_servers=cluster.bootstrap, acks="all") as producer:
            cluster.push_errors(PRODUCE, [TOPIC_AUTHORIZATION_FAILED])
            with pytest.raises(KafkaError, match="TopicAuthorizationFailed"):
                await producer.send_and_wait(unique_topic, b"refused")
            record = await producer.send_and_wait(unique_topic, b"taken")
    assert record.offset == 0


def test_topic_is_created_once() -> None:
    """A topic that exists cannot be created again."""
    with MockCluster({"once": 1}) as cluster, pytest.raises(ValueError, match="'once'"):
        cluster.create_topic("once", 2)


def test_starts_from_any_folder(tmp_path: Path) -> None:
    """A parent with a strange environment (PYTHONPATH, cwd) still starts it: it is found by path, not by luck."""
    code = "import sys; sys.path.insert(0, sys.argv[2]); from ops.local.broker import EmbeddedBroker; "
    code += "from pathlib import Path; b = EmbeddedBroker(Path(sys.argv[1])); print(b.bootstrap); b.stop()"
    root = str(Path(__file__).parents[2])
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "home"), root],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("127.0.0.1:")
