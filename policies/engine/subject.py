"""Subject: what a policy may know of an event, free of how it was transported.

`streams` builds one from a ContentEvent; tests and `weir policy test` build one by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TextPart:
    """One text of the event."""

    index: int  # position among the event's parts
    text: str
    role: str = "body"


@dataclass(frozen=True, slots=True)
class Subject:
    """The judged content and its circumstances. Unknown facts are None, never a default that looks known."""

    event_id: str
    content_id: str
    kind: str = "post"
    surface: str = ""
    locale: str = "und"
    created_at: float = 0.0  # seconds since the epoch; the only clock a policy sees
    key: str = ""
    tenant: str | None = None
    texts: tuple[TextPart, ...] = ()
    image_count: int = 0
    author_id: str | None = None
    author_created_at: float | None = None
    author_verified: bool | None = None
    author_kind: str | None = None
    audience_minors: bool | None = None
    audience_size: int | None = None
    quoted: bool | None = None
    parent_id: str | None = None
    thread_id: str | None = None
    parent_text: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
