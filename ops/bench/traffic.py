"""Events for proofs of delivery: publish them at a pace, collect what comes out, and compare the two by source offset.

The truth is the source topic itself, read at the end: whatever lies there must have come out. Knows nothing of workers.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from streams.core.events import Author, ContentEvent, TextPart
from streams.core.wire import decode_verdict, encode_event

Source = tuple[int, int]
"""Partition and offset of a record of the incoming topic."""

logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # brokers are killed on purpose here

CONTENTS: Final = 200  # pieces of content that the events concern: several events each, in order
BROKEN_EVERY: Final = 50  # one record in so many is no event


def event_bytes(number: int, *, text_chars: int = 60) -> tuple[bytes, bytes]:
    """Key and value of record `number`; every BROKEN_EVERYth is cut in the middle."""
    content = number % CONTENTS
    event = ContentEvent(
        event_id=f"event-{number:07}",
        content_id=f"content-{content}",
        kind="post",
        created_at=1_700_000_000.0 + number,
        parts=(TextPart(text=(f"post {number}: a walk by the lake before breakfast. " * 30)[:text_chars]),),
        author=Author(id=f"author-{content % 37}"),
        locale="en",
    )
    value = encode_event(event)
    return event.key.encode(), value[: len(value) // 2] if number % BROKEN_EVERY == 7 else value


async def publish(bootstrap: str, topic: str, count: int, *, rate: float) -> None:
    """Publish `count` records at `rate` a second; every one is acknowledged when this returns."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", linger_ms=5, request_timeout_ms=60_000, enable_idempotence=True
    )
    await producer.start()
    try:
        started, waiting = time.monotonic(), []
        for number in range(count):
            await asyncio.sleep(max(0.0, started + number / rate - time.monotonic()) if number % 20 == 0 else 0)
            key, value = event_bytes(number)
            waiting.append(await producer.send(topic, value, key=key))
        await asyncio.gather(*waiting)
    finally:
        await producer.stop()


@dataclass
class Ledger:
    """What came out, by source."""

    verdicts: dict[Source, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    dead: Counter[Source] = field(default_factory=Counter)
    order: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  # content id -> event ids as read
    degraded: int = 0
    workers: set[bytes] = field(default_factory=set)

    @property
    def sources(self) -> int:
        """Records of the source topic that are answered."""
        return len(self.verdicts.keys() | self.dead.keys())

    @property
    def records(self) -> int:
        """Records that came out, repeats included."""
        return sum(map(len, self.verdicts.values())) + sum(self.dead.values())

    def add(self, message: Any, *, dead: bool) -> None:
        """Note a record of the verdicts' or the dead letters' topic."""
        headers = dict(message.headers)
        self.workers.add(headers["weir-worker"])
        if dead:
            at = headers["__connect.errors.partition"], headers["__connect.errors.offset"]
            self.dead[int(at[0]), int(at[1])] += 1
            return
        _, partition, offset = headers["weir-source"].decode().rsplit("/", 2)
        verdict = decode_verdict(message.value)
        self.verdicts[int(partition), int(offset)].append(message.value)
        self.order[verdict.content_id].append(verdict.event_id)
        self.degraded += bool(verdict.degraded)


@dataclass(frozen=True, slots=True)
class Tally:
    """The comparison: `lost`, `wrong` and `out_of_order` must be 0; `repeated` is what a consumer drops."""

    published: int
    verdicts: int
    dead_letters: int
    lost: int
    repeated: int
    wrong: int  # both verdict and dead letter, a verdict for no event, or two different verdicts under one source
    out_of_order: int
    degraded: int
    workers: int  # processes that answered

    @property
    def sound(self) -> bool:
        """Whether every record has exactly one answer after repeats are dropped."""
        return self.lost == self.wrong == self.out_of_order == 0


def tally(published: dict[Source, bytes], ledger: Ledger) -> Tally:
    """Compare what lies in the source topic with what came out."""
    answered = ledger.verdicts.keys() | ledger.dead.keys()
    different = sum(len({decode_verdict(raw).verdict_id for raw in made}) > 1 for made in ledger.verdicts.values())
    return Tally(
        published=len(published),
        verdicts=len(ledger.verdicts),
        dead_letters=len(ledger.dead),
        lost=len(published.keys() - answered),
        repeated=ledger.records - ledger.sources,
        wrong=len(ledger.verdicts.keys() & ledger.dead.keys()) + len(answered - published.keys()) + different,
        out_of_order=sum(_disorder(events) for events in ledger.order.values()),
        degraded=ledger.degraded,
        workers=len(ledger.workers),
    )


def _disorder(events: list[str]) -> int:
    """How many events of one content come after a later one, repeats dropped."""
    first = list(dict.fromkeys(events))
    return sum(later < earlier for earlier, later in itertools.pairwise(first))


async def read_all(bootstrap: str, topic: str) -> dict[Source, bytes]:
    """Every record that lies in `topic` now."""
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        partitions = list(consumer.assignment())
        ends = await consumer.end_offsets(partitions)
        found: dict[Source, bytes] = {}
        while any([await consumer.position(partition) < ends[partition] for partition in partitions]):
            for partition, messages in (await consumer.getmany(timeout_ms=200)).items():
                found.update({(partition.partition, message.offset): message.value for message in messages})
        return found
    finally:
        await consumer.stop()


class Collector:
    """Reads verdicts and dead letters as they come, for ever; use as an async context manager."""

    def __init__(self, bootstrap: str, verdicts: str, deadletter: str) -> None:
        self.ledger = Ledger()
        self._deadletter = deadletter
        self._consumer = AIOKafkaConsumer(
            verdicts, deadletter, bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        self._task: asyncio.Task[None] | None = None
        self._moved = asyncio.Condition()

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        self._task = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._consumer.stop()

    async def reached(self, sources: int, *, timeout_s: float) -> bool:
        """Wait until so many source records are answered; False when time ran out."""
        return await self.seen(lambda ledger: ledger.sources >= sources, timeout_s=timeout_s)

    async def seen(self, condition: Callable[[Ledger], bool], *, timeout_s: float) -> bool:
        """Wait until the ledger meets the condition; False when time ran out."""
        try:
            async with asyncio.timeout(timeout_s), self._moved:
                await self._moved.wait_for(lambda: condition(self.ledger))
        except TimeoutError:
            return False
        return True

    async def _read(self) -> None:
        while True:
            try:
                fetched = await self._consumer.getmany(timeout_ms=300)
            except KafkaError:  # a broker that is being restarted on purpose
                await asyncio.sleep(0.2)
                continue
            for partition, messages in fetched.items():
                for message in messages:
                    self.ledger.add(message, dead=partition.topic == self._deadletter)
            async with self._moved:
                self._moved.notify_all()


def chunks(total: int, parts: int) -> Iterator[int]:
    """`parts` milestones inside `total`, evenly spread: where to disturb."""
    return (total * number // (parts + 1) for number in range(1, parts + 1))
