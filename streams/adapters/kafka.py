"""Kafka for command lines and tests: publish a sequence of records, read a topic without a group.

The agents do not come through here: their delivery rules are Faust's and the watermark's. No decoding of values.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordTooLargeError, UnknownTopicOrPartitionError

from streams.core.outcome import Headers, RawRecord

MAX_REQUEST_BYTES: Final = 64 * 1024 * 1024  # above the largest record that decoding accepts (24 MiB)
IN_FLIGHT: Final = 256  # records handed to the producer and not yet acknowledged
IN_FLIGHT_BYTES: Final = 64 * 1024 * 1024
METADATA_TIMEOUT_S: Final = 10.0

logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # its retries are our errors to report, once and in words


class KafkaUnavailableError(Exception):
    """The brokers do not answer, or refuse. Says what and, where it is known, what to do."""


@dataclass(frozen=True, slots=True)
class OutRecord:
    """A record to publish."""

    value: bytes | None
    key: bytes | None = None
    headers: Headers = ()

    @property
    def size_bytes(self) -> int:
        """What counts against the bytes in flight."""
        return len(self.value or b"") + len(self.key or b"") + sum(len(v) + len(k) for k, v in self.headers)


@dataclass(frozen=True, slots=True)
class Published:
    """What was acknowledged by the brokers."""

    records: int
    size_bytes: int
    took_s: float


@dataclass(frozen=True, slots=True)
class Ack:
    """The brokers have a record; `count` of them so far, in the order of sending."""

    count: int
    partition: int
    offset: int
    at: float  # time.monotonic() when the ack arrived


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast to publish, and whom to tell."""

    rate: float = 0.0  # records a second; 0: as fast as it goes
    on_ack: Callable[[Ack], None] = lambda _ack: None


async def publish_records(
    bootstrap: str, topic: str, records: Iterable[OutRecord], *, pace: Pace | None = None
) -> Published:
    """Publish all of `records` in order and return when every one is acknowledged by all in-sync replicas.

    Raises KafkaUnavailableError at the first record that is refused; those before it may have been written.
    """
    pace = pace or Pace()
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        linger_ms=2,
        max_request_size=MAX_REQUEST_BYTES,
        max_batch_size=1024 * 1024,
        request_timeout_ms=30_000,
    )
    await _start(producer, bootstrap)
    try:
        await _require_topic(producer.client, topic)
        sender = _Sender(producer, topic, pace)
        for record in records:
            await sender.send(record)
        return await sender.finish()
    finally:
        await _stop(producer)


class _Sender:
    """Keeps a bounded number of records in flight, in order."""

    def __init__(self, producer: AIOKafkaProducer, topic: str, pace: Pace) -> None:
        self._producer = producer
        self._topic = topic
        self._pace = pace
        self._started = time.monotonic()
        self._waiting: deque[tuple[asyncio.Future[Any], int]] = deque()
        self._waiting_bytes = 0
        self._sent = self._acked = self._acked_bytes = 0

    async def send(self, record: OutRecord) -> None:
        size = record.size_bytes
        if self._pace.rate > 0:
            await asyncio.sleep(self._started + self._sent / self._pace.rate - time.monotonic())
        while self._waiting and (len(self._waiting) >= IN_FLIGHT or self._waiting_bytes + size > IN_FLIGHT_BYTES):
            await self._settle_first()
        try:
            future = await self._producer.send(self._topic, record.value, key=record.key, headers=list(record.headers))
        except (KafkaError, ValueError, AssertionError) as exc:
            raise _refused(exc, self._topic, self._sent + 1, size) from exc
        self._sent += 1
        self._waiting.append((asyncio.ensure_future(_stamped(future)), size))
        self._waiting_bytes += size
        while self._waiting and self._waiting[0][0].done():
            await self._settle_first()

    async def finish(self) -> Published:
        while self._waiting:
            await self._settle_first()
        return Published(self._acked, self._acked_bytes, time.monotonic() - self._started)

    async def _settle_first(self) -> None:
        future, size = self._waiting.popleft()
        try:
            written, at = await future
        except KafkaError as exc:
            raise _refused(exc, self._topic, self._acked + 1, size) from exc
        self._waiting_bytes -= size
        self._acked += 1
        self._acked_bytes += size
        self._pace.on_ack(Ack(self._acked, written.partition, written.offset, at))


async def _stamped(future: asyncio.Future[Any]) -> tuple[Any, float]:
    """What was written where, and when that was known."""
    return await future, time.monotonic()


def _refused(exc: Exception, topic: str, number: int, size: int) -> KafkaUnavailableError:
    if isinstance(exc, MessageSizeTooLargeError | RecordTooLargeError):
        return KafkaUnavailableError(
            f"record {number} ({size} bytes) is larger than the topic {topic} takes; publish media by reference (`uri`)"
        )
    return KafkaUnavailableError(f"record {number} was not accepted on {topic}: {exc!r}")


async def read_records(
    bootstrap: str, topic: str, *, from_beginning: bool = False, on_ready: Callable[[], None] = lambda: None
) -> AsyncGenerator[RawRecord, None]:
    """Every record of `topic`, from its first one or from now on, for ever. No group, nothing is committed.

    `on_ready` is called once the positions are fixed: what is published after it will be seen.
    """
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest" if from_beginning else "latest",
        fetch_max_bytes=MAX_REQUEST_BYTES,
        max_partition_fetch_bytes=MAX_REQUEST_BYTES,
        fetch_max_wait_ms=100,
        retry_backoff_ms=100,
    )
    await _start(consumer, bootstrap)
    try:
        for partition in consumer.assignment():
            await consumer.position(partition)
        on_ready()
        async for message in consumer:
            yield RawRecord(
                topic=message.topic,
                partition=message.partition,
                offset=message.offset,
                key=message.key,
                value=message.value,
                headers=tuple(message.headers),
                timestamp_s=max(message.timestamp, 0) / 1000,
            )
    except KafkaError as exc:
        raise KafkaUnavailableError(f"reading {topic} failed: {exc!r}") from exc
    finally:
        await _stop(consumer)


async def _start(client: AIOKafkaProducer | AIOKafkaConsumer, bootstrap: str) -> None:
    try:
        async with asyncio.timeout(METADATA_TIMEOUT_S):
            await client.start()
    except UnknownTopicOrPartitionError as exc:
        await _stop(client)
        raise KafkaUnavailableError(f"the topic does not exist on {bootstrap}") from exc
    except (KafkaError, OSError, TimeoutError, ValueError) as exc:
        await _stop(client)
        raise KafkaUnavailableError(f"no Kafka broker answers at {bootstrap}: {exc or type(exc).__name__}") from exc
    except BaseException:  # cancelled while starting: a client that nobody holds keeps its sockets
        await _stop(client)
        raise


async def _stop(client: AIOKafkaProducer | AIOKafkaConsumer) -> None:
    with contextlib.suppress(KafkaError, OSError):
        await client.stop()


async def _require_topic(client: Any, topic: str) -> None:
    """Fail with a sentence when the topic is not there and does not appear by being asked for."""
    deadline = time.monotonic() + METADATA_TIMEOUT_S
    client.add_topic(topic)
    while not client.cluster.partitions_for_topic(topic):
        if time.monotonic() > deadline:
            raise KafkaUnavailableError(f"the topic {topic} does not exist and the brokers do not create it")
        await client.force_metadata_update()
        await asyncio.sleep(0.1)
