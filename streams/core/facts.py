"""A fact: what counters remember of one judged event. No content, no readable ids: digests of eight bytes. Pure.

Facts say what happened, not what is counted: a counter that a policy declares tomorrow counts yesterday's facts.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from typing import Final

import msgspec

from policies.engine.taxonomy import Action
from policies.engine.verdict import Verdict
from streams.core.events import ContentEvent, TextPart

FACTS_SCHEMA: Final = "weir.facts/1"

#: Shorter texts ("thank you") are the same by nature; they are not compared.
MIN_TEXT_CHARS: Final = 12
_MAX_TEXT_CHARS: Final = 4_000
_NOT_LETTERS = re.compile(r"[\W_]+")
_DIGITS = re.compile(r"\d+")
#: Matches that the surface's profile made for a detector that is down say nothing about the author.
_PROFILES: Final = "profiles"


class Fact(msgspec.Struct, frozen=True, array_like=True):
    """One judged event."""

    id: int  # of the event
    at: float  # when it was created, by the event
    author: int | None = None
    text: int | None = None  # the same for near-identical texts
    thread: int | None = None
    strike: int = 0  # the most severe action of a rule that matched; 0 below `limit`
    rules: tuple[str, ...] = ()  # that matched


def fact_of(event: ContentEvent, verdict: Verdict | None = None) -> Fact:
    """The fact of an event; without its verdict nothing is known of rules."""
    tenant = event.tenant or ""
    context = event.context
    thread = (context.thread_id or context.parent_id) if context else None
    matches = [match for match in verdict.matches if match.policy != _PROFILES] if verdict else []
    worst = max((Action.parse(match.action) for match in matches), default=Action.ALLOW)
    return Fact(
        id=_digest("event", tenant, event.event_id),
        at=event.created_at,
        author=_digest("author", tenant, event.author.id) if event.author else None,
        text=_text_digest(tenant, event),
        thread=_digest("thread", tenant, thread) if thread else None,
        strike=int(worst) if worst >= Action.LIMIT else 0,
        rules=tuple(sorted({match.rule for match in matches})),
    )


def _text_digest(tenant: str, event: ContentEvent) -> int | None:
    """The same for texts that differ in case, spaces, punctuation, digits or compatibility forms only."""
    whole = "\n".join(part.text for part in event.parts if isinstance(part, TextPart))[:_MAX_TEXT_CHARS]
    letters = _NOT_LETTERS.sub("", unicodedata.normalize("NFKC", whole).casefold())
    plain = _DIGITS.sub("0", letters)
    return _digest("text", tenant, plain) if len(plain) >= MIN_TEXT_CHARS else None


def _digest(kind: str, tenant: str, text: str) -> int:
    data = f"{kind}\0{tenant}\0{text}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(tuple[Fact, ...])


def encode_facts(facts: Sequence[Fact]) -> bytes:
    """Facts as they travel, in order: about sixty bytes each."""
    return _ENCODER.encode(facts)


def decode_facts(value: bytes) -> tuple[Fact, ...]:
    """The facts in a record; msgspec.DecodeError or ValidationError when there are none."""
    return _DECODER.decode(value)


def key_of(digest: int) -> bytes:
    """A digest as a record's key."""
    return digest.to_bytes(8, "big")
