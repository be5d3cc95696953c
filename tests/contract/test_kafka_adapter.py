"""One suite for publishing and reading topics, on the embedded broker and on real Kafka."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from ops.local.broker import EmbeddedBroker
from ops.local.kafka import RealKafka
from ops.local.topics import TopicSpec
from streams.adapters.kafka import Ack, KafkaUnavailableError, OutRecord, Pace, publish_records, read_records
from streams.core.outcome import RawRecord

pytestmark = pytest.mark.integration

MiB = 1024 * 1024


@pytest.fixture(params=["embedded", "real"])
def bootstrap(request: pytest.FixtureRequest, unique_topic: str) -> str:
    """A broker that has `unique_topic` with two partitions, for records of up to 4 MiB."""
    if request.param == "embedded":
        broker: EmbeddedBroker = request.getfixturevalue("embedded_broker")
        return broker.bootstrap
    kafka: RealKafka = request.getfixturevalue("real_kafka")
    kafka.create_topics([TopicSpec(unique_topic, partitions=2, max_message_bytes=4 * MiB)])
    return kafka.bootstrap


async def take(bootstrap: str, topic: str, count: int, *, from_beginning: bool = True) -> list[RawRecord]:
    """The first `count` records."""
    found: list[RawRecord] = []
    async with asyncio.timeout(60), aclosing(read_records(bootstrap, topic, from_beginning=from_beginning)) as records:
        async for record in records:
            found.append(record)
            if len(found) == count:
                break
    return found


async def test_records_come_back_as_they_went_in(bootstrap: str, unique_topic: str) -> None:
    """Keys, values, headers and missing values survive; every ack names where its record stands."""
    sent = [
        OutRecord(b"value", b"key", (("schema", b"weir.event/1"), ("empty", b""))),
        OutRecord(None, b"tombstone"),
        OutRecord(b"", None),
        OutRecord(b"x" * (2 * MiB), b"large"),
    ]
    acks: list[Ack] = []
    done = await publish_records(bootstrap, unique_topic, sent, pace=Pace(on_ack=acks.append))
    back = await take(bootstrap, unique_topic, len(sent))
    assert done.records == len(sent)
    assert [ack.count for ack in acks] == [1, 2, 3, 4]
    places = {(record.partition, record.offset): record for record in back}
    for record, ack in zip(sent, acks, strict=True):
        got = places[ack.partition, ack.offset]
        assert (got.key, got.headers) == (record.key, record.headers)
        assert (got.value or None) == (record.value or None)


async def test_records_of_one_key_keep_their_order(bootstrap: str, unique_topic: str) -> None:
    """A thousand records of one key come back in the order in which they were published."""
    await publish_records(bootstrap, unique_topic, (OutRecord(b"%d" % n, b"k") for n in range(1_000)))
    back = await take(bootstrap, unique_topic, 1_000)
    assert [int(record.value or b"") for record in back] == list(range(1_000))
    assert len({record.partition for record in back}) == 1


async def test_reading_from_now_on_sees_only_what_comes_after(bootstrap: str, unique_topic: str) -> None:
    """Once `on_ready` was called, exactly the later records are seen."""
    await publish_records(bootstrap, unique_topic, [OutRecord(b"before", b"k")])
    ready = asyncio.Event()
    reader = read_records(bootstrap, unique_topic, on_ready=ready.set)
    first = asyncio.create_task(anext(reader))
    async with asyncio.timeout(60), aclosing(reader):
        await ready.wait()
        await publish_records(bootstrap, unique_topic, [OutRecord(b"after", b"k")])
        assert (await first).value == b"after"


async def test_a_record_above_every_limit_is_refused_with_its_number(bootstrap: str, unique_topic: str) -> None:
    """What no broker here takes is an error that names the record; the client's own cap says so before sending."""
    with pytest.raises(KafkaUnavailableError, match=r"record 2 .* larger than"):
        await publish_records(bootstrap, unique_topic, [OutRecord(b"fine"), OutRecord(b"x" * (65 * MiB))])


async def test_a_rate_is_kept(bootstrap: str, unique_topic: str) -> None:
    """Three records at 50 a second take at least the two pauses between them."""
    records = [OutRecord(b"1"), OutRecord(b"2"), OutRecord(b"3")]
    done = await publish_records(bootstrap, unique_topic, records, pace=Pace(50))
    assert done.took_s >= 2 / 50


async def test_no_broker_is_an_error_that_says_where(unique_topic: str) -> None:
    """Publishing and reading both name the address at which nothing answers."""
    with pytest.raises(KafkaUnavailableError, match=r"127\.0\.0\.1:9"):
        await publish_records("127.0.0.1:9", unique_topic, [OutRecord(b"x")])
    with pytest.raises(KafkaUnavailableError, match=r"127\.0\.0\.1:9"):
        await take("127.0.0.1:9", unique_topic, 1)
