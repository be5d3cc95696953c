"""Real Apache Kafka on the local JVM: starts, keeps what was acknowledged, survives killed brokers, stops clean."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import aiokafka
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from ops.local.errors import LocalStackError
from ops.local.groups import group_status
from ops.local.kafka import KafkaOptions, RealKafka
from ops.local.probe import live_brokers
from ops.local.process import free_ports
from ops.local.topics import DEADLETTER_MAX_BYTES, TopicSpec, create_topics, standard_topics

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def three_brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealKafka]:
    """A cluster whose brokers may be killed; each test leaves all three running."""
    with RealKafka(tmp_path_factory.mktemp("three-brokers"), brokers=3) as kafka:
        yield kafka


async def produce(bootstrap: str, topic: str, numbers: range) -> None:
    """Produce each number with acks=all, in order; idempotent, or a retry after a lost answer would write it twice."""
    async with aiokafka.AIOKafkaProducer(
        bootstrap_servers=bootstrap, enable_idempotence=True, request_timeout_ms=60_000, retry_backoff_ms=200
    ) as producer:
        for number in numbers:
            await producer.send_and_wait(topic, b"%d" % number, partition=0)


async def read_all(bootstrap: str, topic: str, count: int) -> list[int]:
    """The first `count` numbers of partition 0."""
    consumer = aiokafka.AIOKafkaConsumer(
        bootstrap_servers=bootstrap, auto_offset_reset="earliest", retry_backoff_ms=200
    )
    async with consumer:
        partition = aiokafka.TopicPartition(topic, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        async with asyncio.timeout(60):
            return [int((await consumer.getone()).value or b"") for _ in range(count)]


async def test_standard_topics_are_created_once(real_kafka: RealKafka) -> None:
    """The topics of CONTRACT appear with their settings, and asking again creates nothing."""
    topics = standard_topics("created.", partitions=3)
    assert real_kafka.create_topics(topics) == [topic.name for topic in topics]
    assert real_kafka.create_topics(topics) == []
    admin = AIOKafkaAdminClient(bootstrap_servers=real_kafka.bootstrap)
    await admin.start()
    try:
        (described,) = await admin.describe_topics(["created.deadletter"])
        resource = ConfigResource(ConfigResourceType.TOPIC, "created.deadletter")
        answers = await admin.describe_configs([resource])
    finally:
        await admin.close()
    assert len(described["partitions"]) == 3
    settings = {entry[0]: entry[1] for entry in answers[0].resources[0][4]}
    assert settings["max.message.bytes"] == str(DEADLETTER_MAX_BYTES)


async def test_large_dead_letter_is_taken(real_kafka: RealKafka) -> None:
    """An event of the largest size still fits into the dead-letter topic with its headers."""
    real_kafka.create_topics(standard_topics("large."))
    async with aiokafka.AIOKafkaProducer(
        bootstrap_servers=real_kafka.bootstrap, max_request_size=DEADLETTER_MAX_BYTES
    ) as producer:
        body = b"x" * (4 * 1024 * 1024)
        record = await producer.send_and_wait("large.deadletter", body, headers=[("why", b"y" * 1000)])
    assert record.offset == 0


async def test_data_outlive_a_stop(tmp_path: Path) -> None:
    """What was acknowledged is there after stop and start, even when the old ports are taken by then."""
    with RealKafka(tmp_path) as kafka:
        kafka.create_topics([TopicSpec("kept", 1)])
        await produce(kafka.bootstrap, "kept", range(20))
        first_bootstrap = kafka.bootstrap
    assert live_brokers(first_bootstrap) == 0
    port = int(first_bootstrap.rpartition(":")[2])
    squatter = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", port)
    async with squatter:
        with RealKafka(tmp_path) as kafka:
            assert kafka.bootstrap != first_bootstrap
            assert await read_all(kafka.bootstrap, "kept", 20) == list(range(20))


async def test_killed_brokers_lose_nothing(three_brokers: RealKafka, unique_topic: str) -> None:
    """With three replicas, kill -9 of one broker after another under produce loses no acknowledged record."""
    three_brokers.create_topics([TopicSpec(unique_topic, 1)])
    producing = asyncio.create_task(produce(three_brokers.bootstrap, unique_topic, range(400)))
    for broker in (2, 3):
        await asyncio.sleep(0.2)
        await asyncio.to_thread(three_brokers.kill, broker)
        await asyncio.to_thread(three_brokers.restart, broker)
        await asyncio.to_thread(three_brokers.wait_ready)
    async with asyncio.timeout(120):
        await producing
    assert await read_all(three_brokers.bootstrap, unique_topic, 400) == list(range(400))


async def test_group_status_counts_members_and_what_waits(real_kafka: RealKafka, unique_topic: str) -> None:
    """Nobody, then a member that has acknowledged one of five records, then an empty group again."""
    real_kafka.create_topics([TopicSpec(unique_topic, 2)])
    await produce(real_kafka.bootstrap, unique_topic, range(5))
    nobody = await group_status(real_kafka.bootstrap, unique_topic, unique_topic)
    assert (nobody.members, nobody.well, nobody.waiting) == (0, False, {0: 5, 1: 0})
    consumer = aiokafka.AIOKafkaConsumer(
        unique_topic,
        bootstrap_servers=real_kafka.bootstrap,
        group_id=unique_topic,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    async with consumer:
        first = await consumer.getone()
        await consumer.commit({aiokafka.TopicPartition(unique_topic, 0): first.offset + 1})
        working = await group_status(real_kafka.bootstrap, unique_topic, unique_topic)
    assert (working.members, working.well, working.waiting) == (1, True, {0: 4, 1: 0})
    assert (await group_status(real_kafka.bootstrap, unique_topic, unique_topic)).state == "Empty"


async def test_group_status_of_an_unknown_topic(real_kafka: RealKafka) -> None:
    """A topic that is not there is named, with the command that creates Weir's."""
    with pytest.raises(LocalStackError, match=r"'no-such-topic' is not there\n.*weir kafka topics"):
        await group_status(real_kafka.bootstrap, "anyone", "no-such-topic")


def test_wanted_port_that_is_taken(tmp_path: Path, real_kafka: RealKafka) -> None:
    """A port asked for that is in use is named in the error."""
    port = int(real_kafka.bootstrap.rpartition(":")[2])
    with pytest.raises(LocalStackError, match=f"port {port} .* taken"):
        RealKafka(tmp_path, options=KafkaOptions(port=port))


def test_topics_on_a_cluster_that_is_down() -> None:
    """Creating topics where nothing listens is an error that names the address."""
    (port,) = free_ports(1)
    with pytest.raises(LocalStackError, match=f"127.0.0.1:{port}"):
        create_topics(f"127.0.0.1:{port}", standard_topics(), timeout_s=2)


def test_second_cluster_in_one_home_is_refused(real_kafka: RealKafka) -> None:
    """One home holds one cluster's data: a second one says that the first runs."""
    home = real_kafka.servers[1].command.folder.parent
    with pytest.raises(LocalStackError, match="kafka-1 already runs"):
        RealKafka(home)
