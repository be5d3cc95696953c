"""From files to records to publish: three forms of JSON lines, msgpack, and what is no event."""

from __future__ import annotations

import json
from io import BytesIO

import msgpack

from ops.records import BadRecord, Inputs, jsonl_records, msgpack_records
from ops.samples import load_samples
from ops.samples.sample import EVENTS
from streams.adapters.kafka import OutRecord
from streams.core.outcome import RawRecord
from streams.core.wire import decode_event

INPUTS = Inputs(read_image=lambda path: path.encode(), created_at=1_700_000_000.0)
EVENT = {
    "event_id": "e",
    "content_id": "c",
    "kind": "post",
    "created_at": 1.0,
    "parts": [{"type": "text", "text": "x"}],
}


def read(text: str) -> list[OutRecord | BadRecord]:
    """What `text` holds."""
    return list(jsonl_records(BytesIO(text.encode()), INPUTS))


def test_short_and_full_lines_become_keyed_records() -> None:
    """Each event is published as msgpack under its author, else its content, with the contract's headers."""
    short, full = read(f'{{"id": "a", "text": "hi", "author": "u"}}\n\n{json.dumps(EVENT)}\n')
    assert isinstance(short, OutRecord)
    assert isinstance(full, OutRecord)
    assert (short.key, full.key) == (b"u", b"c")
    assert dict(short.headers) == {"schema": b"weir.event/1", "content-type": b"application/msgpack"}
    event = decode_event(RawRecord("t", 0, 0, full.key, full.value, full.headers))
    assert event.event_id == "e"


def test_a_bad_line_is_named_and_the_rest_goes_on() -> None:
    """A line that is no event is answered with its number; lines after it are still read."""
    first, bad, last = read('{"id": 1, "text": "a"}\n{"id": 2}\n{"id": 3, "text": "c"}')
    assert isinstance(first, OutRecord)
    assert isinstance(last, OutRecord)
    assert isinstance(bad, BadRecord)
    assert bad.number == 2
    assert "line 2: `text`" in bad.why


def test_the_samples_file_is_published_as_it_stands() -> None:
    """Raw records keep their bytes, keys and headers, broken ones too."""
    with EVENTS.open("rb") as lines:
        records = list(jsonl_records(lines, INPUTS))
    samples = load_samples()
    assert [(r.key, r.value, r.headers) for r in records if isinstance(r, OutRecord)] == [
        (s.key, s.value, s.headers) for s in samples
    ]


def test_a_broken_raw_record_is_named() -> None:
    """A raw record whose base64 is broken is a bad line, not a crash."""
    (bad,) = read('{"id": "x", "headers": {}, "expect": {}, "value": "!!"}')
    assert isinstance(bad, BadRecord)
    assert "line 1" in bad.why


def test_msgpack_objects_are_read_one_after_another() -> None:
    """Full events in msgpack follow each other without separators; one that is no event is named."""
    stream = msgpack.packb(EVENT) + msgpack.packb({"no": "event"}) + msgpack.packb({**EVENT, "event_id": "e2"})
    first, bad, last = msgpack_records(BytesIO(stream))
    assert isinstance(first, OutRecord)
    assert isinstance(last, OutRecord)
    assert isinstance(bad, BadRecord)
    assert "object 2: event.invalid" in bad.why


def test_a_cut_msgpack_stream_says_so() -> None:
    """An input that ends inside an object is not taken for a complete one."""
    whole = msgpack.packb(EVENT)
    first, bad = msgpack_records(BytesIO(whole + whole[:20]))
    assert isinstance(first, OutRecord)
    assert isinstance(bad, BadRecord)
    assert "cut off" in bad.why


def test_bytes_that_are_no_msgpack_end_the_reading() -> None:
    """After a byte that msgpack never uses nothing can be trusted."""
    first, bad = msgpack_records(BytesIO(msgpack.packb(EVENT) + b"\xc1" + msgpack.packb(EVENT)))
    assert isinstance(first, OutRecord)
    assert isinstance(bad, BadRecord)
    assert "not msgpack" in bad.why
