"""Bytes to typed values and back. Decoding is total: any bytes give a ContentEvent or an EventDecodeError.

Pure. Every limit holds before or while the tree is built, so a hostile record costs bounded time and memory: lengths
and container counts here, nesting by the parsers' own stacks (1,024 levels in msgpack, the recursion limit in JSON).
Unknown keys are never walked.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

import msgpack
import msgspec

from policies.engine.verdict import Verdict
from streams.core.events import MAX_IMAGE_BYTES, ContentEvent, ImagePart
from streams.core.outcome import EventDecodeError, RawRecord

EVENT_SCHEMA: Final = "weir.event/1"
VERDICT_SCHEMA: Final = "weir.verdict/1"
MSGPACK_TYPE: Final = "application/msgpack"
JSON_TYPE: Final = "application/json"

MAX_RECORD_BYTES: Final = 24 * 1024 * 1024  # one inline image at its cap, and room for the rest
MAX_STR_BYTES: Final = 1024 * 1024  # a text of 100,000 code points is at most 400 kB
MAX_ITEMS: Final = 512  # entries of one map or array; unknown keys are allowed, floods are not
MAX_CONTAINERS: Final = 1_024  # maps and arrays of one record: 24 MiB of empty maps would be 1.5 GB of dicts
MAX_COMMAS: Final = 2_000_000  # JSON has no counts up front; texts may hold commas too

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
    event = _convert(_unpack(value, record.header("content-type")))
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


def _unpack(value: bytes, content_type: bytes | None) -> Any:
    kind = (content_type or b"").split(b";", 1)[0].strip().lower()
    if kind in (b"", b"application/msgpack", b"application/x-msgpack", b"application/vnd.msgpack"):
        return _unpack_msgpack(value)
    if kind == b"application/json":
        return _unpack_json(value)
    raise EventDecodeError(
        "record.content_type", f"the header `content-type` is neither {MSGPACK_TYPE} nor {JSON_TYPE}"
    )


def _unpack_msgpack(value: bytes) -> Any:
    count = _ContainerCount()
    try:
        return msgpack.unpackb(
            value,
            raw=False,
            strict_map_key=True,
            max_str_len=MAX_STR_BYTES,
            max_bin_len=MAX_IMAGE_BYTES,
            max_array_len=MAX_ITEMS,
            max_map_len=MAX_ITEMS,
            max_ext_len=0,
            object_hook=count,
            list_hook=count,
            ext_hook=_refuse_ext,
        )
    except msgpack.exceptions.ExtraData as exc:
        raise EventDecodeError("msgpack.invalid", "bytes follow the map") from exc
    except UnicodeDecodeError as exc:
        raise EventDecodeError("msgpack.invalid", "a string is not UTF-8") from exc
    except msgpack.exceptions.StackError as exc:
        raise EventDecodeError("msgpack.limit", "nested deeper than 1,024 levels") from exc
    except (ValueError, OverflowError, TypeError, msgpack.exceptions.UnpackException) as exc:
        # ValueError covers the caps, truncated input and malformed tags; the message names sizes, never content.
        code = "msgpack.limit" if "exceeds" in str(exc) else "msgpack.invalid"
        raise EventDecodeError(code, _safe(exc)) from exc


class _ContainerCount:
    """A hook that hands every map and array on and refuses to make more than MAX_CONTAINERS of them."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_CONTAINERS

    def __call__(self, container: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise ValueError(f"number of maps and arrays exceeds {MAX_CONTAINERS}")
        return container


def _refuse_ext(code: int, _data: bytes) -> Any:
    raise ValueError(f"extension type {code} is not allowed")


def _unpack_json(value: bytes) -> Any:
    if value.count(b"[") + value.count(b"{") > MAX_CONTAINERS * 4:  # brackets inside texts count too: allow for them
        raise EventDecodeError("json.limit", f"more than {MAX_CONTAINERS * 4} brackets")
    if value.count(b",") > MAX_COMMAS:
        raise EventDecodeError("json.limit", f"more than {MAX_COMMAS} commas")
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError as exc:
        raise EventDecodeError("json.invalid", _safe(exc)) from exc
    except RecursionError as exc:
        raise EventDecodeError("json.limit", "nested deeper than the parser's limit") from exc


def _convert(tree: Any) -> ContentEvent:
    if not isinstance(tree, dict):
        raise EventDecodeError("event.invalid", f"expected a map of an event, got {type(tree).__name__}")
    try:
        return msgspec.convert(tree, ContentEvent)
    except msgspec.ValidationError as exc:
        raise EventDecodeError("event.invalid", _safe(exc)) from exc


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
    message = str(exc) or type(exc).__name__  # msgpack's FormatError says nothing
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
