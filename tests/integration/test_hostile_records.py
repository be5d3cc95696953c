"""Records that no client of ours would write, through a real worker on real Kafka: the stream answers and goes on."""

from __future__ import annotations

import asyncio
import os
from contextlib import aclosing
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Producer

from ops.bench.worker_process import WorkerProcess
from ops.local.kafka import RealKafka
from ops.local.topics import standard_topics
from streams.adapters.kafka import read_records
from streams.core.events import ImagePart
from streams.core.outcome import RawRecord
from streams.core.wire import decode_verdict, encode_event
from tests.factories import an_event, an_event_of, an_event_tree
from tests.stub_triton import StubTriton

pytestmark = [pytest.mark.integration, pytest.mark.slow]

MiB = 1024 * 1024
JSON: Headers = [("content-type", b"application/json")]
Headers = list[tuple[str, str | bytes | None]]
Hostile = tuple[str, bytes | None, bytes | None, Headers]

#: Expected code, key, value, headers.
RECORDS: list[Hostile] = [
    ("record.empty", None, None, []),
    ("record.empty", b"key", None, []),
    ("record.empty", None, b"", []),
    ("msgpack.invalid", b"", b"\xc1" + os.urandom(4 * MiB - 2_000), [("h", None), ("h", b"\xff")]),
    ("msgpack.limit", b"\xff\xfe", b"\x81\xa1x" + b"\x91" * MiB, []),
    ("json.limit", None, b'{"x":' * 300_000, JSON),
    ("json.limit", None, b'{"labels":{' + b'"":"",' * 500_000, JSON),
    ("event.invalid", None, b"\x81\xa5parts\xdd\xff\xff\xff\xff", []),
    ("event.invalid", None, msgspec.msgpack.encode(an_event_tree(parts=[{"type": "text", "text": "x" * MiB}])), []),
    ("schema.major", None, encode_event(an_event()), [("schema", b"weir.event/2")]),
    ("schema.unknown", None, encode_event(an_event()), [("schema", None)]),
    ("record.content_type", None, encode_event(an_event()), [("content-type", b"\x00" * 10_000)]),
]


def produce(bootstrap: str, topic: str, records: list[Hostile]) -> None:
    """With librdkafka, which sends what it is given."""
    producer = Producer({"bootstrap.servers": bootstrap, "message.max.bytes": 8 * MiB})
    failed: list[str] = []
    for _, key, value, headers in records:
        producer.produce(
            topic, value, key, 0, lambda error, _message: failed.append(str(error)) if error else None, headers=headers
        )
        producer.flush(30)
    assert failed == []


async def read(bootstrap: str, topic: str, count: int) -> list[RawRecord]:
    """The first `count` records of `topic`."""
    found: list[RawRecord] = []
    async with asyncio.timeout(90), aclosing(read_records(bootstrap, topic, from_beginning=True)) as records:
        async for record in records:
            found.append(record)
            if len(found) == count:
                return found
    return found


@pytest.mark.parametrize("consumer", ["direct", "agent"])
async def test_every_hostile_record_ends_in_the_dead_letters(
    real_kafka: RealKafka, tmp_path: Path, unique_topic: str, consumer: str
) -> None:
    """With its bytes, key and headers untouched and the right code; the good events after it are judged."""
    prefix = f"{unique_topic}."
    real_kafka.create_topics(standard_topics(prefix, partitions=1))
    bomb = ImagePart(data=b"\x89PNG\r\n\x1a\n" + b"\x00" * 64)
    good = [an_event(event_id="last"), an_event_of(bomb, event_id="bomb")]
    answers: list[Hostile] = [("", b"k", encode_event(event), []) for event in good]
    produce(real_kafka.bootstrap, f"{prefix}incoming", [*RECORDS, *answers])
    with StubTriton() as stub:
        env = {
            "WEIR_KAFKA_BOOTSTRAP": real_kafka.bootstrap,
            "WEIR_TRITON_URL": stub.grpc_url,
            "WEIR_TOPIC_PREFIX": prefix,
            "WEIR_GROUP": prefix,
            "WEIR_CONSUMER": consumer,
        }
        with WorkerProcess(tmp_path, env):
            dead = await read(real_kafka.bootstrap, f"{prefix}deadletter", len(RECORDS))
            verdicts = await read(real_kafka.bootstrap, f"{prefix}verdicts", len(answers))
    assert [decode_verdict(record.value or b"").event_id for record in verdicts] == ["last", "bomb"]
    by_offset = {int(record.header("__connect.errors.offset") or b"-1"): record for record in dead}
    for offset, (code, key, value, headers) in enumerate(RECORDS):
        record = by_offset[offset]
        assert (record.header("weir-code") or b"").decode() == code
        assert (record.value or None) == (value or None)
        assert (record.key or None) == (key or None)
        assert [name for name, _ in record.headers[: len(headers)]] == [name for name, _ in headers]
