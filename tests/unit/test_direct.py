"""The consumer of our own: what it takes, what it commits, and that it never lives on without consuming."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, KafkaTimeoutError
from structlog.testing import LogCapture

from streams.agents.direct import DirectConsumer, DirectOptions
from streams.agents.letters import Topics
from streams.agents.moderate import Moderator
from streams.core.lag import LagWatch
from streams.core.wire import encode_event
from streams.pipeline import Deps
from tests.factories import a_bundle, an_event, some_limits
from tests.fakes import FakeClock, FakeOutbox, FakePolicies

ONE, TWO = TopicPartition("in", 0), TopicPartition("in", 1)


@dataclass
class Message:
    """A record as aiokafka gives it."""

    offset: int
    partition: int = 0
    topic: str = "in"
    key: bytes = b"k"
    value: bytes = field(default_factory=lambda: encode_event(an_event()))
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp: int = 0


@dataclass
class FakeKafka:
    """Aiokafka's consumer: gives what is scripted, then nothing; writes commits down."""

    script: list[dict[Any, list[Message]] | Exception] = field(default_factory=list)
    commits: list[dict[Any, int]] = field(default_factory=list)
    assigned: set[Any] = field(default_factory=lambda: {ONE, TWO})
    commit_failure: Exception | None = None
    fetched_ends: dict[Any, int] = field(default_factory=dict)
    ends: dict[Any, int] = field(default_factory=dict)
    ends_failure: Exception | None = None

    async def getmany(self, **_options: Any) -> dict[Any, list[Message]]:
        """The next fetch."""
        await asyncio.sleep(0.001)
        step = self.script.pop(0) if self.script else {}
        if isinstance(step, Exception):
            raise step
        return step

    async def commit(self, offsets: dict[Any, int]) -> None:
        """Write it down."""
        if self.commit_failure is not None:
            raise self.commit_failure
        self.commits.append(dict(offsets))

    def assignment(self) -> set[Any]:
        """What the group gave."""
        return set(self.assigned)

    def highwater(self, partition: Any) -> int | None:
        """What the last fetch told of the partition's end. As aiokafka, only of one's own."""
        if partition not in self.assigned:
            raise AssertionError("Partition is not assigned")
        return self.fetched_ends.get(partition)

    async def end_offsets(self, partitions: list[Any]) -> dict[Any, int]:
        """What the broker tells."""
        if self.ends_failure is not None:
            raise self.ends_failure
        return {one: self.ends[one] for one in partitions if one in self.ends}

    async def stop(self) -> None:
        """Nothing to close."""


@dataclass
class Stage:
    """A consumer between a fake Kafka and a fake outbox."""

    kafka: FakeKafka = field(default_factory=FakeKafka)
    outbox: FakeOutbox = field(default_factory=FakeOutbox)
    crashes: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.direct = DirectConsumer(DirectOptions(("x:1",), "g", "in", commit_s=0.0), self._make, self._crash)

    async def _make(self) -> Moderator:
        deps = Deps([], FakePolicies(a_bundle()), FakeClock(), deadline_s=5)
        return Moderator(deps, self.outbox, Topics("v", "f", "d"), some_limits(), worker="w", crash=self._crash)

    def _crash(self, cause: str, why: str) -> None:
        self.crashes.append((cause, why))

    async def start(self) -> None:
        """As `on_start`, without a broker."""
        self.direct._consumer = self.kafka
        self.direct._moderator = await self._make()
        self.direct._moderator.start()
        self.direct._runner = asyncio.create_task(self.direct._run())

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let the loop run until `condition()`."""
        async with asyncio.timeout(60):
            while not condition():  # noqa: ASYNC110  # what is waited for is in fakes that know no events
                await asyncio.sleep(0.001)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A stage that is torn down as a worker is."""
    made = Stage()
    yield made
    made.outbox.acking = True
    made.outbox.ack_all()
    await made.direct.on_stop()


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> LogCapture:
    """What the consumer logs."""
    capture = LogCapture()
    # Every level, whatever another test made structlog's default.
    every = structlog.make_filtering_bound_logger(0)
    monkeypatch.setattr("streams.agents.direct.log", structlog.wrap_logger(None, [capture], every))
    return capture


async def test_what_is_acknowledged_is_committed_and_nothing_else(stage: Stage) -> None:
    """The committed offset is the one after the last finished record, per partition."""
    stage.outbox.acking = False
    stage.kafka.script = [{ONE: [Message(4), Message(5)], TWO: [Message(9, 1)]}]
    await stage.start()
    stage.direct.take_over()
    await stage.until(lambda: len(stage.outbox.sent) == 3)
    assert stage.kafka.commits == []
    stage.outbox.ack_all()
    await stage.until(lambda: bool(stage.kafka.commits))
    committed: dict[Any, int] = {}
    for one in stage.kafka.commits:
        committed.update(one)
    assert committed == {ONE: 6, TWO: 10}


async def test_nothing_is_taken_before_the_first_assignment(stage: Stage) -> None:
    """What a fetch brings during a rebalance is read again by whoever owns it afterwards."""
    stage.kafka.script = [{ONE: [Message(0)]}]
    await stage.start()
    await stage.until(lambda: not stage.kafka.script)
    await asyncio.sleep(0.01)
    assert stage.outbox.sent == []


async def test_partitions_are_finished_and_committed_before_they_are_given_back(stage: Stage) -> None:
    """The next owner begins after the last verdict."""
    stage.outbox.acking = False
    stage.kafka.script = [{ONE: [Message(0), Message(1)]}]
    await stage.start()
    stage.direct.take_over()
    await stage.until(lambda: len(stage.outbox.sent) == 2)
    giving = asyncio.create_task(stage.direct.give_back([ONE, TWO]))
    await asyncio.sleep(0.01)
    assert not giving.done()
    stage.outbox.ack_all()
    await giving
    assert stage.kafka.commits[-1] == {ONE: 2}
    stage.kafka.script = [{ONE: [Message(2)]}]
    await stage.until(lambda: not stage.kafka.script)
    assert len(stage.outbox.sent) == 2


async def test_a_commit_that_a_rebalance_overtook_is_no_failure(stage: Stage) -> None:
    """The records are read again; the worker goes on."""
    stage.kafka.commit_failure = CommitFailedError()
    stage.kafka.script = [{ONE: [Message(0)]}]
    await stage.start()
    stage.direct.take_over()
    await stage.until(lambda: len(stage.outbox.sent) == 1)
    await asyncio.sleep(0.02)
    assert stage.crashes == []
    stage.kafka.commit_failure = None
    await stage.until(lambda: stage.kafka.commits == [{ONE: 1}])


async def test_offsets_of_partitions_that_are_gone_are_not_committed(stage: Stage) -> None:
    """They are another worker's now."""
    stage.kafka.assigned = {TWO}
    stage.kafka.script = [{ONE: [Message(0)], TWO: [Message(0, 1)]}]
    await stage.start()
    stage.direct.take_over()
    await stage.until(lambda: bool(stage.kafka.commits))
    assert all(ONE not in one for one in stage.kafka.commits)


@pytest.mark.parametrize("failure", [ConnectionError("x"), ValueError("a record that the client cannot parse")])
async def test_whatever_ends_consuming_ends_the_process(stage: Stage, failure: Exception) -> None:
    """A process that keeps its partitions and consumes nothing must not look alive."""
    stage.kafka.script = [failure]
    await stage.start()
    await stage.until(lambda: bool(stage.crashes))
    assert stage.crashes == [("consumer", f"cannot consume: {type(failure).__name__}")]


async def test_lag_is_what_is_not_finished(stage: Stage) -> None:
    """By partition, from the first record on, though nothing was committed; one that was given away is not told."""
    stage.outbox.acking = False
    stage.kafka.script = [{ONE: [Message(4), Message(5)], TWO: [Message(9, 1)]}]
    stage.kafka.ends = {ONE: 10, TWO: 10}
    await stage.start()
    stage.direct.take_over()
    await stage.until(lambda: len(stage.outbox.sent) == 3)
    assert stage.direct.lag() == {}  # nobody told yet how far they reach
    stage.kafka.fetched_ends = {ONE: 8, TWO: 10}  # as the last fetch said, which may be a while ago
    assert stage.direct.lag() == {0: 4, 1: 1}
    await stage.direct._look_at_lag(LagWatch(1.0), 0.0)
    assert stage.direct.lag() == {0: 6, 1: 1}
    stage.outbox.ack_all()
    await stage.until(lambda: stage.direct.lag() == {0: 4, 1: 0})
    stage.kafka.assigned = {TWO}
    assert stage.direct.lag() == {1: 0}


async def test_stuck_lag_is_in_the_log_once_and_so_is_its_end(stage: Stage, logged: LogCapture) -> None:
    """Partitions and numbers; and a broker that does not answer is no reason to stop looking."""
    stage.outbox.acking = False
    stage.kafka.script = [{ONE: [Message(4)]}]
    await stage.start()
    stage.direct.take_over()
    await stage.until(lambda: len(stage.outbox.sent) == 1)
    watch = LagWatch(60.0)
    for now_s, end in ((0.0, 5), (60.0, 8), (70.0, 9)):
        stage.kafka.ends = {ONE: end}
        await stage.direct._look_at_lag(watch, now_s)
    stage.kafka.ends_failure = KafkaTimeoutError()
    await stage.direct._look_at_lag(watch, 80.0)
    stage.kafka.ends_failure = None
    stage.outbox.ack_all()
    await stage.until(lambda: stage.direct.lag() == {0: 4})
    await stage.direct._look_at_lag(watch, 90.0)
    assert logged.entries == [
        {"log_level": "warning", "event": "lag.grown", "lag": {0: 4}, "still_s": 60},
        {"log_level": "info", "event": "lag.recovered", "lag": {0: 4}},
    ]
