"""Bytes to typed values and back. Decoding is total: any bytes give a ContentEvent or an EventDecodeError.

Pure. Bytes are read straight into the types: what is not in them is skipped without building anything, declared
lengths are checked before they are believed, and nesting ends at the parser's recursion limit. So a hostile record
costs time in proportion to its length and hardly more memory than its length.
"""

from __future__ import annotations

import math
import re
from typing import Final

import msgspec

from policies.engine.verdict import Verdict
from streams.core.events import ContentEvent, ImagePart
from streams.core.outcome import EventDecodeError, RawRecord

EVENT_SCHEMA: Final = "weir.event/1"
VERDICT_SCHEMA: Final = "weir.verdict/1"
MSGPACK_TYPE: Final = "application/msgpack"
JSON_TYPE: Final = "application/json"

MAX_RECORD_BYTES: Final = 24 * 1024 * 1024  # one inline image at its cap, and room for the rest
MAX_COMMAS: Final = 5_000  # of a JSON record that is read without a second look
MAX_JSON_TOKENS: Final = 20_000  # strings and commas of any other: JSON has no counts up front, as msgpack has

DECODE_CODES: Final[frozenset[str]] = frozenset(
    {
        "record.empty",
        "record.too_large",
        "record.content_type",
        "schema.unknown",
        "schema.major",
        "msgpack.invalid",
        "msgpack.limit",
        "json.invalid",
        "json.limit",
        "event.invalid",
        "event.number",
        "event.text",
        "event.image",
    }
)

_SCHEMA = re.compile(r"weir\.event/(\d{1,6})(?:\.\d{1,6})?")


def decode_event(record: RawRecord) -> ContentEvent:
    """The event in `record`; EventDecodeError, the producer's fault, for anything else. Never another exception."""
    value = record.value
    if not value:
        raise EventDecodeError("record.empty", "the record has no value; publish a msgpack map")
    if len(value) > MAX_RECORD_BYTES:
        raise EventDecodeError("record.too_large", f"{len(value)} bytes; at most {MAX_RECORD_BYTES}")
    _check_schema(record.header("schema"))
    event = _read(value, record.header("content-type"))
    _check_event(event)
    return event


def _check_schema(header: bytes | None) -> None:
    if header is None:
        return  # a plain producer may not set headers; then the value must fit version 1
    name = header[:64].decode("ascii", "replace")
    match = _SCHEMA.fullmatch(name)
    if match is None:
        raise EventDecodeError("schema.unknown", "the header `schema` is not `weir.event/<major>`")
    if match[1] != "1":
        raise EventDecodeError("schema.major", f"major version {match[1]} is not known here; this worker reads 1")


_MSGPACK_TYPES: Final = frozenset({b"", b"application/msgpack", b"application/x-msgpack", b"application/vnd.msgpack"})
_MSGPACK: Final = msgspec.msgpack.Decoder(ContentEvent)
_JSON: Final = msgspec.json.Decoder(ContentEvent)
#: One string (to its end, or the end of the record) or one comma outside of strings; possessive, so that it is linear.
_JSON_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.?)*+(?:"|\Z)|,', re.DOTALL)


def _read(value: bytes, content_type: bytes | None) -> ContentEvent:
    kind = content_type.split(b";", 1)[0].strip().lower() if content_type else b""
    if kind in _MSGPACK_TYPES:
        return _decoded(value, _MSGPACK, "msgpack")
    if kind == b"application/json":
        _check_flood(value)
        return _decoded(value, _JSON, "json")
    raise EventDecodeError(
        "record.content_type", f"the header `content-type` is neither {MSGPACK_TYPE} nor {JSON_TYPE}"
    )


def _decoded(
    value: bytes, decoder: msgspec.msgpack.Decoder[ContentEvent] | msgspec.json.Decoder[ContentEvent], form: str
) -> ContentEvent:
    try:
        return decoder.decode(value)
    except msgspec.ValidationError as exc:
        raise EventDecodeError("event.invalid", _safe(exc)) from exc
    except msgspec.DecodeError as exc:
        raise EventDecodeError(f"{form}.invalid", _safe(exc)) from exc
    except UnicodeDecodeError as exc:
        raise EventDecodeError(f"{form}.invalid", "a string is not UTF-8") from exc
    except RecursionError as exc:
        raise EventDecodeError(f"{form}.limit", "nested deeper than the parser's limit") from exc


def _check_flood(value: bytes) -> None:
    """Refuse JSON of so many entries that the tree would be far larger than the record. Texts may hold any commas."""
    if value.count(b",") <= MAX_COMMAS:
        return
    if any(number > MAX_JSON_TOKENS for number, _ in enumerate(_JSON_TOKEN.finditer(value), 1)):
        raise EventDecodeError("json.limit", f"more than {MAX_JSON_TOKENS} strings and commas")


def _check_event(event: ContentEvent) -> None:
    """What types cannot say: finite numbers, encodable texts, one source per image."""
    numbers = [event.created_at, event.author.created_at if event.author else None]
    if any(number is not None and not math.isfinite(number) for number in numbers):
        raise EventDecodeError("event.number", "`created_at` is not a finite number of seconds")
    for index, part in enumerate(event.parts):
        if isinstance(part, ImagePart) and (part.data is None) == (part.uri is None):
            raise EventDecodeError("event.image", f"`parts[{index}]` needs exactly one of `bytes` and `uri`")
    for name, text in (("event_id", event.event_id), ("content_id", event.content_id), ("key", event.key)):
        if not text.isprintable():
            raise EventDecodeError("event.text", f"`{name}` holds characters that cannot be printed")


def _safe(exc: Exception) -> str:
    """The library's message without anything quoted from the record, cut to a line."""
    message = str(exc)
    # msgspec says "Invalid value 'x'" or "Invalid enum value 'x'": drop the quoted value, keep the `$.path`.
    message = re.sub(r"(value|tag|field) '[^']*'", r"\1", message)
    message = re.sub(r"(value|tag|field) -?\d+", r"\1", message)
    return "".join(c if c.isprintable() else "?" for c in message)[:300]


def encode_event(event: ContentEvent) -> bytes:
    """The event as msgpack, for producers written in Python, tests and `weir publish`."""
    return msgspec.msgpack.encode(event)


def encode_verdict(verdict: Verdict) -> bytes:
    """The verdict as msgpack: the same verdict gives the same bytes (fields in order, maps sorted by key)."""
    return msgspec.msgpack.encode(verdict, order="deterministic")


def decode_verdict(value: bytes) -> Verdict:
    """The verdict in `value`; msgspec.DecodeError when it is none."""
    return msgspec.msgpack.decode(value, type=Verdict)
