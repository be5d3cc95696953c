"""Signals: the named facts that policies compare, each with a status.

A value that is not there is never 0 or false: it is a `MissingSignal` that says why. Pure; no detector lives here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal

SignalValue = bool | int | float | str | tuple[str, ...]
SignalType = Literal["bool", "int", "float", "str", "strs"]


class SignalStatus(StrEnum):
    """Whether a signal can be compared, and if not, why."""

    OK = "ok"
    ABSENT = "absent"  # there is nothing to judge: no image in the event
    FAILED = "failed"  # the detector or its dependency broke
    TIMEOUT = "timeout"  # the deadline passed first
    STALE = "stale"  # a value exists but is too old to use
    NOT_RUN = "not_run"  # a cheaper stage made it unnecessary, or nothing judges it


#: Statuses that mean something is broken; a rule that needs such a signal is undecided and its `on_unknown` applies.
#: `absent` and `not_run` simply do not match.
BROKEN: Final[frozenset[SignalStatus]] = frozenset({SignalStatus.FAILED, SignalStatus.TIMEOUT, SignalStatus.STALE})


@dataclass(frozen=True, slots=True)
class SignalSpec:
    """What a detector promises about one signal; the catalogue is made of these."""

    name: str
    type: SignalType
    description: str
    owner: str  # the detector or declaration that provides it
    minimum: float | None = None
    maximum: float | None = None
    enum: tuple[str, ...] = ()
    modality: Literal["text", "image", "joint", "event"] = "event"
    cost_us: float = 0.0  # CPU microseconds an event, as measured; 0 when free


@dataclass(frozen=True, slots=True)
class MissingSignal:
    """Why a signal has no value."""

    status: SignalStatus
    why: str


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of one text part: `[start, end)` in code points of the original text."""

    part: int
    start: int
    end: int
    term: str  # the list's entry, not the text


@dataclass(slots=True)
class SignalSet:
    """All that the detectors found about one event.

    A name that is in neither `values` nor `missing` counts as absent. Built up by detectors, then only read.
    """

    values: dict[str, SignalValue] = field(default_factory=dict)
    missing: dict[str, MissingSignal] = field(default_factory=dict)
    spans: dict[str, tuple[Span, ...]] = field(default_factory=dict)
    origin: dict[str, int] = field(default_factory=dict)  # signal -> index of the part that decided it
    models: dict[str, str] = field(default_factory=dict)  # model name -> release that answered
    tier: str = "none"  # reference | production | none

    def status(self, name: str) -> SignalStatus:
        """The status of `name`; absent for a name that nobody mentioned."""
        if name in self.values:
            return SignalStatus.OK
        gone = self.missing.get(name)
        return gone.status if gone else SignalStatus.ABSENT

    def miss(self, names: Iterable[str], status: SignalStatus, why: str) -> None:
        """Mark every one of `names` that has no value as missing."""
        reason = MissingSignal(status, why)
        for name in names:
            if name not in self.values:
                self.missing[name] = reason

    def merge(self, other: SignalSet) -> None:
        """Take over what another detector found; a value wins over a missing signal."""
        self.values.update(other.values)
        for name, gone in other.missing.items():
            if name not in self.values:
                self.missing[name] = gone
        if self.missing:
            for name in self.missing.keys() & other.values.keys():
                del self.missing[name]
        self.spans.update(other.spans)
        self.origin.update(other.origin)
        self.models.update(other.models)
        if other.tier != "none":
            self.tier = other.tier


class Catalogue(dict[str, SignalSpec]):
    """Signal name -> spec: what policies are checked against."""

    @classmethod
    def of(cls, *groups: Iterable[SignalSpec]) -> Catalogue:
        """The catalogue of all the specs in `groups`; ValueError when two owners claim one name."""
        made = cls()
        for group in groups:
            for spec in group:
                known = made.get(spec.name)
                if known is not None and known != spec:
                    raise ValueError(f"signal {spec.name!r} is declared by {known.owner!r} and by {spec.owner!r}")
                made[spec.name] = spec
        return made


def model_signal_names(categories: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """Category -> the names under which a model's opinion of it appears.

    `score.hate` is the fused calibrated probability; `score.hate.text|image|joint` are its sources;
    `severity.hate` is 0..7.
    """
    return {
        c: (f"score.{c}", f"score.{c}.text", f"score.{c}.image", f"score.{c}.joint", f"severity.{c}")
        for c in categories
    }
