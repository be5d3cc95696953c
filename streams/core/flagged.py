"""A flagged verdict: the verdict, why in words, and what a reviewer needs to see. Pure.

Goes to `content.flagged` only, which is for trust and safety; it is the one message that carries content on.
"""

from __future__ import annotations

from typing import Final

import msgspec

from policies.engine.verdict import Match, Verdict
from streams.core.events import ContentEvent, ImagePart, Part, TextPart

FLAGGED_SCHEMA: Final = "weir.flagged/1"

MAX_SHOWN_CHARS: Final = 4_000  # a reviewer reads the rest at the source


class ShownPart(msgspec.Struct, frozen=True, kw_only=True):
    """One part as a reviewer gets it: the text, or where the picture is (`inline` for one inside the event)."""

    type: str
    role: str
    text: str | None = None
    cut: bool = False
    uri: str | None = None


class Flagged(Verdict, frozen=True, kw_only=True):
    """A verdict above `allow` (`weir.flagged/1`): every field of the verdict, and these."""

    explanation: tuple[str, ...] = ()
    author_id: str | None = None
    created_at: float = 0.0
    parts: tuple[ShownPart, ...] = ()
    parent_id: str | None = None
    thread_id: str | None = None


def flagged_of(verdict: Verdict, event: ContentEvent) -> Flagged:
    """The flag for `verdict` on `event`."""
    fields = {name: getattr(verdict, name) for name in verdict.__struct_fields__}
    return Flagged(
        **fields,
        explanation=tuple(_sentence(match) for match in verdict.matches) or _undecided(verdict),
        author_id=event.author.id if event.author else None,
        created_at=event.created_at,
        parts=tuple(_shown(part) for part in event.parts),
        parent_id=event.context.parent_id if event.context else None,
        thread_id=event.context.thread_id if event.context else None,
    )


def encode_flagged(flagged: Flagged) -> bytes:
    """The flag as msgpack, the same for the same flag."""
    return msgspec.msgpack.encode(flagged, order="deterministic")


def _sentence(match: Match) -> str:
    tests = "; ".join(f"{piece.signal} {piece.test} (was {piece.value})" for piece in match.evidence)
    return f"{match.rule} → {match.action}: {match.text or tests}"


def _undecided(verdict: Verdict) -> tuple[str, ...]:
    return tuple(f"{gap.rule} is undecided without {', '.join(gap.missing)}: {gap.why}" for gap in verdict.undecided)


def _shown(part: Part) -> ShownPart:
    if isinstance(part, TextPart):
        cut = len(part.text) > MAX_SHOWN_CHARS
        return ShownPart(type="text", role=part.role, text=part.text[:MAX_SHOWN_CHARS], cut=cut)
    kind = "image" if isinstance(part, ImagePart) else "video"
    return ShownPart(type=kind, role=part.role, uri=part.uri or "inline")
