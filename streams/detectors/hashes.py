"""Known pictures: `hash.<bank>.hits`, `.distance`, `.id`, `.quarantined`, for the banks that the bundle declares.

A miss is the value 0. A store that fails, or a picture that cannot be read, is a failed signal. No picture is an absent
one. Hits that a bank of known-good pictures explains are dropped; entries that match too many different pictures go
into quarantine, where they no longer count as hits but still are a signal, so that a rule can send them to a person.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import structlog

from policies import PolicyBundle
from policies.engine.banks import Bank, bank_signal_specs
from policies.engine.signals import SignalSet, SignalSpec, SignalStatus
from streams.core.bank_index import BankHit, BankState, Broken, Imported, NotImported, Prints
from streams.core.events import ContentEvent, ImagePart
from streams.core.flood import Flood
from streams.ports import Detector, MediaUnavailableError, PrintReader

log = structlog.get_logger(__name__)

NAME = "hashes"
_NO_IMAGE = "the event has no image"


class Banks(Protocol):
    """Where the hashes are."""

    def state(self, name: str) -> BankState:
        """What the bank is now."""


class HashBanks:
    """Makes a detector for whatever banks a bundle declares; remembers which entries match too much."""

    def __init__(self, prints: PrintReader, banks: Banks) -> None:
        self._prints = prints
        self._banks = banks
        self._floods: dict[str, Flood] = {}

    def bound_to(self, bundle: PolicyBundle) -> Detector:
        """The detector of this bundle's banks."""
        return BoundHashes(self._prints, self._banks, self._floods, bundle.banks)

    def quarantined(self, now: float) -> dict[str, list[str]]:
        """Bank -> entries in quarantine."""
        held = {name: flood.held(now) for name, flood in self._floods.items()}
        return {name: entries for name, entries in held.items() if entries}


@dataclass(slots=True)
class _Picture:
    """One picture of an event: its prints, or why there are none."""

    part: int
    prints: Prints | None
    problem: str = ""
    hits: dict[str, list[BankHit]] = field(default_factory=dict)  # by bank


class BoundHashes:
    """The detector of one bundle's banks."""

    name: ClassVar[str] = NAME

    def __init__(self, prints: PrintReader, banks: Banks, floods: dict[str, Flood], declared: Sequence[Bank]) -> None:
        self._prints = prints
        self._floods = floods
        self._declared = declared
        self._states: Mapping[str, BankState] = {bank.name: banks.state(bank.name) for bank in declared}
        self.provides: tuple[SignalSpec, ...] = bank_signal_specs(declared)

    async def detect(self, batch: Sequence[ContentEvent], *, timeout_s: float) -> list[SignalSet]:  # noqa: ARG002
        """One signal set per event, in order. The caller's deadline ends it."""
        if not self._declared:
            return [SignalSet() for _ in batch]
        return list(await asyncio.gather(*(self._detect(event) for event in batch)))

    async def _detect(self, event: ContentEvent) -> SignalSet:
        images = [(n, part) for n, part in enumerate(event.parts) if isinstance(part, ImagePart)]
        signals = SignalSet()
        if not images:
            signals.miss((spec.name for spec in self.provides), SignalStatus.ABSENT, _NO_IMAGE)
            return signals
        ready = {name: state for name, state in self._states.items() if isinstance(state, Imported)}
        pictures = await asyncio.gather(*(self._picture(n, part, ready) for n, part in images)) if ready else []
        for bank in self._declared:
            state = self._states[bank.name]
            if isinstance(state, Imported):
                signals.models[f"bank.{bank.name}"] = state.index.version
                self._judge(signals, bank, state, pictures, event.created_at)
            else:
                status, why = _unready(bank, state)
                signals.miss(bank.signals, status, why)
        return signals

    async def _picture(self, part: int, image: ImagePart, ready: Mapping[str, Imported]) -> _Picture:
        look = any(state.index.needs_look for state in ready.values())
        try:
            prints = await self._prints.prints(image, look=look)
        except MediaUnavailableError as exc:
            return _Picture(part, None, f"{exc.code}: {exc.why}")
        picture = _Picture(part, prints, prints.problem)
        picture.hits = await asyncio.to_thread(self._search, prints, ready)
        return picture

    def _search(self, prints: Prints, ready: Mapping[str, Imported]) -> dict[str, list[BankHit]]:
        """What the picture matches in each bank, without what a known-good picture explains as well or better."""
        found = {
            bank.name: ready[bank.name].index.hits(prints, distance=bank.distance, min_quality=bank.min_quality)
            for bank in self._declared
            if bank.name in ready
        }
        kept: dict[str, list[BankHit]] = {}
        for bank in self._declared:
            good = [hit.distance for other in bank.unless for hit in found.get(other, ())]
            nearest = min(good, default=None)
            kept[bank.name] = [hit for hit in found.get(bank.name, ()) if nearest is None or hit.distance < nearest]
        return kept

    def _judge(self, signals: SignalSet, bank: Bank, state: Imported, pictures: Sequence[_Picture], now: float) -> None:
        hits: list[tuple[int, str, int]] = []  # distance, id, part
        held = 0
        for picture in pictures:
            for hit in picture.hits.get(bank.name, ()):
                if picture.prints is not None and self._flooded(bank, hit, picture.prints.sha256, now):
                    held += 1
                else:
                    hits.append((hit.distance, hit.id, picture.part))
        problems = sorted({p.problem for p in pictures if p.prints is None or (p.problem and state.index.needs_look)})
        if problems and not hits:
            signals.miss(bank.signals, SignalStatus.FAILED, "; ".join(problems))  # what was not seen is no miss
            return
        signals.values[bank.hits_signal] = len({id_ for _, id_, _ in hits})
        signals.values[bank.quarantined_signal] = held
        if not hits:
            signals.miss(bank.signals, SignalStatus.ABSENT, "no entry matched")
            return
        distance, id_, part = min(hits)
        signals.values[bank.distance_signal] = distance
        signals.values[bank.id_signal] = id_
        for name in bank.signals:
            signals.origin[name] = part

    def _flooded(self, bank: Bank, hit: BankHit, picture: bytes, now: float) -> bool:
        """Whether the entry is in quarantine, this match counted."""
        limit = bank.quarantine_per_hour
        if limit is None:
            return False
        flood = self._floods.setdefault(bank.name, Flood())
        if flood.matched(hit.id, picture, now, limit=limit, hold_s=bank.quarantine_s):
            log.error("bank.entry_quarantined", bank=bank.name, entry=hit.id, pictures_per_hour=limit)
        return flood.quarantined(hit.id, now)


def _unready(bank: Bank, state: NotImported | Broken) -> tuple[SignalStatus, str]:
    if isinstance(state, Broken):
        return SignalStatus.FAILED, state.why
    why = f"no hashes were imported into bank {bank.name}"
    return (SignalStatus.FAILED if bank.required else SignalStatus.NOT_RUN), why
