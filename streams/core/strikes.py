"""Strikes against authors: when which rule's action was taken, kept for a year, weighed only when asked. Pure.

Kept as they happened, so that a policy may change the half-life or the mildest action and be right about the past.
"""

from __future__ import annotations

from typing import Final

import msgspec

from streams.core.facts import Fact

STRIKES_SCHEMA: Final = "weir.strikes/1"

#: The newest strikes of an author that are kept. The 65th newest weighs next to nothing.
MAX_STRIKES: Final = 64
MAX_AGE_S: Final = 365 * 86_400.0


class Strike(msgspec.Struct, frozen=True, array_like=True, order=True):
    """One event that a rule acted on."""

    at: float
    id: int  # of the event
    action: int


_DECODER: Final = msgspec.msgpack.Decoder(tuple[Strike, ...])


class Strikes:
    """The strikes of all authors."""

    def __init__(self) -> None:
        self._by_author: dict[int, bytes] = {}  # packed: most authors are never asked about again

    def __len__(self) -> int:
        return len(self._by_author)

    def add(self, fact: Fact) -> bytes | None:
        """The author's strikes with this event's, as they travel; None when the event is no strike."""
        if fact.author is None or not fact.strike:
            return None
        return self._merge(fact.author, (Strike(fact.at, fact.id, fact.strike),))

    def load(self, author: int, value: bytes) -> None:
        """Take over an author's strikes; msgspec.DecodeError or ValidationError when the bytes are none."""
        if self._by_author.get(author) != value:
            self._merge(author, _DECODER.decode(value))

    def weigh(self, fact: Fact, *, half_life_s: float, at_least: int) -> float:
        """The author's strikes before this event: Σ 0.5 ** (age / half-life)."""
        held = self._by_author.get(fact.author) if fact.author is not None else None
        if held is None:
            return 0.0
        return sum(
            float(0.5 ** ((fact.at - strike.at) / half_life_s))
            for strike in _DECODER.decode(held)
            if strike.action >= at_least and strike.at <= fact.at and strike.id != fact.id
        )

    def _merge(self, author: int, new: tuple[Strike, ...]) -> bytes:
        held = self._by_author.get(author)
        by_event = {strike.id: strike for strike in (_DECODER.decode(held) if held else ())}
        for strike in new:
            known = by_event.get(strike.id)
            by_event[strike.id] = strike if known is None else max(known, strike)  # judged again: the stricter one
        ordered = sorted(by_event.values())
        kept = [strike for strike in ordered if strike.at > ordered[-1].at - MAX_AGE_S][-MAX_STRIKES:]
        packed = msgspec.msgpack.encode(kept)
        self._by_author[author] = packed
        return packed
