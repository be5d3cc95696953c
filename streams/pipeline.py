"""One event's whole story: decode, gather signals, decide. A batch of records in, one outcome for each, in order.

It raises nothing but cancellation: whatever happens to one event ends in its own outcome. No Kafka and no client
library here; the agent feeds it from a topic, `weir judge` from a file.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from policies import PolicyBundle, evaluate, event_signals, scan_lists
from policies.engine.signals import SignalSet, SignalStatus
from policies.engine.subject import Subject
from policies.engine.verdict import Verdict
from streams.core.deadline import Deadline
from streams.core.events import ContentEvent
from streams.core.outcome import DeadLetter, Decided, EventDecodeError, Fault, Outcome, RawRecord
from streams.core.subject import subject_of
from streams.core.wire import decode_event
from streams.ports import Clock, DeclaredDetector, Detector, PolicySource, Recorder

#: A record above this is decoded in a thread: copying it would hold the loop for more than a millisecond.
LARGE_RECORD_BYTES = 512 * 1024
#: Texts above this are matched in a thread, for the same reason.
LARGE_TEXT_CHARS = 20_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Deps:
    """What the pipeline works with."""

    detectors: Sequence[Detector]
    policies: PolicySource
    clock: Clock
    deadline_s: float
    declared: Sequence[DeclaredDetector] = ()
    recorder: Recorder | None = None


@dataclass(slots=True)
class _Case:
    """An event on its way."""

    record: RawRecord
    event: ContentEvent
    subject: Subject
    timings_ms: dict[str, float]


async def process(record: RawRecord, deps: Deps) -> Outcome:
    """The outcome of one record."""
    return (await process_batch([record], deps))[0]


async def process_batch(records: Sequence[RawRecord], deps: Deps) -> list[Outcome]:
    """One outcome per record, in order; the whole batch is judged by one policy bundle."""
    started = deps.clock.monotonic()
    bundle = deps.policies.current()
    outcomes: list[Outcome | None] = [None] * len(records)
    cases: dict[int, _Case] = {}
    for index, record in enumerate(records):
        read = await _read(record)
        if isinstance(read, DeadLetter):
            outcomes[index] = read
        else:
            cases[index] = _Case(record, read, subject_of(read), {})
    decoded = deps.clock.monotonic()
    live = list(cases.values())
    deadline = Deadline.after(started, deps.deadline_s)
    detectors = [*deps.detectors, *(declared.bound_to(bundle) for declared in deps.declared)]
    signal_sets = await gather_signals([case.event for case in live], detectors, deadline, deps.clock)
    gathered = deps.clock.monotonic()
    for case in live:
        case.timings_ms["decode"] = (decoded - started) * 1e3
        case.timings_ms["signals"] = (gathered - decoded) * 1e3
    for (index, case), signals in zip(cases.items(), signal_sets, strict=True):
        outcomes[index] = await _decide(case, signals, bundle, deps)
    return [outcome for outcome in outcomes if outcome is not None]


async def _read(record: RawRecord) -> ContentEvent | DeadLetter:
    try:
        if record.value is not None and len(record.value) > LARGE_RECORD_BYTES:
            return await asyncio.to_thread(decode_event, record)
        return decode_event(record)
    except EventDecodeError as exc:
        return DeadLetter(record, exc.code, exc.detail, Fault.PRODUCER, exception_class=type(exc).__qualname__)
    except Exception as exc:  # noqa: BLE001  # decoding is proven total; should the proof fail, the bytes are still kept
        return our_fault(record, "decode", exc)


async def gather_signals(
    events: Sequence[ContentEvent], detectors: Sequence[Detector], deadline: Deadline, clock: Clock
) -> list[SignalSet]:
    """What every detector says about each event; a detector that breaks or is late leaves missing signals."""
    merged = [SignalSet() for _ in events]
    if not events:
        return merged
    answers = await asyncio.gather(*(_detect(detector, events, deadline, clock) for detector in detectors))
    for answer in answers:
        for whole, part in zip(merged, answer, strict=True):
            whole.merge(part)
    return merged


async def _detect(
    detector: Detector, events: Sequence[ContentEvent], deadline: Deadline, clock: Clock
) -> list[SignalSet]:
    left_s = deadline.left_s(clock.monotonic())
    own_s = left_s * 0.95  # a detector that keeps to its time says itself what was late
    try:
        async with asyncio.timeout(left_s):
            found = await detector.detect(events, timeout_s=own_s)
        if len(found) == len(events):
            return found
        status, why = SignalStatus.FAILED, f"{detector.name} answered for {len(found)} of {len(events)} events"
        log.error("detector.miscounted", detector=detector.name, answered=len(found), asked=len(events))
    except TimeoutError:
        status, why = SignalStatus.TIMEOUT, f"{detector.name} gave no answer in time"
        log.warning("detector.timed_out", detector=detector.name, events=len(events))
    except Exception as exc:
        # The seam between our detectors and the stream: a bug in one of them must cost its signals, not the event.
        status, why = SignalStatus.FAILED, f"{detector.name} broke: {type(exc).__name__}"
        log.exception("detector.failed", detector=detector.name, events=len(events))
    return [_all_missing(detector, status, why) for _ in events]


def _all_missing(detector: Detector, status: SignalStatus, why: str) -> SignalSet:
    signals = SignalSet()
    signals.miss((spec.name for spec in detector.provides), status, why)
    return signals


async def _decide(case: _Case, signals: SignalSet, bundle: PolicyBundle, deps: Deps) -> Outcome:
    started = deps.clock.monotonic()
    try:
        if sum(len(part.text) for part in case.subject.texts) > LARGE_TEXT_CHARS:
            verdict = await asyncio.to_thread(_judge, case.subject, signals, bundle)
        else:
            verdict = _judge(case.subject, signals, bundle)
    except Exception as exc:
        # Ours alone: evaluation is pure. The event keeps its bytes in the dead letter and the stream goes on.
        log.exception("event.failed", event_id=case.event.event_id)
        return our_fault(case.record, "decide", exc)
    if deps.recorder is not None:
        signals.merge(event_signals(case.subject))  # a replay reads them beside the others
        deps.recorder.record(case.subject, signals)
    case.timings_ms["decide"] = (deps.clock.monotonic() - started) * 1e3
    case.timings_ms["total"] = sum(case.timings_ms.values())
    return Decided(case.record, case.event, verdict, case.timings_ms)


def _judge(subject: Subject, signals: SignalSet, bundle: PolicyBundle) -> Verdict:
    signals.merge(scan_lists(bundle, subject.texts, subject.locale))
    return evaluate(bundle, subject, signals)


def our_fault(record: RawRecord, stage: str, exc: Exception) -> DeadLetter:
    """The dead letter of a record that our own code broke on, at `stage`."""
    # The message of an exception may quote content: only its class and the code's own lines travel.
    frames = "".join(traceback.format_tb(exc.__traceback__))
    return DeadLetter(
        record,
        f"weir.{stage}",
        f"{type(exc).__name__} while Weir worked on it; see the stack trace",
        Fault.WEIR,
        exception_class=f"{type(exc).__module__}.{type(exc).__qualname__}",
        stacktrace=frames[-8_000:],
    )
