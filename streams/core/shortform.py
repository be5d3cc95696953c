"""From a line that a person or a script wrote to a ContentEvent: the short form, and full events as JSON.

`weir publish` and `weir judge` read the same lines through here. Pure: files are read by the `read_image` that the
caller hands in. Bytes from Kafka never come here; they go through `wire.py`.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args
from urllib.parse import unquote_to_bytes

import msgspec

from streams.core.events import MAX_IMAGE_BYTES, ContentEvent, ImagePart, Kind, Part, TextPart
from streams.core.outcome import EventDecodeError, RawRecord
from streams.core.wire import JSON_TYPE, MSGPACK_TYPE, decode_event

FIELDS: Final = ("id", "text", "image", "locale", "surface", "kind", "author", "created_at")
FULL_EVENT_FIELDS: Final = frozenset({"event_id", "parts"})
MAX_ID_CHARS: Final = 240  # an event id is `id:<12 hex>` and at most 256
MAX_TIME_S: Final = 1e11  # the year 5138; a time in milliseconds is above it
MAX_LINE_BYTES: Final = 32 * 1024 * 1024  # an inline image at its cap, in base64

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?((?:;[\w.+-]+=[^;,]*)*)(;base64)?,", re.ASCII)
_MAGIC: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
)

ReadImage = Callable[[str], bytes]
"""From a path as written in the line to the file's bytes; OSError when it cannot be read."""


class ShortFormError(ValueError):
    """A line that is no event; names the line, the field and what was expected, never the content."""

    def __init__(self, line: int, field: str, why: str) -> None:
        where = f"line {line}: `{field}`" if field else f"line {line}"
        super().__init__(f"{where}: {why}")
        self.line = line
        self.field = field
        self.why = why


@dataclass(frozen=True, slots=True)
class Source:
    """Where a line came from, and what it leaves to its surroundings."""

    read_image: ReadImage
    created_at: float  # seconds since the epoch, for lines that say nothing
    number: int = 1  # of the line


def event_from_line(line: bytes | str, source: Source) -> ContentEvent:
    """The event that one JSON line describes, full or short form; ShortFormError for anything else."""
    raw = line.encode("utf-8", "surrogatepass") if isinstance(line, str) else line
    if len(raw) > MAX_LINE_BYTES:
        raise ShortFormError(source.number, "", f"{len(raw)} bytes; at most {MAX_LINE_BYTES}. Give the image as a path")
    try:
        tree = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise ShortFormError(source.number, "", f"not JSON ({exc}); one JSON object per line") from exc
    if not isinstance(tree, dict):
        raise ShortFormError(source.number, "", f"expected a JSON object, got {type(tree).__name__}")
    return event_from_map(tree, source)


def event_from_map(tree: Mapping[str, Any], source: Source) -> ContentEvent:
    """The event that a map describes: a full event when it has `parts` or `event_id`, else the short form."""
    if FULL_EVENT_FIELDS & tree.keys():
        return _full_event(tree, source.number)
    return _short_event(tree, source)


def _full_event(tree: Mapping[str, Any], number: int) -> ContentEvent:
    return _validated(msgspec.json.encode(tree), JSON_TYPE, number)


def _validated(value: bytes, content_type: str, number: int) -> ContentEvent:
    """Through the same gate as bytes from Kafka, so that a line means what its record will mean."""
    try:
        return decode_event(RawRecord("", 0, 0, None, value, (("content-type", content_type.encode()),)))
    except EventDecodeError as exc:
        path = re.search(r"`\$\.([^`]*)`", exc.detail)
        field = path[1] if path else ""
        if content_type == MSGPACK_TYPE and field.startswith("parts"):  # made here from a short form
            field = "text" if field.endswith("text") else "image"
        kinds = f"; one of {', '.join(get_args(Kind))}" if field == "kind" else ""
        raise ShortFormError(number, field, f"{exc.detail.split(' - at ')[0]} ({exc.code}){kinds}") from exc


def _short_event(tree: Mapping[str, Any], source: Source) -> ContentEvent:
    _check_names(tree, source.number)
    content_id = _identifier(tree, source.number)
    parts = _parts(tree, source)
    if not parts:
        raise ShortFormError(source.number, "text", "a line needs `text`, `image` or both")
    author = _string(tree, "author", source.number)
    made = {
        "event_id": f"{content_id}:{_digest(tree, parts)}",
        "content_id": content_id,
        "kind": _string(tree, "kind", source.number) or "post",
        "created_at": _time(tree, source),
        "parts": parts,
        "author": {"id": author} if author else None,
        "surface": _string(tree, "surface", source.number) or "",
        "locale": _string(tree, "locale", source.number) or "und",
    }
    return _validated(msgspec.msgpack.encode(made), MSGPACK_TYPE, source.number)


def _check_names(tree: Mapping[str, Any], number: int) -> None:
    """Refuse what is nearly a field: a typo would drop content without a word. Other keys are ignored."""
    for name in tree:
        if name in FIELDS or not isinstance(name, str):
            continue
        near = difflib.get_close_matches(name.lower(), FIELDS, n=1, cutoff=0.8)
        if near:
            raise ShortFormError(number, name, f"unknown field; did you mean `{near[0]}`?")


def _identifier(tree: Mapping[str, Any], number: int) -> str:
    value = tree.get("id")
    if value is None:
        raise ShortFormError(number, "id", "missing; every line needs an id that names its content")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_ID_CHARS or not value.isprintable():
        raise ShortFormError(number, "id", f"expected a printable string of 1..{MAX_ID_CHARS} characters")
    return value


def _string(tree: Mapping[str, Any], name: str, number: int) -> str | None:
    value = tree.get(name)
    if value is not None and not isinstance(value, str):
        raise ShortFormError(number, name, f"expected a string, got {type(value).__name__}")
    return value


def _time(tree: Mapping[str, Any], source: Source) -> float:
    value = tree.get("created_at", source.created_at)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < MAX_TIME_S:
        raise ShortFormError(source.number, "created_at", "expected seconds since the epoch, as a number")
    return float(value)


def _parts(tree: Mapping[str, Any], source: Source) -> tuple[Part, ...]:
    images = tree.get("image")
    if images is None:
        references: list[Any] = []
    else:
        references = images if isinstance(images, list) else [images]
    parts: list[Part] = [_image(reference, source) for reference in references]
    text = _string(tree, "text", source.number)
    if text is not None:
        parts.append(TextPart(text=text, role="caption" if parts else "body"))
    return tuple(parts)


def _image(reference: Any, source: Source) -> ImagePart:
    number = source.number
    if not isinstance(reference, str) or not reference:
        raise ShortFormError(number, "image", "expected a path, a data: URL, a URL, or a list of them")
    if _URI.match(reference):
        return ImagePart(uri=reference)
    if reference.startswith("data:"):
        data = _data_url(reference, number)
    else:
        try:
            data = source.read_image(reference)
        except (OSError, ValueError) as exc:  # ValueError: a NUL in the path
            why = getattr(exc, "strerror", None) or str(exc)
            raise ShortFormError(number, "image", f"cannot read {reference[:200]!r}: {why}") from exc
    if len(data) > MAX_IMAGE_BYTES:
        raise ShortFormError(number, "image", f"{len(data)} bytes; inline images have at most {MAX_IMAGE_BYTES}")
    return ImagePart(data=data, media_type=media_type(data))


def _data_url(url: str, number: int) -> bytes:
    head = _DATA_URL.match(url)
    if head is None:
        raise ShortFormError(number, "image", "not a data: URL; expected data:image/png;base64,...")
    body = url[head.end() :]
    try:
        return base64.b64decode(unquote_to_bytes(body), validate=True) if head[3] else unquote_to_bytes(body)
    except binascii.Error as exc:
        raise ShortFormError(number, "image", f"its base64 is broken: {exc}") from exc


def media_type(data: bytes) -> str:
    """The media type that the first bytes name; empty when none that Weir reads."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((name for magic, name in _MAGIC if data.startswith(magic)), "")


def _digest(tree: Mapping[str, Any], parts: tuple[Part, ...]) -> str:
    """12 hex digits of what the line says: the same line always gets the same event id, an edit gets a new one."""
    facts = {name: tree[name] for name in ("author", "kind", "locale", "surface") if tree.get(name) is not None}
    packed = msgspec.msgpack.encode((parts, facts), order="deterministic")
    return hashlib.sha256(packed).hexdigest()[:12]
