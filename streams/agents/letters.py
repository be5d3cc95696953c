"""Outcomes → the records that go out: topics, keys, headers, bytes. Pure.

Dead letters carry Kafka Connect's header names, so that tools that know those know ours.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from policies.engine.taxonomy import Action
from streams.core.flagged import FLAGGED_SCHEMA, encode_flagged, flagged_of
from streams.core.outcome import DeadLetter, Decided, Headers, Outcome, RawRecord
from streams.core.wire import MSGPACK_TYPE, VERDICT_SCHEMA, encode_verdict

_ALLOW = Action.ALLOW.word
_MAX_HEADER_CHARS = 8_000


@dataclass(frozen=True, slots=True)
class Topics:
    """The full names of the topics that are written."""

    verdicts: str
    flagged: str
    deadletter: str


@dataclass(frozen=True, slots=True)
class Letter:
    """One record to publish."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Stamp:
    """What travels in headers only, so that the same verdict stays the same bytes."""

    worker: str
    judged_at: float  # seconds since the epoch


def letters(outcome: Outcome, topics: Topics, stamp: Stamp) -> Iterator[Letter]:
    """The records that `outcome` becomes: a verdict, its flag when it is more than `allow`, or a dead letter."""
    if isinstance(outcome, DeadLetter):
        yield _dead_letter(outcome, topics.deadletter, stamp)
        return
    key = outcome.verdict.content_id.encode()
    value = encode_verdict(outcome.verdict)
    yield Letter(topics.verdicts, key, value, _headers(outcome, VERDICT_SCHEMA, stamp))
    if outcome.verdict.action != _ALLOW:
        value = encode_flagged(flagged_of(outcome.verdict, outcome.event))
        yield Letter(topics.flagged, key, value, _headers(outcome, FLAGGED_SCHEMA, stamp))


def _headers(outcome: Decided, schema: str, stamp: Stamp) -> Headers:
    timings = msgspec.json.encode({name: round(ms, 3) for name, ms in outcome.timings_ms.items()})
    return (
        ("schema", schema.encode()),
        ("content-type", MSGPACK_TYPE.encode()),
        *_trace(outcome.record),
        ("weir-worker", stamp.worker.encode()),
        ("weir-judged-at", f"{stamp.judged_at:.3f}".encode()),
        ("weir-timings-ms", timings),
        ("weir-source", _source(outcome.record)),
    )


def _dead_letter(outcome: DeadLetter, topic: str, stamp: Stamp) -> Letter:
    record = outcome.record
    reasons = {
        "__connect.errors.topic": record.topic,
        "__connect.errors.partition": str(record.partition),
        "__connect.errors.offset": str(record.offset),
        "__connect.errors.connector.name": "weir",
        "__connect.errors.task.id": stamp.worker,
        "__connect.errors.stage": "VALUE_CONVERTER" if outcome.fault == "producer" else "TRANSFORMATION",
        "__connect.errors.class.name": outcome.code,
        "__connect.errors.exception.class.name": outcome.exception_class,
        "__connect.errors.exception.message": f"{outcome.code}: {outcome.detail}",
        "__connect.errors.exception.stacktrace": outcome.stacktrace,
        "weir-code": outcome.code,
        "weir-fault": outcome.fault.value,
        "weir-attempts": str(outcome.attempts),
        "weir-worker": stamp.worker,
        "weir-failed-at": f"{stamp.judged_at:.3f}",
    }
    ours = tuple((name, text[:_MAX_HEADER_CHARS].encode("utf-8", "replace")) for name, text in reasons.items())
    theirs = tuple(header for header in record.headers if header[0] not in reasons)
    return Letter(topic, record.key, record.value, (*theirs, *ours))


def compressed(letter: Letter) -> Letter:
    """The same letter with its bytes gzipped, for a broker that finds it too large; a header says so."""
    value = gzip.compress(letter.value or b"", mtime=0)
    return Letter(letter.topic, letter.key, value, (*letter.headers, ("weir-value-encoding", b"gzip")))


def without_value(letter: Letter) -> Letter:
    """What is left of a dead letter that no broker takes even compressed: the reasons, the source and a hash.

    The bytes stay in the source topic, at the offset that the headers name, as long as that keeps them.
    """
    value = letter.value or b""
    ours = tuple(header for header in letter.headers if header[0].startswith(("__connect.errors.", "weir-")))
    told = (
        ("weir-value-encoding", b"omitted"),
        ("weir-value-bytes", str(len(value)).encode()),
        ("weir-value-sha256", hashlib.sha256(value).hexdigest().encode()),
    )
    return Letter(letter.topic, letter.key, None, (*ours, *told))


def _trace(record: RawRecord) -> Headers:
    return tuple((name, value) for name, value in record.headers if name in {"traceparent", "tracestate"})


def _source(record: RawRecord) -> bytes:
    return f"{record.topic}/{record.partition}/{record.offset}".encode()
