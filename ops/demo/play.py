"""The run itself: publish the samples, follow verdicts and dead letters, until every sample has its answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from ops.demo.collect import Collector, Row
from ops.demo.view import View
from ops.report import EventRow
from ops.samples import Sample
from streams.adapters.kafka import Ack, OutRecord, Pace, publish_records, read_records

FIRST_ANSWER_S = 90.0  # the worker imports, joins its group and asks the model for the first time
SILENCE_S = 30.0  # without any answer: the rest is unanswered
CHECK_S = 0.25


class NoAnswerError(Exception):
    """Not even the first event was answered."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the run happens."""

    bootstrap: str
    incoming: str
    verdicts: str
    deadletter: str
    check: Callable[[], None]  # raises when a server has ended


@dataclass(frozen=True, slots=True)
class Played:
    """What came of it."""

    collector: Collector
    first_at: float  # time.monotonic() of the first answer
    took_s: float  # from the first event after that to the last answer


class _Run:
    def __init__(self, place: Place, samples: Sequence[Sample], view: View) -> None:
        self.place = place
        self.samples = samples
        self.view = view
        self.collector = Collector(samples, place.incoming)
        self.progress_at = time.monotonic()
        self.ready = 0

    def got(self, row: Row | None) -> None:
        if row is None:
            return
        self.progress_at = time.monotonic()
        if len(self.collector.rows) == 1 and isinstance(row, EventRow):
            # The first one waited for the worker to come up: its time says nothing about the stream.
            row = self.collector.rows[row.number - 1] = replace(row, latency_ms=None)
        self.view.show(row)

    async def follow(self, topic: str) -> None:
        async with aclosing(
            read_records(self.place.bootstrap, topic, from_beginning=True, on_ready=self.count_ready)
        ) as records:
            async for record in records:
                self.got(self.collector.answered(record, time.monotonic()))

    def count_ready(self) -> None:
        self.ready += 1

    async def publish(self, first: int, last: int, rate: float) -> None:
        records = [OutRecord(one.value, one.key, one.headers) for one in self.samples[first:last]]

        def acked(ack: Ack) -> None:
            self.got(self.collector.acked(first + ack.count - 1, ack.partition, ack.offset, ack.at))

        await publish_records(self.place.bootstrap, self.place.incoming, records, pace=Pace(rate, acked))

    async def until(self, done: Callable[[], bool], silence_s: float) -> bool:
        """Whether `done()` came true before `silence_s` passed without an answer."""
        self.progress_at = time.monotonic()
        while not done():
            self.place.check()
            if time.monotonic() - self.progress_at > silence_s:
                return False
            await asyncio.sleep(CHECK_S if self.collector.rows else 0.05)
        return True


async def play(place: Place, samples: Sequence[Sample], view: View, *, rate: float) -> Played:
    """Publish every sample and collect the answers; NoAnswerError when not even the first comes.

    The first sample goes ahead alone: its answer says that the worker is up, and the rest is measured.
    """
    run = _Run(place, samples, view)
    followers = [asyncio.create_task(run.follow(topic)) for topic in (place.verdicts, place.deadletter)]
    try:
        await run.until(lambda: run.ready == len(followers) or _ended(followers), SILENCE_S)
        await run.publish(0, 1, 0)
        view.tell("waiting for the first verdict")
        if not await run.until(lambda: bool(run.collector.rows) or _ended(followers), FIRST_ANSWER_S):
            raise NoAnswerError(f"no verdict came within {FIRST_ANSWER_S:.0f} s")
        first_at = time.monotonic()
        view.tell(f"publishing {len(samples)} sample events")
        started = time.monotonic()
        await run.publish(1, len(samples), rate)
        view.tell("waiting for the last verdicts")
        await run.until(lambda: run.collector.complete or _ended(followers), SILENCE_S)
        return Played(run.collector, first_at, run.progress_at - started)
    finally:
        for task in followers:
            task.cancel()
        await asyncio.gather(*followers, return_exceptions=True)


def _ended(followers: Sequence[asyncio.Task[None]]) -> bool:
    """Raise what ended a follower; False while both run."""
    for task in followers:
        if task.done():
            task.result()
    return False
