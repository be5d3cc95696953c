"""Hostile and broken records: each with the code that decoding must answer, or a verdict where it must cope.

Only what concerns bytes, types and limits. Hostile meaning (attacks on people, on prompts) is in `catalogue.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgpack

MSGPACK = (("schema", b"weir.event/1"), ("content-type", b"application/msgpack"))
JSON = (("schema", b"weir.event/1"), ("content-type", b"application/json"))
CREATED_AT = 1_767_225_600.0  # 2026-01-01T00:00:00Z: fixed, so that the file is the same every time


@dataclass(frozen=True, slots=True)
class Broken:
    """A record and the code of its dead letter."""

    note: str
    value: bytes | None
    code: str
    headers: tuple[tuple[str, bytes], ...] = MSGPACK


def event(name: str, **changes: Any) -> dict[str, Any]:
    """A small good event as a plain map, with `changes`."""
    made: dict[str, Any] = {
        "event_id": f"sample-{name}",
        "content_id": f"sample-content-{name}",
        "kind": "post",
        "created_at": CREATED_AT,
        "parts": [{"type": "text", "text": "A walk by the lake before breakfast.", "role": "body"}],
        "author": {"id": "sample-author-odd"},
        "surface": "feed",
        "locale": "en",
    }
    return {**made, **changes}


def broken() -> Iterator[Broken]:
    """Every record that must become a dead letter."""
    good = msgpack.packb(event("good"))
    text = {"type": "text", "text": "part"}
    yield Broken("empty value", None, "record.empty")
    yield Broken("value of no bytes", b"", "record.empty")
    yield Broken("msgpack cut in the middle", good[: len(good) * 2 // 3], "msgpack.invalid")
    yield Broken("bytes after the map", good + b"\x00\x01", "msgpack.invalid")
    yield Broken("random bytes", bytes((i * 197 + 91) % 256 for i in range(300)), "event.invalid")
    yield Broken("a string that is not UTF-8", good.replace(b"lake", b"l\xff\xfee"), "msgpack.invalid")
    yield Broken(
        "an extension type inside", msgpack.packb({"event_id": msgpack.ExtType(7, b"x" * 40)}), "event.invalid"
    )
    yield Broken("nested 5,000 deep", b"\x91" * 5_000 + b"\xc0", "event.invalid")
    deep = b"\x81" + msgpack.packb("unknown") + b"\x91" * 5_000 + b"\xc0"
    yield Broken("nested 5,000 deep under an unknown key", deep, "msgpack.limit")
    yield Broken("an array that announces 4 billion items", b"\xdd\xff\xff\xff\xff", "event.invalid")
    yield Broken("not a map", msgpack.packb(["event", 1]), "event.invalid")
    yield Broken("created_at is a word", msgpack.packb(event("type-time", created_at="yesterday")), "event.invalid")
    yield Broken("parts is a map", msgpack.packb(event("type-parts", parts=text)), "event.invalid")
    yield Broken("an unknown kind", msgpack.packb(event("type-kind", kind="telegram")), "event.invalid")
    yield Broken("no parts", msgpack.packb(event("no-parts", parts=[])), "event.invalid")
    yield Broken("17 parts, 16 are allowed", msgpack.packb(event("parts", parts=[text] * 17)), "event.invalid")
    yield Broken(
        "a text of 1 MB", msgpack.packb(event("huge", parts=[{**text, "text": "weir " * 200_000}])), "event.invalid"
    )
    yield Broken("created_at is not a number", msgpack.packb(event("nan", created_at=math.nan)), "event.invalid")
    both = {"type": "image", "bytes": b"\x89PNG", "uri": "https://cdn.example/a.png"}
    yield Broken("an image with bytes and uri", msgpack.packb(event("two-sources", parts=[both])), "event.image")
    major = (("schema", b"weir.event/9"), ("content-type", b"application/msgpack"))
    yield Broken("an unknown major version", good, "schema.major", major)
    other = (("schema", b"acme.order/1"), ("content-type", b"application/msgpack"))
    yield Broken("another system's schema", good, "schema.unknown", other)
    avro = (("schema", b"weir.event/1"), ("content-type", b"application/avro"))
    yield Broken("a content type that is not read", good, "record.content_type", avro)
    yield Broken("msgpack with the header of JSON", good, "json.invalid", JSON)
    yield Broken("JSON cut in the middle", b'{"event_id": "sample-json-cut", "parts": [{"type"', "json.invalid", JSON)
