"""The shell around the pipeline: batches, order, acknowledgement after the ack, and when it gives up."""

from __future__ import annotations

import asyncio
import gzip
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from policies.engine.signals import SignalSet
from streams import pipeline
from streams.agents.letters import Topics
from streams.agents.moderate import Limits, Moderator
from streams.core.outcome import RawRecord
from streams.core.wire import decode_verdict
from streams.pipeline import Deps
from tests.factories import a_bundle, a_numbered_record, a_record, an_event, some_limits
from tests.fakes import FakeClock, FakeDetector, FakeOutbox, FakePolicies, FakeTaken


@dataclass
class Stage:
    """A moderator among fakes."""

    limits: Limits
    clock: FakeClock = field(default_factory=FakeClock)
    outbox: FakeOutbox = field(default_factory=FakeOutbox)
    detector: FakeDetector = field(default_factory=FakeDetector)
    policies: FakePolicies = field(default_factory=lambda: FakePolicies(a_bundle()))
    crashes: list[tuple[str, str]] = field(default_factory=list)
    acked: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        deps = Deps([self.detector], self.policies, self.clock, deadline_s=30.0)
        self.moderator = Moderator(deps, self.outbox, Topics("v", "f", "d"), self.limits, worker="w", crash=self._crash)

    def _crash(self, cause: str, why: str) -> None:
        self.crashes.append((cause, why))

    async def take(self, *records: RawRecord, generation: int = 1) -> None:
        """Hand records over as the stream would."""
        for record in records:
            await self.moderator.take(record.partition, FakeTaken(record, self.acked, generation))

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let the loop run until `condition()`."""
        async with asyncio.timeout(60):
            while not condition():  # noqa: ASYNC110  # what is waited for is in fakes that know no events
                await asyncio.sleep(0.001)

    @property
    def judged(self) -> list[str]:
        """The events whose verdicts were sent, in order."""
        return [decode_verdict(one.value or b"").event_id for one in self.outbox.on("v")]


@asynccontextmanager
async def running(stage: Stage) -> AsyncIterator[Stage]:
    """The stage with its moderator started, and stopped at the end."""
    stage.moderator.start()
    try:
        yield stage
    finally:
        await stage.moderator.stop()


async def settle() -> None:
    """Let everything that can run now run."""
    for _ in range(50):
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)


def gated(*event_ids: str) -> FakeDetector:
    """A detector whose batches with these events wait for their gates."""
    return FakeDetector(gates={event_id: asyncio.Event() for event_id in event_ids})


async def test_an_event_is_acknowledged_only_after_the_brokers_ack() -> None:
    """A verdict on its way is not a verdict."""
    async with running(Stage(some_limits(), outbox=FakeOutbox(acking=False))) as stage:
        await stage.take(a_numbered_record(0))
        await stage.until(lambda: len(stage.outbox.sent) == 1)
        await settle()
        assert stage.acked == []
        stage.outbox.ack_all()
        await stage.until(lambda: stage.acked == [0])
        assert stage.moderator.pending == 0


async def test_every_event_gets_one_verdict_in_order_across_batches() -> None:
    """Ten events in batches of three come out once each, in the order they came."""
    async with running(Stage(some_limits(batch_size=3))) as stage:
        await stage.take(*(a_numbered_record(n) for n in range(10)))
        await stage.until(lambda: len(stage.acked) == 10)
        assert stage.judged == [f"event-{n}" for n in range(10)]
        assert stage.acked == list(range(10))


async def test_batches_fill_while_others_are_at_work() -> None:
    """Events that arrive while all slots are busy are judged together, up to the batch size."""
    detector = gated("event-0")
    async with running(Stage(some_limits(batch_size=4, batches_in_flight=1), detector=detector)) as stage:
        await stage.take(a_numbered_record(0))
        await stage.until(lambda: len(detector.batches) == 1)
        await stage.take(*(a_numbered_record(n) for n in range(1, 8)))
        detector.gates["event-0"].set()
        await stage.until(lambda: len(stage.acked) == 8)
        assert [len(batch) for batch in detector.batches] == [1, 4, 3]


async def test_a_later_batch_that_is_judged_first_is_published_second() -> None:
    """Batches are judged side by side, and their verdicts leave in the order of their events."""
    detector = gated("event-0")
    async with running(Stage(some_limits(batch_size=2), detector=detector)) as stage:
        await stage.take(*(a_numbered_record(n) for n in range(4)))
        await stage.until(lambda: len(detector.batches) == 2)
        await settle()
        assert stage.outbox.sent == []
        detector.gates["event-0"].set()
        await stage.until(lambda: len(stage.acked) == 4)
        assert stage.judged == ["event-0", "event-1", "event-2", "event-3"]


async def test_no_more_batches_than_the_limit_are_at_work() -> None:
    """With two slots taken, the third batch waits."""
    detector = gated("event-0", "event-1", "event-2")
    async with running(Stage(some_limits(batch_size=1, batches_in_flight=2), detector=detector)) as stage:
        await stage.take(*(a_numbered_record(n) for n in range(3)))
        await settle()
        assert detector.batches == [["event-0"], ["event-1"]]
        detector.gates["event-0"].set()
        await stage.until(lambda: len(detector.batches) == 3)
        detector.gates["event-1"].set()
        detector.gates["event-2"].set()
        await stage.until(lambda: len(stage.acked) == 3)


async def test_a_full_backlog_slows_the_consumer_down() -> None:
    """`take` waits while as many events as the backlog allows are unacknowledged."""
    stage = Stage(some_limits(backlog=3), outbox=FakeOutbox(acking=False))
    async with running(stage):
        await stage.take(*(a_numbered_record(n) for n in range(3)))
        fourth = asyncio.create_task(stage.take(a_numbered_record(3)))
        await settle()
        assert not fourth.done()
        assert stage.moderator.pending == 3
        stage.outbox.acking = True
        stage.outbox.ack_all()
        await fourth
        await stage.until(lambda: stage.acked == [0, 1, 2, 3])


async def test_a_record_that_is_no_event_becomes_a_dead_letter_and_the_stream_goes_on() -> None:
    """Its bytes are published, acknowledged by the broker, and only then is its offset."""
    async with running(Stage(some_limits())) as stage:
        await stage.take(a_record(b"\xc1", offset=0), a_numbered_record(1))
        await stage.until(lambda: stage.acked == [0, 1])
        (letter,) = stage.outbox.on("d")
        assert letter.value == b"\xc1"
        assert letter.header("weir-fault") == "producer"
        assert stage.judged == ["event-1"]


@pytest.mark.parametrize("when", ["send", "ack"])
async def test_a_failed_publish_ends_the_process_and_acknowledges_nothing(when: str) -> None:
    """Infrastructure failed: the next process reads these events again."""
    failure = ConnectionError("down")
    outbox = FakeOutbox(failure=failure) if when == "send" else FakeOutbox(ack_failure=failure)
    async with running(Stage(some_limits(), outbox=outbox)) as stage:
        await stage.take(a_numbered_record(0))
        await stage.until(lambda: bool(stage.crashes))
        assert stage.crashes[0][0] == "publish"
        assert "ConnectionError" in stage.crashes[0][1]
        assert stage.acked == []
        assert stage.moderator.pending == 1


async def test_an_ack_that_never_comes_ends_the_process() -> None:
    """A dead broker must not look like a slow one for ever."""
    stage = Stage(some_limits(publish_timeout_s=0.02), outbox=FakeOutbox(acking=False))
    async with running(stage):
        await stage.take(a_numbered_record(0))
        await stage.until(lambda: bool(stage.crashes))
        assert stage.crashes[0] == ("publish", "verdicts could not be published: TimeoutError")
        assert stage.acked == []


async def test_nothing_after_a_failed_batch_is_published() -> None:
    """A gap in the order of verdicts would be a lost event if the process lived on."""
    detector = gated("event-0")
    async with running(Stage(some_limits(batch_size=1), detector=detector)) as stage:
        await stage.take(a_numbered_record(0), a_numbered_record(1))
        await settle()
        stage.outbox.failure = ConnectionError("down")
        detector.gates["event-0"].set()
        await stage.until(lambda: bool(stage.crashes))
        stage.outbox.failure = None
        await settle()
        assert stage.outbox.sent == []
        assert stage.acked == []


async def test_too_many_events_that_break_our_code_stop_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad deploy must not empty the topic into the bin."""
    stage = Stage(some_limits(deadletter_share=0.5, deadletter_window=4, batch_size=1))
    monkeypatch.setattr(pipeline, "evaluate", _broken)
    async with running(stage):
        await stage.take(*(a_numbered_record(n) for n in range(6)))
        await stage.until(lambda: bool(stage.crashes))
        assert stage.crashes[0][0] == "deadletter_share"
        assert len(stage.outbox.on("d")) == 2
        assert stage.acked == [0, 1]


def _broken(*_: object) -> None:
    raise KeyError("a bug of ours")


async def test_dead_letters_of_producers_never_stop_the_worker() -> None:
    """Somebody else's broken records are no sign of a bad deploy."""
    stage = Stage(some_limits(deadletter_share=0.1, deadletter_window=4))
    async with running(stage):
        await stage.take(*(a_record(b"\xc1", offset=n) for n in range(10)))
        await stage.until(lambda: len(stage.acked) == 10)
        assert stage.crashes == []


async def test_a_broken_policy_source_ends_the_process() -> None:
    """Without policies nothing can be judged, and nothing is thrown away."""
    stage = Stage(some_limits(), policies=FakePolicies(None))
    async with running(stage):
        await stage.take(a_numbered_record(0))
        await stage.until(lambda: bool(stage.crashes))
        assert stage.crashes[0] == ("task", "weir-batch ended: RuntimeError")
        assert stage.outbox.sent == []


@pytest.mark.parametrize("limit", ["refuse_above", "reject_above"])
async def test_a_record_that_is_too_large_goes_compressed(limit: str) -> None:
    """Whether the producer or the broker finds it too large, the dead letter arrives, smaller and marked."""
    raw = b"\xc1" + b"a" * 50_000
    stage = Stage(some_limits(), outbox=FakeOutbox(**{limit: 10_000}))  # type: ignore[arg-type]  # one of two ints
    async with running(stage):
        await stage.take(a_record(raw, offset=0), a_numbered_record(1))
        await stage.until(lambda: stage.acked == [0, 1])
        letter = stage.outbox.on("d")[-1]
        assert letter.header("weir-value-encoding") == "gzip"
        assert gzip.decompress(letter.value or b"") == raw


async def test_a_record_that_no_broker_takes_leaves_its_reasons() -> None:
    """Incompressible and too large: the letter names the source offset, and the stream goes on."""
    raw = b"\xc1" + os.urandom(50_000)
    stage = Stage(some_limits(), outbox=FakeOutbox(reject_above=10_000))
    async with running(stage):
        await stage.take(a_record(raw, offset=0), a_numbered_record(1))
        await stage.until(lambda: stage.acked == [0, 1])
        letter = stage.outbox.on("d")[-1]
        assert letter.value is None
        assert letter.header("weir-value-encoding") == "omitted"
        assert letter.header("__connect.errors.offset") == "0"
        assert stage.crashes == []


async def test_draining_waits_for_what_is_in_flight() -> None:
    """`drained` is true once everything is acknowledged, false when time runs out first."""
    stage = Stage(some_limits(), outbox=FakeOutbox(acking=False))
    async with running(stage):
        await stage.take(a_numbered_record(0))
        assert not await stage.moderator.drained(timeout_s=0.02)
        waiting = asyncio.create_task(stage.moderator.drained(timeout_s=60))
        await settle()
        stage.outbox.ack_all()
        assert await waiting
        assert stage.acked == [0]


async def test_events_of_an_older_assignment_are_published_but_never_acknowledged() -> None:
    """A partition came back under a new generation: the old events will be read again by whoever owns them."""
    stage = Stage(some_limits(batch_size=1), outbox=FakeOutbox(acking=False))
    async with running(stage):
        await stage.take(a_numbered_record(0), generation=1)
        await stage.until(lambda: len(stage.outbox.sent) == 1)
        await stage.take(a_numbered_record(0), generation=2)
        stage.outbox.acking = True
        stage.outbox.ack_all()
        await stage.until(lambda: stage.moderator.pending == 0)
        assert stage.acked == [0]
        assert stage.judged == ["event-0", "event-0"]


async def test_a_standstill_ends_the_process() -> None:
    """A stuck worker must not look alive: events wait and none finishes."""
    stage = Stage(some_limits(stall_s=0.04), outbox=FakeOutbox(acking=False))
    async with running(stage):
        await stage.take(a_numbered_record(0))
        stage.clock.advance(1)
        await stage.until(lambda: bool(stage.crashes))
        assert stage.crashes[0][0] == "stalled"


async def test_an_idle_worker_is_no_standstill() -> None:
    """Nothing to do for an hour, then one event: the watchdog counts from the event."""
    stage = Stage(some_limits(stall_s=0.04), outbox=FakeOutbox(acking=False))
    async with running(stage):
        stage.clock.advance(3600)
        await stage.take(a_numbered_record(0))
        await asyncio.sleep(0.05)
        assert stage.crashes == []


async def test_a_flagged_event_is_acknowledged_after_both_records() -> None:
    """The verdict alone is not enough when a flag belongs to it."""
    stage = Stage(some_limits(), outbox=FakeOutbox(acking=False))
    async with running(stage):
        await stage.take(a_record(an_event(surface="reviewed")))
        await stage.until(lambda: len(stage.outbox.sent) == 2)
        stage.outbox.on("v")[0].ack.set_result(None)
        await settle()
        assert stage.acked == []
        stage.outbox.on("f")[0].ack.set_result(None)
        await stage.until(lambda: stage.acked == [0])


async def test_a_verdict_that_cannot_be_written_becomes_a_dead_letter() -> None:
    """A text that no encoder takes must not make the worker read the same record for ever."""
    broken = a_record(an_event(surface="reviewed", event_id="event-0"))
    stage = Stage(some_limits())
    stage.detector.says = lambda _event: SignalSet(models={"m": "\ud800"})
    async with running(stage):
        await stage.take(broken)
        await stage.until(lambda: stage.acked == [0])
        (letter,) = stage.outbox.on("d")
        assert letter.header("weir-code") == "weir.encode"
        assert letter.header("weir-fault") == "weir"
