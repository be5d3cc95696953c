"""The checked policies as values: rules, exceptions, overrides, profiles. Holding one proves that it was checked.

Made by `resolve`; read by the compiler, the evaluators and every report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from policies.engine.globs import glob_matches, locale_matches
from policies.engine.leaves import Condition
from policies.engine.signals import SignalSet
from policies.engine.subject import Subject
from policies.engine.taxonomy import Action

Mode = Literal["off", "shadow", "enforce"]
OnUnknown = Literal["skip", "review", "match"]


@dataclass(frozen=True, slots=True)
class Site:
    """Where something was written."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Scope:
    """Where something applies: every given dimension must fit, any glob of it will do."""

    locale: tuple[str, ...] = ()
    surface: tuple[str, ...] = ()
    tenant: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    minors: bool | None = None

    def fits(self, subject: Subject) -> bool:
        """Whether the subject is inside; an unknown fact is outside of a scope that names it."""
        if self.minors is not None and subject.audience_minors is not self.minors:
            return False
        return (
            (not self.locale or any(locale_matches(g, subject.locale) for g in self.locale))
            and _one_of(self.surface, subject.surface)
            and _one_of(self.tenant, subject.tenant)
            and _one_of(self.kind, subject.kind)
        )

    @property
    def specificity(self) -> tuple[int, int]:
        """How narrow: dimensions named, then the literal characters of the widest globs."""
        dimensions = [d for d in (self.locale, self.surface, self.tenant, self.kind) if d]
        literal = sum(min(len(g.replace("*", "")) for g in d) for d in dimensions)
        return len(dimensions) + (self.minors is not None), literal


def _one_of(globs: tuple[str, ...], value: str | None) -> bool:
    return not globs or (value is not None and any(glob_matches(g, value) for g in globs))


@dataclass(frozen=True, slots=True)
class Quota:
    """Above `per_hour` uses of a rule's action in an hour, the action becomes review."""

    per_hour: int
    signal: str  # where the caller puts the uses so far: quota.<rule id>


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule."""

    policy: str
    id: str
    title: str
    category: str
    severity: int
    mode: Mode
    when: Condition
    action: Action
    reason: str
    labels: tuple[str, ...] = ()
    review: str | None = None
    redact: tuple[str, ...] = ()
    blur: bool = False
    evidence: str = ""
    on_unknown: OnUnknown = "skip"
    floor: bool = False
    rollout_percent: float = 100.0
    rollout_by: str = "author.id"
    quota: Quota | None = None
    expires_at: float | None = None  # first second (epoch) at which it no longer applies
    site: Site = Site("", 1, 1)


@dataclass(frozen=True, slots=True)
class Exemption:
    """An exception: takes back the matches of the rules it names."""

    policy: str
    id: str
    suppresses: tuple[str, ...]
    when: Condition
    reason: str
    expires_at: float
    site: Site = Site("", 1, 1)


@dataclass(frozen=True, slots=True)
class Override:
    """Other thresholds or modes inside a scope."""

    policy: str
    id: str
    scope: Scope
    thresholds: Mapping[str, float]  # qualified threshold name -> value
    modes: Mapping[str, Mode]  # rule id -> mode
    reason: str
    expires_at: float
    site: Site = Site("", 1, 1)


@dataclass(frozen=True, slots=True)
class WhenDown:
    """What a surface does while a detector is down."""

    action: Action
    labels: tuple[str, ...]
    review: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Profile:
    """One surface's answers to detectors that are down, by detector name or `*`."""

    id: str
    scope: Scope
    when_down: Mapping[str, WhenDown]


@dataclass(frozen=True, slots=True)
class Expectation:
    """What an example demands; None is not compared."""

    action: str | None = None
    severity: int | None = None
    rules: Sequence[str] | None = None
    labels: Sequence[str] | None = None
    reasons: Sequence[str] | None = None
    review: str | None = None
    shadow: Sequence[str] | None = None
    suppressed: Sequence[str] | None = None
    undecided: Sequence[str] | None = None
    redact: int | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """A test of a policy: circumstances, signals, and what must come out."""

    policy: str
    name: str
    subject: Subject  # created_at 0 means the day on which the test runs
    signals: SignalSet
    expect: Expectation
    site: Site


@dataclass(frozen=True, slots=True)
class PolicySet:
    """All policies of a folder, checked."""

    name: str
    version: str
    rules: tuple[Rule, ...]
    exemptions: tuple[Exemption, ...] = ()
    overrides: tuple[Override, ...] = ()
    thresholds: Mapping[str, float] = field(default_factory=dict)  # policy/name.point -> value
    profiles: tuple[Profile, ...] = ()
    queues: tuple[str, ...] = ("urgent", "high", "normal", "low")
    examples: tuple[Example, ...] = ()
    policy_versions: Mapping[str, str] = field(default_factory=dict)
    cost_limit_us: float = 500.0
    size_limit_bytes: int = 8_000_000
