"""ContentEvent: what a platform publishes, as typed values.

Holding one proves that it is valid within `limits`. Pure values; how they are read from bytes is `wire.py`.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

# Identifiers end up in logs, keys and file names of other systems: bounded, never empty.
Identifier = Annotated[str, Meta(min_length=1, max_length=256)]
Word = Annotated[str, Meta(max_length=128)]
Kind = Literal["post", "comment", "message", "upload", "profile", "prompt", "completion", "sample"]

MAX_TEXT_CHARS = 100_000  # longer than any platform's post; a text of 1 MB is an attack or a bug
MAX_IMAGE_BYTES = 20 * 1024 * 1024
MAX_URI_CHARS = 4_096
MAX_PARTS = 16


class TextPart(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="text"):
    """A text, as displayed."""

    text: Annotated[str, Meta(max_length=MAX_TEXT_CHARS)]
    role: Word = "body"


class ImagePart(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="image"):
    """A picture: inline `bytes`, or a `uri` to fetch (claim check). Exactly one of them is set."""

    data: Annotated[bytes, Meta(max_length=MAX_IMAGE_BYTES)] | None = msgspec.field(name="bytes", default=None)
    uri: Annotated[str, Meta(min_length=1, max_length=MAX_URI_CHARS)] | None = None
    media_type: Word = ""
    role: Word = "body"


class VideoPart(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="video"):
    """A video by reference."""

    uri: Annotated[str, Meta(min_length=1, max_length=MAX_URI_CHARS)]
    media_type: Word = ""
    role: Word = "body"


Part = TextPart | ImagePart | VideoPart


class Author(msgspec.Struct, frozen=True, kw_only=True):
    """Who wrote it, as far as the platform says."""

    id: Identifier
    created_at: float | None = None
    verified: bool | None = None
    kind: Word | None = None


class Audience(msgspec.Struct, frozen=True, kw_only=True):
    """Who sees it."""

    minors: bool | None = None
    size: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None  # what every wire format can carry


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What it answers or quotes."""

    parent_id: Identifier | None = None
    thread_id: Identifier | None = None
    quoted: bool | None = None
    parent_text: Annotated[str, Meta(max_length=MAX_TEXT_CHARS)] | None = None


class ContentEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event of `content.incoming` (`weir.event/1`)."""

    event_id: Identifier
    content_id: Identifier
    kind: Kind
    created_at: Annotated[float, Meta(ge=0)]
    parts: Annotated[tuple[Part, ...], Meta(min_length=1, max_length=MAX_PARTS)]
    author: Author | None = None
    surface: Word = ""
    locale: Annotated[str, Meta(max_length=64)] = "und"
    audience: Audience | None = None
    context: Context | None = None
    tenant: Annotated[str, Meta(max_length=256)] | None = None
    labels: Annotated[dict[Word, Annotated[str, Meta(max_length=1_024)]], Meta(max_length=64)] | None = None

    @property
    def key(self) -> str:
        """What orders this event among others: the author, else the content."""
        return self.author.id if self.author else self.content_id
