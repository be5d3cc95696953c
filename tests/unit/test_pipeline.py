"""One event's story: every record ends in its own outcome, whatever breaks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from policies.engine.signals import SignalSet, SignalStatus
from streams import pipeline
from streams.core.deadline import Deadline
from streams.core.events import ContentEvent, TextPart
from streams.core.outcome import DeadLetter, Decided, Fault
from streams.pipeline import Deps, gather_signals, process, process_batch
from streams.ports import Detector
from tests.factories import a_bundle, a_numbered_record, a_record, an_event, signals
from tests.fakes import FakeClock, FakeDetector, FakePolicies


class ShortDetector(FakeDetector):
    """Answers for fewer events than it was asked about."""

    async def detect(self, batch: Sequence[ContentEvent], *, timeout_s: float) -> list[SignalSet]:
        """One set too few."""
        return [SignalSet() for _ in batch][1:]


class BrokenDetector(FakeDetector):
    """Raises."""

    async def detect(self, batch: Sequence[ContentEvent], *, timeout_s: float) -> list[SignalSet]:
        """Quote the content in an error, as bugs do."""
        raise ValueError(str(batch[0].parts))


def deps(*detectors: Detector, deadline_s: float = 5.0) -> Deps:
    """A pipeline's surroundings."""
    return Deps(detectors, FakePolicies(a_bundle()), FakeClock(), deadline_s)


async def test_each_record_gets_its_outcome_in_order() -> None:
    """Good and broken records in one batch do not disturb each other."""
    records = [a_numbered_record(0), a_record(b"\xc1", offset=1), a_numbered_record(2), a_record(b"\x00", offset=3)]
    outcomes = await process_batch(records, deps(FakeDetector()))
    assert [outcome.record.offset for outcome in outcomes] == [0, 1, 2, 3]
    assert [type(outcome) for outcome in outcomes] == [Decided, DeadLetter, Decided, DeadLetter]


async def test_no_records_no_outcomes() -> None:
    """An empty batch asks nobody."""
    detector = FakeDetector()
    assert await process_batch([], deps(detector)) == []
    assert detector.batches == []


async def test_a_record_that_is_no_event_is_the_producers_fault() -> None:
    """The reason is a code, and the detail quotes nothing."""
    outcome = await process(a_record(b"\xc1secret"), deps())
    assert isinstance(outcome, DeadLetter)
    assert (outcome.code, outcome.fault) == ("msgpack.invalid", Fault.PRODUCER)
    assert "secret" not in outcome.detail


async def test_signals_of_all_detectors_reach_the_policy() -> None:
    """Two detectors see the same batch, once each, and the verdict names what answered."""
    one = FakeDetector(says=lambda _: SignalSet(values={"fake.value": 1}, models={"m": "1"}))
    two = FakeDetector(name="other", says=lambda _: SignalSet(values={"other.value": 2}, models={"n": "2"}))
    outcome = await process(a_record(), deps(one, two))
    assert isinstance(outcome, Decided)
    assert dict(outcome.verdict.versions.models) == {"m": "1", "n": "2"}
    assert one.batches == two.batches == [["event-1"]]


async def test_the_same_event_judged_again_gives_the_same_verdict() -> None:
    """Nothing of the clock gets into it."""
    first = await process(a_record(), deps(FakeDetector()))
    second = await process(a_record(offset=9), deps(FakeDetector()))
    assert isinstance(first, Decided)
    assert isinstance(second, Decided)
    assert first.verdict == second.verdict


@pytest.mark.parametrize(
    ("detector", "status"),
    [(BrokenDetector(), SignalStatus.FAILED), (ShortDetector(), SignalStatus.FAILED)],
    ids=["raises", "miscounts"],
)
async def test_a_detector_that_breaks_costs_its_signals_only(detector: FakeDetector, status: SignalStatus) -> None:
    """Its signals are missing with a reason that quotes no content; other detectors' signals are there."""
    other = FakeDetector(name="other", says=lambda _: SignalSet(values={"other.value": 2}))
    event = an_event("the secret text")
    clock = FakeClock()
    (found,) = await gather_signals([event], [detector, other], Deadline.after(clock.monotonic(), 5), clock)
    assert found.status("fake.value") is status
    assert "secret" not in found.missing["fake.value"].why
    assert found.values == {"other.value": 2}


async def test_a_detector_that_is_late_leaves_missing_signals() -> None:
    """The deadline ends the wait, and says `timeout`."""
    detector = FakeDetector(gates={"event-1": asyncio.Event()})
    clock = FakeClock()
    (found,) = await gather_signals([an_event()], [detector], Deadline.after(clock.monotonic(), 0.01), clock)
    assert found.status("fake.value") is SignalStatus.TIMEOUT


async def test_cancelling_is_not_swallowed() -> None:
    """A worker that stops must be able to stop."""
    detector = FakeDetector(gates={"event-1": asyncio.Event()})
    task = asyncio.create_task(process(a_record(), deps(detector, deadline_s=60)))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_bug_in_deciding_becomes_a_dead_letter_without_content(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our fault: code, class and our own lines travel; the message of the exception, which may quote, does not."""
    text = "the secret text"

    def broken(*_: object) -> None:
        raise KeyError(text)

    monkeypatch.setattr(pipeline, "evaluate", broken)
    outcome = await process(a_record(an_event(text)), deps())
    assert isinstance(outcome, DeadLetter)
    assert (outcome.code, outcome.fault, outcome.exception_class) == ("weir.decide", Fault.WEIR, "builtins.KeyError")
    assert "secret" not in outcome.detail + outcome.stacktrace
    assert "broken" in outcome.stacktrace


async def test_a_bug_in_decoding_becomes_a_dead_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoding is proven total; should the proof fail, the bytes are kept and the stream goes on."""

    def broken(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(pipeline, "decode_event", broken)
    outcome = await process(a_record(), deps())
    assert isinstance(outcome, DeadLetter)
    assert (outcome.code, outcome.fault) == ("weir.decode", Fault.WEIR)


async def test_large_records_and_texts_are_worked_on_off_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither decoding nor matching holds the event loop for long records."""
    used: list[str] = []
    original = asyncio.to_thread

    async def noted(function: object, *args: object) -> object:
        used.append(getattr(function, "__name__", ""))
        return await original(function, *args)  # type: ignore[arg-type]  # any callable

    monkeypatch.setattr(asyncio, "to_thread", noted)
    parts = tuple(TextPart(text="x" * 90_000) for _ in range(8))
    outcome = await process(a_record(an_event(parts=parts)), deps())
    assert isinstance(outcome, Decided)
    assert used == ["decode_event", "_judge"]


async def test_timings_are_there_and_add_up() -> None:
    """Each stage is timed in milliseconds, and `total` is their sum."""
    outcome = await process(a_record(), deps(FakeDetector(says=lambda _: signals({"fake.value": 1}))))
    assert isinstance(outcome, Decided)
    assert set(outcome.timings_ms) == {"decode", "signals", "decide", "total"}
    total = outcome.timings_ms.pop("total")
    assert total == pytest.approx(sum(outcome.timings_ms.values()))
