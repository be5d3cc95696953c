"""Bytes to events and back: what is read, what is refused, and with which code."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest

from streams.core.events import MAX_IMAGE_BYTES, MAX_TEXT_CHARS, ContentEvent, ImagePart, TextPart
from streams.core.outcome import EventDecodeError, RawRecord
from streams.core.wire import (
    DECODE_CODES,
    MAX_COMMAS,
    MAX_RECORD_BYTES,
    decode_event,
    decode_verdict,
    encode_event,
    encode_verdict,
)
from tests.factories import a_record, a_verdict, an_event, an_event_of, an_event_tree, an_image

JSON = (("content-type", b"application/json"),)


def packed(**fields: Any) -> RawRecord:
    """A record of a msgpack map with `fields` on top of a good event."""
    return a_record(msgspec.msgpack.encode(an_event_tree(**fields)))


def as_json(**fields: Any) -> RawRecord:
    """The same as JSON."""
    return a_record(msgspec.json.encode(an_event_tree(**fields)), headers=JSON)


def refusal(record: RawRecord) -> EventDecodeError:
    """The error for `record`; its code is one of the fixed set."""
    with pytest.raises(EventDecodeError) as caught:
        decode_event(record)
    assert caught.value.code in DECODE_CODES
    return caught.value


def test_an_event_comes_back_as_it_was() -> None:
    """Encoding and decoding are each other's inverse, with pictures, references and every optional field."""
    event = an_event_of(
        TextPart(text="नमस्ते 👋", role="title"),
        an_image(),
        an_image(data=None, uri="file:///a.png"),
        surface="dm",
        tenant="t",
        labels={"risk": "low"},
    )
    assert decode_event(a_record(event)) == event


def test_json_means_the_same_as_msgpack() -> None:
    """The header chooses the form; inline bytes are base64 in JSON."""
    event = an_event_of(TextPart(text="hello"), an_image())
    assert decode_event(a_record(msgspec.json.encode(event), headers=JSON)) == event


@pytest.mark.parametrize(
    "kind",
    [b"application/json; charset=utf-8", b"Application/JSON", b"application/msgpack", b"application/x-msgpack", b""],
)
def test_content_types_are_read_as_http_reads_them(kind: bytes) -> None:
    """Case and parameters do not matter; no type means msgpack."""
    event = an_event()
    raw = msgspec.json.encode(event) if b"json" in kind.lower() else encode_event(event)
    assert decode_event(a_record(raw, headers=(("content-type", kind),))) == event


def test_unknown_keys_are_never_an_error() -> None:
    """At every level, however large and whatever is in them: they are skipped."""
    tree: dict[str, Any] = {"deep": [{"x": [1, None, b"\xff"]}] * 2_000, "big": "x" * 2_000_000}
    event = decode_event(packed(extension=tree, author={"id": "a", "shoe_size": 43}))
    assert event.author is not None
    assert event.author.id == "a"


@pytest.mark.parametrize("schema", [b"weir.event/1", b"weir.event/1.0", b"weir.event/1.27"])
def test_minor_versions_of_the_schema_are_read(schema: bytes) -> None:
    """A minor version only adds keys."""
    assert decode_event(a_record(headers=(("schema", schema),))) == an_event()


@pytest.mark.parametrize(
    ("schema", "code"),
    [
        (b"weir.event/2", "schema.major"),
        (b"weir.event/999999", "schema.major"),
        (b"weir.verdict/1", "schema.unknown"),
        (b"weir.event/", "schema.unknown"),
        (b"\xff\xfe", "schema.unknown"),
        (b"", "schema.unknown"),
    ],
)
def test_other_schemas_are_refused(schema: bytes, code: str) -> None:
    """An unknown major version is not guessed at."""
    assert refusal(a_record(headers=(("schema", schema),))).code == code


def test_the_last_header_of_a_name_counts() -> None:
    """As in Kafka's own tools."""
    headers = (("content-type", b"text/plain"), ("content-type", b"application/msgpack"))
    assert decode_event(a_record(headers=headers)) == an_event()


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"", "record.empty"),
        (b"\xc1", "msgpack.invalid"),
        (encode_event(an_event())[:-1], "msgpack.invalid"),
        (encode_event(an_event()) + b"\x00", "msgpack.invalid"),
        (b"\x90", "event.invalid"),
        (b"\x05", "event.invalid"),
        (b"\x80", "event.invalid"),
        (b"\x81\x01\x02", "event.invalid"),
        (b"\x81\xa8event_id\xdb\xff\xff\xff\xff", "msgpack.invalid"),
        (b"\x81\xa5parts\xdd\xff\xff\xff\xff", "event.invalid"),
        (b"\x81\xa6labels\xdf\xff\xff\xff\xff", "event.invalid"),
        (b"\x81\xa1x\xdd\xff\xff\xff\xff", "msgpack.invalid"),
        (b"\x81\xa8event_id\xa1\xff", "msgpack.invalid"),
        (b"\x81\xa8event_id\xa3\xed\xa0\x80", "msgpack.invalid"),
        (b"\x81\xa1x" + b"\x91" * 100_000 + b"\xc0", "msgpack.limit"),
        (b"\x81\xa8event_id\xc7\x02\x05xx", "event.invalid"),
    ],
)
def test_bytes_that_are_no_event_are_refused_with_a_code(value: bytes, code: str) -> None:
    """Broken, truncated, lying and endlessly nested msgpack."""
    assert refusal(a_record(value)).code == code


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"{", "json.invalid"),
        (b"\xef\xbb\xbf{}", "json.invalid"),
        (b'{"event_id": "\xff"}', "json.invalid"),
        (b'{"event_id": "\\ud800"}', "json.invalid"),
        (b'{"event_id": NaN}', "json.invalid"),
        (b'{"created_at": 1e999}', "event.invalid"),
        (b'{"created_at": ' + b"9" * 100_000 + b"}", "event.invalid"),
        (b'{"x":' * 100_000, "json.limit"),
        (b'{"labels": {' + b'"":"",' * 200_000 + b'"x":""}}', "json.limit"),
        (b"[]", "event.invalid"),
    ],
)
def test_json_that_is_no_event_is_refused_with_a_code(value: bytes, code: str) -> None:
    """Broken, out of range, endlessly nested and flooding JSON."""
    assert refusal(a_record(value, headers=JSON)).code == code


@pytest.mark.parametrize("flood", ["[", '{"', "\\", "[,", '",'])
def test_a_text_of_brackets_and_commas_is_a_text(flood: str) -> None:
    """Nobody gets out of being judged by what they type: limits count structure, not characters of texts."""
    text = flood * (MAX_TEXT_CHARS // len(flood))
    assert len(text) > MAX_COMMAS
    event = an_event_of(*[TextPart(text=text)] * 16)
    assert decode_event(a_record(msgspec.json.encode(event), headers=JSON)) == event
    assert decode_event(a_record(event)) == event


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"event_id": ""}, "$.event_id"),
        ({"event_id": "x" * 257}, "$.event_id"),
        ({"event_id": 7}, "$.event_id"),
        ({"kind": "telegram"}, "$.kind"),
        ({"created_at": -1}, "$.created_at"),
        ({"created_at": "yesterday"}, "$.created_at"),
        ({"parts": []}, "$.parts"),
        ({"parts": [{"type": "text", "text": "x"}] * 17}, "$.parts"),
        ({"parts": [{"type": "text", "text": "x" * (MAX_TEXT_CHARS + 1)}]}, "$.parts[0].text"),
        ({"parts": [{"type": "audio", "uri": "x"}]}, "$.parts[0].type"),
        ({"parts": [{"text": "x"}]}, "type"),
        ({"labels": {str(n): "" for n in range(65)}}, "$.labels"),
        ({"audience": {"size": -1}}, "$.audience.size"),
        ({"author": {}}, "$.author"),
    ],
)
def test_errors_name_the_path(fields: dict[str, Any], path: str) -> None:
    """The producer reads where it is wrong, in msgpack and in JSON alike."""
    for record in (packed(**fields), as_json(**fields)):
        error = refusal(record)
        assert error.code == "event.invalid"
        assert path in error.detail


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none_are_refused(value: float) -> None:
    """A time that is not a number would poison every comparison."""
    assert refusal(packed(created_at=value)).code in {"event.number", "event.invalid"}
    assert refusal(packed(author={"id": "a", "created_at": value})).code in {"event.number", "event.invalid"}


def test_an_image_has_exactly_one_source() -> None:
    """Neither none nor both."""
    for image in ({"type": "image"}, {"type": "image", "bytes": b"x", "uri": "file:///x"}):
        error = refusal(packed(parts=[{"type": "text", "text": "x"}, image]))
        assert error.code == "event.image"
        assert "parts[1]" in error.detail


@pytest.mark.parametrize("field", ["event_id", "content_id"])
@pytest.mark.parametrize("bad", ["a\nb", "a\x00b", "a\u202eb", "\ue000"])
def test_identifiers_can_be_printed(field: str, bad: str) -> None:
    """They end up in logs, headers and keys of other systems."""
    error = refusal(packed(**{field: bad}))
    assert error.code == "event.text"
    assert field in error.detail


def test_a_record_over_the_limit_is_not_looked_into() -> None:
    """Its size is reason enough; the largest inline picture fits below it."""
    assert refusal(a_record(bytes(MAX_RECORD_BYTES + 1))).code == "record.too_large"
    event = an_event_of(ImagePart(data=bytes(MAX_IMAGE_BYTES)))
    assert decode_event(a_record(event)) == event


def test_an_unknown_content_type_is_refused() -> None:
    """The error names both that are read."""
    error = refusal(a_record(headers=(("content-type", b"application/avro"),)))
    assert error.code == "record.content_type"
    assert "application/msgpack" in error.detail
    assert "application/json" in error.detail


@pytest.mark.parametrize(
    "fields", [{"kind": "my secret"}, {"parts": [{"type": "my secret"}]}, {"my secret": 1, "event_id": 1}]
)
def test_errors_never_quote_the_record(fields: dict[str, Any]) -> None:
    """Details go to headers and logs."""
    assert "secret" not in str(refusal(packed(**fields)))
    assert "secret" not in str(refusal(as_json(**fields)))


def test_the_same_verdict_is_the_same_bytes() -> None:
    """Whatever the order in which maps were filled."""
    one = a_verdict("review", versions=msgspec.structs.replace(a_verdict().versions, models={"a": "1", "b": "2"}))
    two = a_verdict("review", versions=msgspec.structs.replace(a_verdict().versions, models={"b": "2", "a": "1"}))
    assert encode_verdict(one) == encode_verdict(two)
    assert decode_verdict(encode_verdict(one)) == one


def test_a_verdict_has_the_fields_of_the_contract_in_their_order() -> None:
    """Consumers in other languages read the map by these names."""
    tree = msgspec.msgpack.decode(encode_verdict(a_verdict()))
    assert list(tree) == [
        "verdict_id",
        "event_id",
        "content_id",
        "kind",
        "surface",
        "locale",
        "tenant",
        "key",
        "action",
        "severity",
        "labels",
        "reasons",
        "review_queue",
        "categories",
        "matches",
        "shadow",
        "suppressed",
        "undecided",
        "modify",
        "joint",
        "novelty",
        "versions",
        "degraded",
    ]


def test_key_is_the_author_else_the_content() -> None:
    """What orders events among each other."""
    assert an_event().key == "author-1"
    assert an_event(author=None).key == "content-1"
    assert isinstance(an_event(), ContentEvent)
