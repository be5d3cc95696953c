"""Consumer groups as the worker needs them, on the embedded broker and on real Kafka."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from ops.local.broker import EmbeddedBroker
from ops.local.kafka import RealKafka
from ops.local.topics import TopicSpec

pytestmark = pytest.mark.integration

RECORDS = 100


@pytest.fixture(params=["embedded", "real"])
def bootstrap(request: pytest.FixtureRequest, unique_topic: str) -> str:
    """A broker that has, or makes, `unique_topic` with several partitions."""
    if request.param == "embedded":
        broker: EmbeddedBroker = request.getfixturevalue("embedded_broker")
        return broker.bootstrap
    kafka: RealKafka = request.getfixturevalue("real_kafka")
    kafka.create_topics([TopicSpec(unique_topic, partitions=4)])
    return kafka.bootstrap


async def fill(bootstrap: str, topic: str) -> None:
    """RECORDS records over many keys."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    try:
        await asyncio.gather(
            *[
                await producer.send(topic, b"%d" % n, key=b"key-%d" % n, headers=[("n", b"%d" % n)])
                for n in range(RECORDS)
            ]
        )
    finally:
        await producer.stop()


async def joined(stack: AsyncExitStack, bootstrap: str, topic: str, group: str) -> Any:
    """A member of the group, left again at the end."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=6_000,
        heartbeat_interval_ms=500,
    )
    stack.push_async_callback(consumer.stop)
    await consumer.start()
    return consumer


async def drain(consumers: list[Any], count: int) -> list[Any]:
    """`count` records from any of the consumers."""
    found: list[Any] = []
    async with asyncio.timeout(60):
        while len(found) < count:
            for consumer in consumers:
                for messages in (await consumer.getmany(timeout_ms=100)).values():
                    found += messages
    return found


async def test_a_group_goes_on_where_it_committed(bootstrap: str, unique_topic: str) -> None:
    """What was committed is not read again by the next member; what was not is."""
    await fill(bootstrap, unique_topic)
    async with AsyncExitStack() as stack:
        first = await joined(stack, bootstrap, unique_topic, unique_topic)
        seen = await drain([first], RECORDS)
        committed = next(iter(first.assignment()))
        await first.commit({committed: await first.position(committed)})
    async with AsyncExitStack() as stack:
        second = await joined(stack, bootstrap, unique_topic, unique_topic)
        left = sum(message.partition != committed.partition for message in seen)
        again = await drain([second], left)
        assert len(again) == left
        assert all(message.partition != committed.partition for message in again)


async def test_members_share_the_partitions_and_take_over(real_kafka: RealKafka, unique_topic: str) -> None:
    """Two members have all partitions between them, none twice; when one leaves, the other has all.

    On real Kafka only: librdkafka's mock answers a second aiokafka member's SyncGroup with INVALID_REQUEST (2.16.1),
    so the embedded broker serves one worker a group.
    """
    bootstrap = real_kafka.bootstrap
    real_kafka.create_topics([TopicSpec(unique_topic, partitions=4)])
    await fill(bootstrap, unique_topic)
    async with AsyncExitStack() as stack:
        first = await joined(stack, bootstrap, unique_topic, unique_topic)
        leaving = AsyncExitStack()
        second = await joined(leaving, bootstrap, unique_topic, unique_topic)
        async with asyncio.timeout(60):
            while not (first.assignment() and second.assignment()) or first.assignment() & second.assignment():
                await asyncio.gather(first.getmany(timeout_ms=100), second.getmany(timeout_ms=100))
        assert len(first.assignment() | second.assignment()) == 4
        await leaving.aclose()
        async with asyncio.timeout(60):
            while len(first.assignment()) < 4:
                await first.getmany(timeout_ms=100)


async def test_headers_survive_a_group(bootstrap: str, unique_topic: str) -> None:
    """Each record arrives with its own header."""
    await fill(bootstrap, unique_topic)
    async with AsyncExitStack() as stack:
        consumer = await joined(stack, bootstrap, unique_topic, unique_topic)
        for message in await drain([consumer], RECORDS):
            assert dict(message.headers) == {"n": message.value}
