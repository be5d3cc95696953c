"""Which bank entries match too much to be trusted: a flag, a blank page or a meme that got into a bank by mistake.

Counts *different* pictures: one picture posted a thousand times is a campaign, a thousand pictures that look like one
entry are a bad entry. Pure bookkeeping in event time; what a quarantine means is the policy's business.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

HOUR_S: Final = 3_600.0
#: Entries that are watched; far more than match in an hour unless something is very wrong.
MAX_WATCHED: Final = 100_000


@dataclass(slots=True)
class _Watched:
    pictures: OrderedDict[bytes, float] = field(default_factory=OrderedDict)  # digest -> when it was seen first
    until: float = 0.0  # quarantined before this time


class Flood:
    """The matches of one bank's entries in the last hour."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, _Watched] = OrderedDict()

    def matched(self, entry: str, picture: bytes, now: float, *, limit: int, hold_s: float) -> bool:
        """Note that `entry` matched the picture with this digest; whether the entry has just gone into quarantine."""
        watched = self._entries.get(entry)
        if watched is None:
            if len(self._entries) >= MAX_WATCHED:
                self._entries.popitem(last=False)
            watched = self._entries[entry] = _Watched()
        pictures = watched.pictures
        pictures.setdefault(picture, now)
        while len(pictures) > limit + 1 or (pictures and next(iter(pictures.values())) <= now - HOUR_S):
            pictures.popitem(last=False)
        if len(pictures) <= limit or now < watched.until:
            return False
        watched.until = now + hold_s
        return True

    def quarantined(self, entry: str, now: float) -> bool:
        """Whether the entry is not to be trusted now."""
        watched = self._entries.get(entry)
        return watched is not None and now < watched.until

    def held(self, now: float) -> list[str]:
        """The entries in quarantine."""
        return sorted(name for name, watched in self._entries.items() if now < watched.until)
