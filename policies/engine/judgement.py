"""Which rules matched, which could not be decided, which only watched: the middle of every evaluation.

Takes the compiled program's answers and applies modes, expiry, rollout, exceptions and quotas. No verdict is built
here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from policies.engine.bundle import PolicyBundle, Variant
from policies.engine.compiler import ALWAYS
from policies.engine.event_signals import event_values, find_spec
from policies.engine.reference import Truth
from policies.engine.rollout import in_rollout
from policies.engine.rules import Rule
from policies.engine.signals import MissingSignal, SignalSet, SignalStatus, SignalType, SignalValue
from policies.engine.subject import Subject
from policies.engine.taxonomy import Action
from policies.engine.verdict_parts import is_broken

Standing = Literal["matched", "undecided", "shadow", "suppressed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that is not simply false."""

    rule: Rule
    standing: Standing
    action: Action  # after quotas
    exception: str = ""
    quota_tripped: bool = False


@dataclass(slots=True)
class Judgement:
    """All findings, in rule order, and what they were made from."""

    variant: Variant
    signals: SignalSet  # with the event's own signals
    now: float
    broken: frozenset[str] = frozenset()  # broken signals that a condition reads
    findings: list[Finding] = field(default_factory=list)


def judge(bundle: PolicyBundle, subject: Subject, signals: SignalSet, *, now: float | None = None) -> Judgement:
    """The findings of every rule. Pure and deterministic."""
    time = subject.created_at if now is None else now
    full = _with_event(subject, signals)
    variant = bundle.variant(subject, time)
    broken = frozenset(
        name for name, gone in full.missing.items() if name in bundle.program.signals and is_broken(gone.status)
    )
    try:
        sure, possible = _run(bundle, variant, full.values, broken=broken)
    except TypeError:  # a detector gave a word where it promised a number: that signal is broken, not the event
        full, bad = _without_mistyped(bundle, full)
        broken |= bad
        sure, possible = _run(bundle, variant, full.values, broken=broken)
    made = Judgement(variant, full, time, broken)
    rules = bundle.policies.rules
    for number in possible:
        if number < len(rules):
            truth: Truth = True if number in sure else None
            exempt = _exemption(bundle, number, sure, time)
            finding = _find(subject, made, rule=rules[number], truth=truth, exempt=exempt)
            if finding is not None:
                made.findings.append(finding)
    return made


def _with_event(subject: Subject, signals: SignalSet) -> SignalSet:
    values = event_values(subject)
    for name in signals.missing.keys() & values.keys():
        del values[name]
    values.update(signals.values)
    missing = signals.missing
    if missing and not missing.keys().isdisjoint(signals.values):
        missing = {name: gone for name, gone in missing.items() if name not in signals.values}
    return SignalSet(values, missing, signals.spans, signals.origin, signals.models, signals.tier)


def _run(
    bundle: PolicyBundle, variant: Variant, values: Mapping[str, SignalValue], *, broken: frozenset[str]
) -> tuple[list[int] | set[int], list[int]]:
    """The conditions that surely hold, and those that may (see `compiler`)."""
    decide = bundle.program.decide
    if not broken:
        hits = decide(values.get, values.get, variant.points)
        return hits, hits
    no: dict[str, object] = {name: value for name, value in values.items() if name not in broken}
    yes: dict[str, object] = no | dict.fromkeys(broken, ALWAYS)
    return set(decide(no.get, yes.get, variant.points)), decide(yes.get, no.get, variant.points)


def _exemption(bundle: PolicyBundle, number: int, sure: list[int] | set[int], now: float) -> str:
    """The exception that takes the rule's match back, or an empty string."""
    first = len(bundle.policies.rules)
    for n in bundle.suppressors[number]:
        exemption = bundle.policies.exemptions[n]
        if first + n in sure and now < exemption.expires_at:
            return exemption.id
    return ""


def _find(subject: Subject, judged: Judgement, *, rule: Rule, truth: Truth, exempt: str) -> Finding | None:
    mode = judged.variant.modes.get(rule.id, rule.mode)
    if mode == "off" or (rule.expires_at is not None and judged.now >= rule.expires_at):
        return None
    if mode == "shadow" or not in_rollout(rule.id, subject, percent=rule.rollout_percent, by=rule.rollout_by):
        return Finding(rule, "shadow", rule.action) if truth else None
    if exempt:
        return Finding(rule, "suppressed", rule.action, exempt) if truth else None
    action, tripped = rule.action, False
    if rule.quota is not None:
        used = judged.signals.values.get(rule.quota.signal)
        tripped = isinstance(used, (int, float)) and used >= rule.quota.per_hour
        action = Action.REVIEW if tripped else action
    return Finding(rule, "matched" if truth else "undecided", action, quota_tripped=tripped)


def _without_mistyped(bundle: PolicyBundle, signals: SignalSet) -> tuple[SignalSet, frozenset[str]]:
    values, missing = dict(signals.values), dict(signals.missing)
    for name in bundle.program.signals & values.keys():
        spec = find_spec(bundle.catalogue, name)
        if spec is not None and not fits_type(values[name], spec.type):
            missing[name] = MissingSignal(
                SignalStatus.FAILED, f"the detector gave a {type(values[name]).__name__}, not a {spec.type}"
            )
            del values[name]
    bad = frozenset(missing.keys() - signals.missing.keys())
    return SignalSet(values, missing, signals.spans, signals.origin, signals.models, signals.tier), bad


def fits_type(value: object, kind: SignalType) -> bool:
    """Whether a runtime value is of the promised type; a whole number serves as a float."""
    if kind == "bool":
        return isinstance(value, bool)
    if kind in ("int", "float"):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, str) if kind == "str" else isinstance(value, tuple)
