"""The shell around the pipeline: takes raw events, judges them in batches, publishes, and only then acknowledges.

The shape that loses nothing (FACTS): a bounded intake, batches in flight up to a cap, one task per batch that infers,
publishes and **awaits the broker's acks**, an ordered watermark that acknowledges from the head only. No exception
leaves it: a bad record becomes a dead letter, a failure of infrastructure ends the process and the supervisor starts
it again. Verdicts leave in the order of their events: batches are judged side by side and published one after another.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from streams.agents.account import Account
from streams.agents.counters import Ledger
from streams.agents.letters import Letter, Stamp, Topics, compressed, letters, without_value
from streams.agents.watermark import Entry, Watermark
from streams.core.metrics import Sample
from streams.core.outcome import DeadLetter, Fault, Outcome, RawRecord
from streams.pipeline import Deps, our_fault, process_batch
from streams.ports import Outbox, TooLargeError
from streams.telemetry import MetricName

log = structlog.get_logger(__name__)


class Taken(Protocol):
    """An event as the stream hands it over."""

    @property
    def record(self) -> RawRecord:
        """What the broker gave."""

    @property
    def generation(self) -> int:
        """Which assignment of the partition it was read under."""

    def ack(self) -> None:
        """Let the offset be committed."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much at once, and when to give up."""

    batch_size: int
    batch_wait_s: float
    batches_in_flight: int
    backlog: int
    publish_timeout_s: float
    stall_s: float
    deadletter_share: float
    deadletter_window: int


#: Why the process must end; the word is in the log and decides the exit code.
Crash = Callable[[str, str], None]


class Moderator:
    """Judges what is put into it. Owned by one event loop; `crash` ends the process and does not come back."""

    def __init__(
        self, deps: Deps, outbox: Outbox, topics: Topics, limits: Limits, *, worker: str, crash: Crash
    ) -> None:
        self._deps = deps
        self._outbox = outbox
        self._topics = topics
        self._limits = limits
        self._worker = worker
        self._crash = crash
        self._watermark: Watermark[Taken] = Watermark()
        self._freed = asyncio.Event()
        self._queue: asyncio.Queue[Entry[Taken]] = asyncio.Queue()
        self._slots = asyncio.Semaphore(limits.batches_in_flight)
        self._recent: deque[bool] = deque(maxlen=limits.deadletter_window)
        self._tasks: set[asyncio.Task[None]] = set()
        self._last_sent: asyncio.Future[None] | None = None
        self._ledger: Ledger | None = None
        self._account = Account()
        self._generation = -1
        self._progress_at = deps.clock.monotonic()

    @property
    def pending(self) -> int:
        """Events taken and not yet acknowledged."""
        return self._watermark.pending

    def samples(self) -> list[Sample]:
        """What was counted since the start, and what is at work now."""
        pending: MetricName = "weir_events_pending"
        return [*self._account.samples(), Sample(pending, self.pending)]

    def start(self) -> None:
        """Start batching and the watchdog; needs a running loop."""
        self._own(asyncio.create_task(self._run_batches(), name="weir-batcher"))
        self._own(asyncio.create_task(self._watch(), name="weir-watchdog"))

    def write_down(self, ledger: Ledger) -> None:
        """Let verdicts be counted: the ledger's records are published with theirs."""
        self._ledger = ledger

    def adopt(self, work: Coroutine[object, object, None], *, name: str) -> None:
        """Own another task of this worker: it ends with the others, and the process ends when it breaks."""
        self._own(asyncio.create_task(work, name=name))

    async def stop(self) -> None:
        """End the tasks. What is in flight is abandoned unacknowledged: call `drained` first."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def drained(self, *, timeout_s: float) -> bool:
        """Wait until nothing is pending; False when time ran out."""
        try:
            async with asyncio.timeout(timeout_s):
                while self._watermark.pending:
                    self._freed.clear()
                    await self._freed.wait()
        except TimeoutError:
            return False
        return True

    async def take(self, partition: Hashable, taken: Taken) -> None:
        """Accept an event when there is room for it."""
        await self.room()
        self.accept(partition, taken)

    async def room(self) -> None:
        """Wait while the backlog is full, which is what slows the consumer down."""
        while self._watermark.pending >= self._limits.backlog:
            self._freed.clear()
            await self._freed.wait()

    def accept(self, partition: Hashable, taken: Taken) -> None:
        """Accept an event; the caller has waited for `room`."""
        if not self._watermark.pending:
            self._progress_at = self._deps.clock.monotonic()
        if self._ledger is not None and taken.generation > self._generation:
            self._ledger.assigned()
        self._generation = max(self._generation, taken.generation)
        self._queue.put_nowait(self._watermark.add(partition, taken.generation, taken))

    def forget(self, partition: Hashable) -> None:
        """Another worker owns the partition now: what is in flight of it is not acknowledged any more."""
        self._watermark.revoke(partition)
        self._freed.set()

    async def _run_batches(self) -> None:
        while True:
            batch = [await self._queue.get()]
            await self._slots.acquire()  # while waiting for a slot the queue fills, so batches get fuller under load
            await self._fill(batch)
            loop = asyncio.get_running_loop()
            before, self._last_sent = self._last_sent, loop.create_future()
            self._own(asyncio.create_task(self._run_batch(batch, before, self._last_sent), name="weir-batch"))

    async def _fill(self, batch: list[Entry[Taken]]) -> None:
        size = self._limits.batch_size
        while len(batch) < size and not self._queue.empty():
            batch.append(self._queue.get_nowait())
        try:
            async with asyncio.timeout(self._limits.batch_wait_s):
                while len(batch) < size:
                    batch.append(await self._queue.get())
        except TimeoutError:
            return  # a smaller batch now is better than a full one later

    async def _run_batch(
        self, batch: Sequence[Entry[Taken]], before: asyncio.Future[None] | None, sent: asyncio.Future[None]
    ) -> None:
        judged = await process_batch([entry.item.record for entry in batch], self._deps)
        self._slots.release()  # judging is what is capped; what waits for acks counts against the backlog
        stamp = Stamp(self._worker, self._deps.clock.time())
        written = [_written(outcome, self._topics, stamp) for outcome in judged]
        outcomes = [outcome for outcome, _ in written]
        if not self._allowed(outcomes):
            return
        if before is not None:
            await before
        try:
            async with asyncio.timeout(self._limits.publish_timeout_s):
                told = [letter for _, letters_of in written for letter in letters_of]
                acks = await self._send([*told, *self._noted(outcomes)])
                sent.set_result(None)
                for letter, ack in acks:
                    await self._acknowledged(letter, ack)
        except Exception as exc:
            # Infrastructure: nothing was acknowledged, so the next process reads these events again.
            log.exception("publish.failed", events=len(batch))
            self._crash("publish", f"verdicts could not be published: {type(exc).__name__}")
            return
        self._finish(batch)
        for outcome in outcomes:
            self._account.settle(outcome)

    def _noted(self, outcomes: Sequence[Outcome]) -> list[Letter]:
        """What counters keep of the batch. Asked when its turn to be sent has come: strikes build on each other."""
        if self._ledger is None:
            return []
        try:
            return self._ledger.letters(outcomes)
        except Exception:
            log.exception("events.uncounted", events=len(outcomes))
            return []

    async def _send(self, batch: Sequence[Letter]) -> list[tuple[Letter, Awaitable[object]]]:
        acks: list[tuple[Letter, Awaitable[object]]] = []
        for letter in batch:
            try:
                ack = await self._outbox.send(letter.topic, letter.key, letter.value, letter.headers)
            except TooLargeError:
                await self._send_smaller(letter)
            else:
                acks.append((letter, ack))
        return acks

    async def _acknowledged(self, letter: Letter, ack: Awaitable[object]) -> None:
        """Wait for the broker; a record that it finds too large goes once more, smaller."""
        try:
            await ack
        except TooLargeError:
            await self._send_smaller(letter)

    async def _send_smaller(self, letter: Letter) -> None:
        """Publish it compressed, else without its value: one record that no broker takes must not stop the rest."""
        for shrink in (compressed, without_value):
            smaller = await asyncio.to_thread(shrink, letter)
            log.warning("letter.shrunk", topic=letter.topic, how=shrink.__name__, value_bytes=len(letter.value or b""))
            try:
                await (await self._outbox.send(smaller.topic, smaller.key, smaller.value, smaller.headers))
            except TooLargeError:
                continue
            return
        raise TooLargeError(f"not even the reasons of a record fit into {letter.topic}")

    def _finish(self, batch: Sequence[Entry[Taken]]) -> None:
        for entry in batch:
            for taken in self._watermark.done(entry):
                taken.ack()
                self._progress_at = self._deps.clock.monotonic()
        self._freed.set()

    def _allowed(self, outcomes: Sequence[Outcome]) -> bool:
        """Whether to go on: a share of dead letters that are our own fault above the limit means a bad deploy."""
        self._recent.extend(isinstance(outcome, DeadLetter) and outcome.fault is Fault.WEIR for outcome in outcomes)
        share = sum(self._recent) / self._limits.deadletter_window
        if share <= self._limits.deadletter_share:
            return True
        log.error("deadletter.share_exceeded", share=round(share, 3), limit=self._limits.deadletter_share)
        self._crash("deadletter_share", "too many events break our own code; they are kept in the topic, unread")
        return False

    async def _watch(self) -> None:
        """End the process when events wait and nothing moves: a stuck consumer must not look alive."""
        while True:
            await asyncio.sleep(min(5.0, self._limits.stall_s / 4))
            still_s = self._deps.clock.monotonic() - self._progress_at
            if self._watermark.pending and still_s > self._limits.stall_s:
                self._crash("stalled", f"{self._watermark.pending} events wait and none finished for {still_s:.0f} s")
                return

    def _own(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (exc := task.exception()) is not None:
            log.error("task.failed", task=task.get_name(), exc_info=exc)
            self._crash("task", f"{task.get_name()} ended: {type(exc).__name__}")


def _written(outcome: Outcome, topics: Topics, stamp: Stamp) -> tuple[Outcome, list[Letter]]:
    """The outcome's letters; when they cannot be written, it becomes a dead letter that is our fault."""
    try:
        return outcome, list(letters(outcome, topics, stamp))
    except Exception as exc:
        log.exception("event.unwritable", partition=outcome.record.partition, offset=outcome.record.offset)
        failed = our_fault(outcome.record, "encode", exc)
        return failed, list(letters(failed, topics, stamp))
