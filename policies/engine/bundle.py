"""PolicyBundle: a folder of policies, compiled and addressed by its hash. Immutable to its users.

The caches inside only remember what is computed from the same inputs. Loading is `load`, judging is `evaluator`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from policies.engine.banks import Bank
from policies.engine.compiler import Program, compile_conditions
from policies.engine.conditions import walk
from policies.engine.counters import BUILT_IN, Counter
from policies.engine.event_signals import find_spec
from policies.engine.globs import glob_matches
from policies.engine.lists import CompiledLists
from policies.engine.rules import Mode, PolicySet
from policies.engine.signals import Catalogue, SignalType
from policies.engine.subject import Subject

MAX_VARIANTS: Final = 512
"""Remembered combinations of overrides."""
MAX_PLACES: Final = 4_096
"""Remembered circumstances; odd locales from outside cannot make it grow further."""

_Place = tuple[str, str, str | None, str, bool | None]


@dataclass(frozen=True, slots=True)
class Variant:
    """The numbers and modes in force for one combination of overrides."""

    overrides: tuple[str, ...]
    thresholds: Mapping[str, float]
    points: tuple[float, ...]  # the thresholds in the program's order
    modes: Mapping[str, Mode]  # rule id -> mode, only where it differs


@dataclass(slots=True)
class PolicyBundle:
    """Compiled policies and lists."""

    policies: PolicySet
    hash: str
    catalogue: Catalogue
    lists: CompiledLists
    program: Program
    size_bytes: int = 0
    banks: tuple[Bank, ...] = ()
    counters: tuple[Counter, ...] = BUILT_IN
    suppressors: tuple[tuple[int, ...], ...] = ()  # rule number -> the exceptions that may take its match back
    _variants: dict[tuple[int, ...], Variant] = field(default_factory=dict)
    _places: dict[_Place, tuple[int, ...]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The bundle's name."""
        return self.policies.name

    @property
    def version(self) -> str:
        """The bundle's version, as its author wrote it."""
        return self.policies.version

    @property
    def label(self) -> str:
        """`name@version#hash`: how verdicts name it."""
        return f"{self.name}@{self.version}#{self.hash}"

    @property
    def quotas(self) -> dict[str, int]:
        """Signal that the caller fills with the uses of the last hour -> the limit."""
        return {r.quota.signal: r.quota.per_hour for r in self.policies.rules if r.quota is not None}

    def variant(self, subject: Subject, now: float) -> Variant:
        """The numbers and modes that hold for this subject at this time. Narrower overrides win."""
        overrides = self.policies.overrides
        fitting = self._fitting(subject)
        active = tuple(n for n in fitting if now < overrides[n].expires_at) if fitting else fitting
        known = self._variants.get(active)
        if known is not None:
            return known
        thresholds = dict(self.policies.thresholds)
        modes: dict[str, Mode] = {}
        for n in active:  # from wide to narrow
            thresholds.update(overrides[n].thresholds)
            modes.update(overrides[n].modes)
        made = Variant(
            tuple(overrides[n].id for n in active),
            thresholds,
            tuple(thresholds[t] for t in self.program.thresholds),
            modes,
        )
        if len(self._variants) < MAX_VARIANTS:
            self._variants[active] = made
        return made

    def _fitting(self, subject: Subject) -> tuple[int, ...]:
        """The overrides whose scope the subject is in; globs are matched once for each kind of circumstances."""
        place = (subject.locale, subject.surface, subject.tenant, subject.kind, subject.audience_minors)
        known = self._places.get(place)
        if known is None:
            known = tuple(n for n, o in enumerate(self.policies.overrides) if o.scope.fits(subject))
            if len(self._places) < MAX_PLACES:
                self._places[place] = known
        return known


def signal_types(policies: PolicySet, catalogue: Catalogue) -> dict[str, SignalType]:
    """The type of every signal that a condition reads."""
    conditions = [r.when for r in policies.rules] + [e.when for e in policies.exemptions]
    names = {leaf.signal for condition in conditions for leaf, _ in walk(condition)}
    specs = {name: find_spec(catalogue, name) for name in names}
    return {name: spec.type for name, spec in specs.items() if spec is not None}


def compile_policies(policies: PolicySet, catalogue: Catalogue) -> Program:
    """The rules' conditions, then the exceptions', as one program."""
    conditions = [r.when for r in policies.rules] + [e.when for e in policies.exemptions]
    return compile_conditions(conditions, signal_types(policies, catalogue))


def find_suppressors(policies: PolicySet) -> tuple[tuple[int, ...], ...]:
    """For each rule the exceptions that name it; none for a floor."""
    return tuple(
        ()
        if rule.floor
        else tuple(n for n, e in enumerate(policies.exemptions) if any(glob_matches(g, rule.id) for g in e.suppresses))
        for rule in policies.rules
    )
