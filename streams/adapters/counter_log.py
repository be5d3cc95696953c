"""The counters' memory: follows the topics of facts and strikes, all partitions, from the beginning of what matters.

Every worker reads every fact, so that a text's copies are counted wherever they were judged, and so that a partition
that moves finds its counters where it goes. Until what was written before is read, counters are not `ready`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import aiokafka
import msgspec
import structlog
from aiokafka.errors import KafkaError

from streams.core.counters import MAX_WINDOW_S, SLACK_S, Tally
from streams.core.facts import decode_facts
from streams.core.strikes import Strikes

log = structlog.get_logger(__name__)

POLL_MS: Final = 200
RETRY_S: Final = 1.0
CALL_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class CounterTopics:
    """The full names of the topics."""

    facts: str
    strikes: str


class MissingTopicError(Exception):
    """A topic is not there; the operator creates it."""


class CounterLog:
    """Fills a tally and strikes from their topics. Own `run` as a task; `ready` is a plain read."""

    def __init__(
        self,
        bootstrap: list[str],
        topics: CounterTopics,
        tally: Tally,
        strikes: Strikes,
        *,
        time_s: Callable[[], float] = time.time,
    ) -> None:
        self._bootstrap = bootstrap
        self._topics = topics
        self._tally = tally
        self._strikes = strikes
        self._time_s = time_s
        self._consumer: Any = None
        self._targets: dict[Any, int] = {}  # partition -> offset that must be read before counters are right
        self._renew = True
        self._caught_up = asyncio.Event()
        self.problem = "counters are being read back"
        self.writable = False  # whether the topics are there to be written to

    @property
    def facts(self) -> int:
        """How many events are remembered."""
        return len(self._tally)

    @property
    def authors(self) -> int:
        """How many authors have strikes."""
        return len(self._strikes)

    @property
    def ready(self) -> bool:
        """Whether everything that was written before the last `assigned` has been read."""
        return self._caught_up.is_set()

    def assigned(self) -> None:
        """A partition came to this worker: what its last owner wrote must be read before counters are right."""
        self._renew = True
        self._caught_up.clear()

    async def wait_ready(self, timeout_s: float) -> bool:
        """Wait until counters are right; False when time ran out (`problem` says why)."""
        if not self._caught_up.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._caught_up.wait()
        return self._caught_up.is_set()

    async def run(self) -> None:
        """Follow for ever; whatever fails is tried again, and counters say that they fail."""
        while True:
            try:
                await self._follow()
            except MissingTopicError as exc:
                self._fail(str(exc))
            except (KafkaError, OSError, TimeoutError) as exc:
                self._fail(f"counters cannot be read: {type(exc).__name__}")
            finally:
                await self._close()
            await asyncio.sleep(RETRY_S)

    def _fail(self, why: str) -> None:
        if self.problem != why:
            log.error("counters.failed", why=why)
        self.problem = why
        self._renew = True
        self._caught_up.clear()

    async def _follow(self) -> None:
        self._consumer = consumer = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            # A fetch costs a millisecond of CPU: without these there would be one for every batch that is judged.
            fetch_min_bytes=64 * 1024,
            fetch_max_wait_ms=200,  # how late a fact from another worker may be seen
            max_partition_fetch_bytes=4 * 1024 * 1024,
        )
        async with asyncio.timeout(CALL_TIMEOUT_S):
            await consumer.start()
            partitions = await self._partitions(consumer)
        await self._rewind(consumer, partitions)
        self.writable = True
        while True:
            if self._renew:
                await self._aim(consumer, partitions)
            fetched = await consumer.getmany(timeout_ms=POLL_MS, max_records=2_000)
            now = self._time_s()
            for partition, records in fetched.items():
                for record in records:
                    self._take(partition.topic, record, now)
            await self._check(consumer)
            if fetched:
                await asyncio.sleep(0)  # reading back an hour must not starve the stream

    async def _partitions(self, consumer: Any) -> list[Any]:
        """All partitions of both topics, assigned. Asked about a topic by name, a broker might create it wrongly."""
        wanted = {self._topics.facts, self._topics.strikes}
        for topic in sorted(wanted - await consumer.topics()):
            raise MissingTopicError(f"the topic {topic} does not exist; create it with `weir kafka topics`")
        consumer.subscribe(sorted(wanted))
        while {one.topic for one in consumer.assignment()} != wanted:  # noqa: ASYNC110  # aiokafka tells nobody
            await asyncio.sleep(0.05)
        return sorted(consumer.assignment())

    async def _rewind(self, consumer: Any, partitions: list[Any]) -> None:
        """Strikes from the beginning; facts from an hour before the newest one, however long ago that was."""
        facts = [one for one in partitions if one.topic == self._topics.facts]
        async with asyncio.timeout(CALL_TIMEOUT_S):
            ends = await consumer.end_offsets(facts)
            begins = await consumer.beginning_offsets(partitions)
        for one in partitions:
            consumer.seek(one, begins[one])
        newest = await self._newest(consumer, {one: end for one, end in ends.items() if end > begins[one]})
        if not newest:
            return
        since_ms = int((max(newest.values()) - MAX_WINDOW_S - SLACK_S) * 1_000)
        async with asyncio.timeout(CALL_TIMEOUT_S):
            starts = await consumer.offsets_for_times(dict.fromkeys(facts, since_ms))
        for one, start in starts.items():
            # The embedded broker knows no offsets for times: there, everything is read.
            unknown = start is None and newest.get(one, 0.0) * 1_000 >= since_ms
            consumer.seek(one, begins[one] if unknown else start.offset if start is not None else ends[one])

    async def _newest(self, consumer: Any, ends: dict[Any, int]) -> dict[Any, float]:
        """Partition -> when its newest fact was written."""
        newest: dict[Any, float] = {}
        for one, end in ends.items():
            consumer.seek(one, end - 1)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CALL_TIMEOUT_S):
                    record = await consumer.getone(one)
                    newest[one] = record.timestamp / 1e3
        return newest

    async def _aim(self, consumer: Any, partitions: list[Any]) -> None:
        self._renew = False
        async with asyncio.timeout(CALL_TIMEOUT_S):
            self._targets = {one: end for one, end in (await consumer.end_offsets(partitions)).items() if end > 0}

    async def _check(self, consumer: Any) -> None:
        if self._renew or self._caught_up.is_set():
            return
        for one, target in list(self._targets.items()):
            if await consumer.position(one) >= target:
                del self._targets[one]
        if not self._targets:
            self.problem = ""
            self._caught_up.set()
            log.info("counters.ready", facts=len(self._tally), authors_with_strikes=len(self._strikes))

    def _take(self, topic: str, record: Any, now: float) -> None:
        try:
            if topic == self._topics.facts:
                for fact in decode_facts(record.value or b""):
                    if not self._tally.add(fact, now):
                        self._tally.add_rules(fact)
            elif record.key is not None and record.value is not None:
                self._strikes.load(int.from_bytes(record.key, "big"), record.value)
        except (msgspec.DecodeError, msgspec.ValidationError):
            log.warning("counters.unreadable", topic=topic, partition=record.partition, offset=record.offset)

    async def _close(self) -> None:
        if self._consumer is not None:
            with contextlib.suppress(KafkaError, OSError):
                await self._consumer.stop()
            self._consumer = None
