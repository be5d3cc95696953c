"""A consumer of our own inside the Faust app: the loss-free shape that costs the fewest CPU cycles a message.

Faust's consumer makes about four tasks a message; this one hands whole fetches to the moderator and commits the
moderator's watermark itself. What it gives up is Faust's tables on this path (decision 0005). The guarantees are the
agent's: offsets move only in order and only after the broker's acks; a partition is drained before it is given away.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import aiokafka
import structlog
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from mode import Service

from streams.agents.moderate import Crash, Moderator
from streams.core.lag import LagGrew, LagWatch, Place
from streams.core.outcome import RawRecord

log = structlog.get_logger(__name__)

_FETCH_WAIT_MS = 200
_ENDS_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class DirectOptions:
    """How to consume."""

    bootstrap: tuple[str, ...]
    group: str
    topic: str
    max_records: int = 500
    commit_s: float = 0.5
    drain_s: float = 30.0
    session_timeout_s: float = 10.0
    rebalance_timeout_s: float = 60.0
    lag_warn_s: float = 60.0
    max_fetch_bytes: int = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class DirectEvent:
    """A record that this consumer fetched."""

    record: RawRecord
    generation: int
    offsets: dict[Any, int]
    partition: Any

    def ack(self) -> None:
        """Let the offset after it be committed."""
        self.offsets[self.partition] = self.record.offset + 1


class DirectConsumer(Service):
    """Feeds a moderator and commits what it has finished."""

    def __init__(self, options: DirectOptions, make: Callable[[], Awaitable[Moderator]], crash: Crash) -> None:
        super().__init__()
        self._options = options
        self._make = make
        self._end_process = crash  # mode.Service has a `_crash` of its own
        self._generation = 0
        self._rebalancing = True  # until the first assignment
        self._finished: dict[Any, int] = {}
        self._committed: dict[Any, int] = {}
        self._begun: dict[Any, int] = {}  # partition -> the first offset that was taken from it
        self._ends: dict[Any, int] = {}  # as the broker last told; fetches tell nothing while the backlog is full
        self._moderator: Moderator | None = None
        self._consumer: Any = None
        self._runner: asyncio.Task[None] | None = None

    async def on_start(self) -> None:
        """Join the group and begin."""
        options = self._options
        self._moderator = await self._make()
        self._moderator.start()
        self._consumer = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=list(options.bootstrap),
            group_id=options.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=options.max_records,
            max_partition_fetch_bytes=options.max_fetch_bytes,
            session_timeout_ms=int(options.session_timeout_s * 1e3),
            heartbeat_interval_ms=2_000,
            rebalance_timeout_ms=int(options.rebalance_timeout_s * 1e3),
            max_poll_interval_ms=300_000,  # waiting for room is not being dead; the watchdog tells the difference
        )
        await self._consumer.start()
        self._consumer.subscribe([options.topic], listener=_Listener(self))
        self._runner = asyncio.create_task(self._run(), name="weir-direct")
        self._moderator.adopt(self._watch_lag(), name="weir-lag")
        log.info("worker.ready", topic=options.topic)

    async def on_stop(self) -> None:
        """Finish what is in flight, commit it, and leave the group."""
        if self._runner is not None:
            self._runner.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._runner
        if self._moderator is not None:
            if not await self._moderator.drained(timeout_s=self._options.drain_s):
                log.warning("worker.drain_cut", pending=self._moderator.pending)
            await self._moderator.stop()
        if self._consumer is not None:
            await self._commit()
            await self._consumer.stop()

    async def give_back(self, partitions: Iterable[Any]) -> None:
        """Before a rebalance takes `partitions`: finish, commit, forget."""
        if self._moderator is None:
            return
        self._rebalancing = True  # from here on nothing is taken: what was fetched is read again by its next owner
        self._generation += 1
        if not await self._moderator.drained(timeout_s=self._options.rebalance_timeout_s / 2):
            log.warning("rebalance.drain_cut", pending=self._moderator.pending)
        await self._commit()
        for partition in partitions:
            self._moderator.forget(partition)
            for known in (self._finished, self._committed, self._begun):
                known.pop(partition, None)

    def lag(self) -> dict[int, int]:
        """Partition -> records after the last one that is finished, where both are known."""
        return {partition: place.lag for partition, place in self._places().items()}

    def take_over(self) -> None:
        """After a rebalance: fetching starts at the committed offsets, under a new generation."""
        self._generation += 1
        self._rebalancing = False

    def _places(self) -> dict[int, Place]:
        """Partition -> where it stands, of those that are ours and of which anything was taken."""
        known = {**self._begun, **self._committed, **self._finished}
        mine = self._consumer.assignment() if self._consumer is not None else set()
        made: dict[int, Place] = {}
        for one in sorted(known.keys() & mine):
            told = [end for end in (self._consumer.highwater(one), self._ends.get(one)) if end is not None]
            if told:
                made[one.partition] = Place(known[one], max(0, max(told) - known[one]))
        return made

    async def _watch_lag(self) -> None:
        watch, loop = LagWatch(self._options.lag_warn_s), asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(5.0, self._options.lag_warn_s / 4))
            await self._look_at_lag(watch, loop.time())

    async def _look_at_lag(self, watch: LagWatch, now_s: float) -> None:
        """Ask how far the partitions reach, and tell the log what is new."""
        try:
            async with asyncio.timeout(_ENDS_TIMEOUT_S):
                self._ends = await self._consumer.end_offsets(list(self._consumer.assignment()))
        except (KafkaError, TimeoutError):
            return  # a broker that does not answer is not lag, and ends the process elsewhere
        news = watch.look(now_s, self._places())
        if isinstance(news, LagGrew):
            log.warning("lag.grown", lag=dict(news.lag), still_s=round(news.still_s))
        elif news is not None:
            log.info("lag.recovered", lag=dict(news.lag))

    async def _run(self) -> None:
        try:
            await self._fetch_and_commit()
        except Exception as exc:
            # Whatever it was: a process that consumes nothing and keeps its partitions must not live on.
            log.exception("consumer.failed")
            self._end_process("consumer", f"cannot consume: {type(exc).__name__}")

    async def _fetch_and_commit(self) -> None:
        loop = asyncio.get_running_loop()
        next_commit = loop.time() + self._options.commit_s
        while True:
            fetched = await self._consumer.getmany(timeout_ms=_FETCH_WAIT_MS, max_records=self._options.max_records)
            if not self._rebalancing:
                await self._take(fetched)
            if loop.time() >= next_commit:
                await self._commit()
                next_commit = loop.time() + self._options.commit_s

    async def _take(self, fetched: dict[Any, list[Any]]) -> None:
        moderator, generation = self._moderator_or_fail(), self._generation
        for partition, records in fetched.items():
            if records:
                self._begun.setdefault(partition, records[0].offset)
            for record in records:
                await moderator.room()
                if generation != self._generation:  # a rebalance began while we waited
                    return
                moderator.accept(partition, DirectEvent(_record(record), generation, self._finished, partition))

    def _moderator_or_fail(self) -> Moderator:
        if self._moderator is None:
            raise RuntimeError("not started")
        return self._moderator

    async def _commit(self) -> None:
        """Commit what is finished; a commit that a rebalance overtook is read again by the new owner."""
        offsets, assigned = dict(self._finished), self._consumer.assignment()
        offsets = {partition: offset for partition, offset in offsets.items() if partition in assigned}
        if not offsets:
            return
        try:
            await self._consumer.commit(offsets)
        except (CommitFailedError, IllegalStateError) as exc:
            log.warning("commit.overtaken", reason=type(exc).__name__)
            return
        self._committed = {p: offset for p, offset in self._committed.items() if p in assigned} | offsets
        for partition, offset in offsets.items():
            if self._finished.get(partition) == offset:
                del self._finished[partition]


class _Listener(aiokafka.ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """Tells the consumer what a rebalance takes."""

    def __init__(self, owner: DirectConsumer) -> None:
        self._owner = owner

    async def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        """Finish and commit them first."""
        await self._owner.give_back(revoked)

    async def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:  # noqa: ARG002  # aiokafka names it
        """Begin with what was given."""
        self._owner.take_over()


def _record(record: Any) -> RawRecord:
    return RawRecord(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        value=record.value,
        headers=tuple((name, value or b"") for name, value in record.headers),
        timestamp_s=record.timestamp / 1e3 if record.timestamp else 0.0,
    )
