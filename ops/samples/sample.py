"""A sample record and the file they come in: one JSON object a line, values as base64 so that any bytes can be told.

Reading needs the standard library and msgpack only. How the file is made is `build.py`.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgpack

from streams.core.outcome import RawRecord

FOLDER = Path(__file__).parent
EVENTS = FOLDER / "events.jsonl"
MEDIA = FOLDER / "media"
MEDIA_MARK = "file:///@samples@/"
"""Stands for the folder of sample media in values; replaced on loading, since its place differs by installation."""

MAX_VALUE_BYTES = 64 * 1024 * 1024  # of a deflated value: a file of samples may come from anywhere


@dataclass(frozen=True, slots=True)
class Expectation:
    """What must become of a sample, whichever model judges it: a verdict, or a dead letter with this code."""

    outcome: Literal["verdict", "deadletter"]
    code: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """A record to publish, and what is known about it."""

    id: str
    group: str
    note: str  # what it is, in words that may be shown
    source: str  # set:row, or `weir` for what was written and drawn for this project
    key: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    value: bytes | None
    expect: Expectation

    def record(self, topic: str = "content.incoming") -> RawRecord:
        """The sample as a broker would hand it over."""
        return RawRecord(topic, 0, 0, self.key, self.value, self.headers)


def load_samples() -> list[Sample]:
    """The bundled samples, in order."""
    with EVENTS.open("rb") as lines:
        return list(read_samples(lines))


def read_samples(lines: Iterable[bytes]) -> Iterator[Sample]:
    """The samples in a file of this format; ValueError or KeyError for a line that is none."""
    for line in lines:
        if line.strip():
            yield from_json(json.loads(line))


def from_json(tree: dict[str, Any]) -> Sample:
    """The sample that one object of the file describes."""
    value = _value(tree)
    if value is not None and tree.get("media"):
        value = place_media(value, MEDIA.resolve().as_uri() + "/")
    expect = tree.get("expect", {})
    key = tree.get("key")
    return Sample(
        id=str(tree["id"]),
        group=str(tree.get("group", "")),
        note=str(tree.get("note", "")),
        source=str(tree.get("source", "")),
        key=None if key is None else str(key).encode(),
        headers=tuple((str(k), str(v).encode()) for k, v in tree.get("headers", {}).items()),
        value=value,
        expect=Expectation(expect.get("outcome", "verdict"), expect.get("code", "")),
    )


def _value(tree: dict[str, Any]) -> bytes | None:
    if tree.get("value_deflate"):
        inflate = zlib.decompressobj()
        value = inflate.decompress(base64.b64decode(tree["value_deflate"]), MAX_VALUE_BYTES)
        if inflate.unconsumed_tail:
            raise ValueError(f"sample {tree.get('id')}: its value is larger than {MAX_VALUE_BYTES} bytes")
        return value
    return None if tree["value"] is None else base64.b64decode(tree["value"], validate=True)


def to_json(sample: Sample, *, media: bool) -> dict[str, Any]:
    """The object of the file that describes `sample`; values that compress well are deflated."""
    tree: dict[str, Any] = {
        "id": sample.id,
        "group": sample.group,
        "note": sample.note,
        "source": sample.source,
        "key": None if sample.key is None else sample.key.decode(),
        "headers": {name: value.decode() for name, value in sample.headers},
        "expect": {"outcome": sample.expect.outcome, **({"code": sample.expect.code} if sample.expect.code else {})},
    }
    if media:
        tree["media"] = True
    packed = zlib.compress(sample.value or b"", 9)
    if sample.value is not None and len(packed) < len(sample.value) // 2:
        tree["value_deflate"] = base64.b64encode(packed).decode()
    else:
        tree["value"] = None if sample.value is None else base64.b64encode(sample.value).decode()
    return tree


def place_media(value: bytes, root: str) -> bytes:
    """The event in `value` with MEDIA_MARK at the start of its image references replaced by `root`."""
    event = msgpack.unpackb(value)
    for part in event["parts"]:
        if str(part.get("uri", "")).startswith(MEDIA_MARK):
            part["uri"] = root + part["uri"][len(MEDIA_MARK) :]
    packed: bytes = msgpack.packb(event)
    return packed
