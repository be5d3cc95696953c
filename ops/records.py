"""From a file that somebody wrote to records to publish: JSON lines in three forms, or msgpack one after another.

Reads and checks; sends nothing. What is no event is answered with a BadRecord and the reading goes on.
"""

from __future__ import annotations

import binascii
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import msgpack

from ops.samples.sample import from_json
from streams.adapters.kafka import OutRecord
from streams.core.events import ContentEvent
from streams.core.outcome import EventDecodeError, RawRecord
from streams.core.shortform import ReadImage, ShortFormError, Source, event_from_line
from streams.core.wire import EVENT_SCHEMA, MAX_RECORD_BYTES, MSGPACK_TYPE, decode_event, encode_event

EVENT_HEADERS = (("schema", EVENT_SCHEMA.encode()), ("content-type", MSGPACK_TYPE.encode()))


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A line, or the n-th msgpack object, that is no event."""

    number: int
    why: str


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the lines leave open."""

    read_image: ReadImage
    created_at: float  # seconds since the epoch


def event_record(event: ContentEvent) -> OutRecord:
    """The event as it is published: msgpack, keyed as the contract says, with its headers."""
    return OutRecord(encode_event(event), event.key.encode(), EVENT_HEADERS)


def jsonl_records(lines: IO[bytes], inputs: Inputs) -> Iterator[OutRecord | BadRecord]:
    """One record a line; empty lines are skipped."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _from_line(line, Source(inputs.read_image, inputs.created_at, number))


def _from_line(line: bytes, source: Source) -> OutRecord | BadRecord:
    if b'"expect"' in line and b'"headers"' in line:
        return _raw_record(line, source.number)
    try:
        return event_record(event_from_line(line, source))
    except ShortFormError as exc:
        return BadRecord(source.number, str(exc))


def _raw_record(line: bytes, number: int) -> OutRecord | BadRecord:
    """A record of the samples' form, published as it stands: it may be broken on purpose."""
    try:
        sample = from_json(json.loads(line))
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        binascii.Error,
        zlib.error,
        msgpack.UnpackException,
    ) as exc:
        return BadRecord(number, f"line {number}: not a raw record ({type(exc).__name__}: {exc})")
    return OutRecord(sample.value, sample.key, sample.headers)


def msgpack_records(source: IO[bytes]) -> Iterator[OutRecord | BadRecord]:
    """One record for each msgpack object in `source`; the first byte that is no msgpack ends it."""
    objects: Any = msgpack.Unpacker(source, max_buffer_size=2 * MAX_RECORD_BYTES, strict_map_key=False)
    number = 0
    while True:
        number += 1
        try:
            tree = objects.unpack()
        except msgpack.OutOfData:
            if _incomplete(objects):
                yield BadRecord(number, f"object {number}: cut off; the input ends inside it")
            return
        except (ValueError, msgpack.UnpackException) as exc:
            yield BadRecord(number, f"object {number}: not msgpack ({type(exc).__name__}); nothing after it is read")
            return
        yield _from_tree(tree, number)


def _incomplete(objects: Any) -> bool:
    """Whether the input ended inside an object; the unpacker tells it only by refusing another way of reading."""
    try:
        objects.read_bytes(1)
    except ValueError:
        return True
    return False


def _from_tree(tree: Any, number: int) -> OutRecord | BadRecord:
    try:
        return event_record(decode_event(RawRecord("", 0, 0, None, msgpack.packb(tree))))
    except EventDecodeError as exc:
        return BadRecord(number, f"object {number}: {exc.code}: {exc.detail}")
    except (ValueError, TypeError, OverflowError) as exc:
        return BadRecord(number, f"object {number}: {type(exc).__name__}")
