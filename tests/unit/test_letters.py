"""What goes out for an outcome: topics, keys, headers, bytes."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace

import msgspec

from streams.agents.letters import Letter, Stamp, Topics, compressed, letters, without_value
from streams.core.flagged import Flagged
from streams.core.outcome import DeadLetter, Fault
from streams.core.wire import decode_verdict
from tests.factories import a_decision, a_record, an_event_of, an_image

TOPICS = Topics("v", "f", "d")
STAMP = Stamp("worker-1", 1_700_000_000.25)


def headers(letter: Letter) -> dict[str, str]:
    """The headers as text."""
    return {name: value.decode() for name, value in letter.headers}


def test_an_allowed_event_becomes_one_verdict() -> None:
    """Every event gets a verdict, keyed by its content; nothing is flagged."""
    (letter,) = letters(a_decision(), TOPICS, STAMP)
    assert (letter.topic, letter.key) == ("v", b"content-1")
    assert decode_verdict(letter.value or b"").action == "allow"


def test_a_verdict_above_allow_is_flagged_too() -> None:
    """The flag carries the verdict, the explanation and what a reviewer needs to see."""
    verdict, flag = letters(a_decision("review"), TOPICS, STAMP)
    shown = msgspec.msgpack.decode(flag.value or b"", type=Flagged)
    assert (verdict.topic, flag.topic, flag.key) == ("v", "f", b"content-1")
    assert shown.verdict_id == decode_verdict(verdict.value or b"").verdict_id
    assert shown.explanation == ("p.rule → review: because",)
    assert shown.parts[0].text == "good morning"
    assert shown.author_id == "author-1"


def test_a_flag_never_carries_pictures() -> None:
    """Inline bytes are named, not copied."""
    decision = replace(a_decision("block"), event=an_event_of(an_image(), an_image(data=None, uri="file:///a.png")))
    _, flag = letters(decision, TOPICS, STAMP)
    shown = msgspec.msgpack.decode(flag.value or b"", type=Flagged)
    assert [part.uri for part in shown.parts] == ["inline", "file:///a.png"]


def test_what_changes_from_run_to_run_is_in_the_headers_only() -> None:
    """Worker, time and timings do not touch the bytes of the verdict."""
    (one,) = letters(a_decision(timings_ms={"decode": 1.0}), TOPICS, STAMP)
    (two,) = letters(a_decision(timings_ms={"decode": 9.0}), TOPICS, Stamp("worker-2", 5.0))
    assert one.value == two.value
    assert headers(one)["weir-worker"] == "worker-1"
    assert headers(one)["weir-judged-at"] == "1700000000.250"
    assert json.loads(headers(two)["weir-timings-ms"]) == {"decode": 9.0}


def test_verdict_headers_name_schema_type_source_and_trace() -> None:
    """A consumer learns how to read it and where it came from; only the trace is taken over from the producer."""
    record = a_record(partition=3, offset=42, headers=(("traceparent", b"00-ab"), ("x-secret", b"1")))
    (letter,) = letters(a_decision(record=record), TOPICS, STAMP)
    found = headers(letter)
    assert found["schema"] == "weir.verdict/1"
    assert found["content-type"] == "application/msgpack"
    assert found["weir-source"] == "content.incoming/3/42"
    assert found["traceparent"] == "00-ab"
    assert "x-secret" not in found


def test_a_dead_letter_keeps_key_bytes_and_headers() -> None:
    """The original record is untouched; the reasons come on top, under the names that Kafka Connect uses."""
    record = a_record(b"\xc1broken", key=None, partition=2, offset=7, headers=(("h", b"\xff"), ("h", b"2")))
    outcome = DeadLetter(record, "msgpack.invalid", "bytes follow the map", Fault.PRODUCER, "EventDecodeError")
    (letter,) = letters(outcome, TOPICS, STAMP)
    assert (letter.topic, letter.key, letter.value) == ("d", None, b"\xc1broken")
    assert letter.headers[:2] == (("h", b"\xff"), ("h", b"2"))
    found = {name: value for name, value in letter.headers if name != "h"}
    assert found["__connect.errors.topic"] == b"content.incoming"
    assert found["__connect.errors.partition"] == b"2"
    assert found["__connect.errors.offset"] == b"7"
    assert found["__connect.errors.stage"] == b"VALUE_CONVERTER"
    assert found["__connect.errors.exception.class.name"] == b"EventDecodeError"
    assert found["__connect.errors.exception.message"] == b"msgpack.invalid: bytes follow the map"
    assert found["weir-code"] == b"msgpack.invalid"
    assert found["weir-fault"] == b"producer"
    assert found["weir-attempts"] == b"1"


def test_a_dead_letter_of_a_dead_letter_has_each_reason_once() -> None:
    """Reading the dead-letter topic again must not pile up headers."""
    outcome = DeadLetter(a_record(b"x"), "msgpack.invalid", "first", Fault.PRODUCER)
    (first,) = letters(outcome, TOPICS, STAMP)
    again = DeadLetter(a_record(b"x", headers=first.headers), "msgpack.invalid", "second", Fault.PRODUCER)
    (second,) = letters(again, TOPICS, STAMP)
    names = [name for name, _ in second.headers]
    assert len(names) == len(set(names))
    assert headers(second)["__connect.errors.exception.message"] == "msgpack.invalid: second"


def test_a_missing_value_stays_missing() -> None:
    """A tombstone goes to the dead letters as a tombstone."""
    outcome = DeadLetter(replace(a_record(), value=None), "record.empty", "no value", Fault.PRODUCER)
    (letter,) = letters(outcome, TOPICS, STAMP)
    assert letter.value is None


def test_long_reasons_are_cut() -> None:
    """A stack trace cannot make the headers too large for the broker."""
    outcome = DeadLetter(a_record(b"x"), "weir.decide", "x", Fault.WEIR, stacktrace="é" * 100_000)
    (letter,) = letters(outcome, TOPICS, STAMP)
    assert sum(len(value) for _, value in letter.headers) < 20_000


def test_compressed_says_so_and_gives_the_bytes_back() -> None:
    """A consumer can undo it from the header alone."""
    smaller = compressed(Letter("d", b"k", b"a" * 10_000, (("h", b"1"),)))
    assert headers(smaller)["weir-value-encoding"] == "gzip"
    assert gzip.decompress(smaller.value or b"") == b"a" * 10_000
    assert len(smaller.value or b"") < 200


def test_without_value_keeps_the_reasons_and_says_what_is_missing() -> None:
    """The last resort for a record that no broker takes: its source offset and its hash remain."""
    record = a_record(b"big", headers=(("huge", b"x" * 1000),))
    (letter,) = letters(DeadLetter(record, "msgpack.invalid", "x", Fault.PRODUCER), TOPICS, STAMP)
    empty = without_value(letter)
    found = headers(empty)
    assert empty.value is None
    assert found["weir-value-encoding"] == "omitted"
    assert found["weir-value-bytes"] == "3"
    assert len(found["weir-value-sha256"]) == 64
    assert found["__connect.errors.offset"] == "0"
    assert "huge" not in found
