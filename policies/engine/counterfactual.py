"""Which single change of one signal would have changed the action, smallest first.

Tries both sides of every number that a rule compares with, the other truth of every yes-or-no, and every word that a
rule asks for. Exact: between two compared numbers nothing can change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from policies.engine.bundle import PolicyBundle
from policies.engine.conditions import walk
from policies.engine.evaluator import evaluate
from policies.engine.event_signals import event_values, find_spec
from policies.engine.leaves import Leaf, Threshold
from policies.engine.signals import SignalSet, SignalSpec, SignalStatus, SignalValue
from policies.engine.subject import Subject
from policies.engine.taxonomy import Action

STEP = 1e-4  # as fine as verdicts show numbers


@dataclass(frozen=True, slots=True)
class Change:
    """One signal that, had it been different, would have changed the action."""

    signal: str
    before: SignalValue | None  # None: it had no value
    status: SignalStatus
    after: SignalValue
    action: str  # what it would have been
    size: float  # share of the signal's range; 1 for a word or a yes-or-no, 2 when there was no value

    def __str__(self) -> str:
        """As a sentence."""
        was = self.status.value if self.before is None else _show(self.before)
        return f"if {self.signal} had been {_show(self.after)} instead of {was}: {self.action}"


def counterfactuals(
    bundle: PolicyBundle, subject: Subject, signals: SignalSet, *, now: float | None = None
) -> list[Change]:
    """Every single change that changes the action, the smallest first; one for each signal and resulting action."""
    time = subject.created_at if now is None else now
    before = evaluate(bundle, subject, signals, now=time).action
    thresholds = bundle.variant(subject, time).thresholds
    full = SignalSet({**event_values(subject), **signals.values})
    best: dict[tuple[str, str], Change] = {}
    tried: set[tuple[str, SignalValue]] = set()
    conditions = [r.when for r in bundle.policies.rules] + [e.when for e in bundle.policies.exemptions]
    for condition in conditions:
        for leaf, _ in walk(condition):
            spec = find_spec(bundle.catalogue, leaf.signal)
            wanted = thresholds[leaf.value.name] if isinstance(leaf.value, Threshold) else leaf.value
            for value in _candidates(leaf, wanted, spec):
                given = full.values.get(leaf.signal)
                if (leaf.signal, value) in tried or value == given:
                    continue
                tried.add((leaf.signal, value))
                action = evaluate(bundle, subject, _with(signals, leaf.signal, value), now=time).action
                if action != before:
                    found = Change(
                        leaf.signal,
                        given,
                        _status(signals, full, leaf.signal),
                        value,
                        action,
                        _size(given, value, spec),
                    )
                    key = (leaf.signal, action)
                    if key not in best or found.size < best[key].size:
                        best[key] = found
    return sorted(best.values(), key=lambda c: (c.size, c.signal, Action.parse(c.action)))


def _status(signals: SignalSet, full: SignalSet, name: str) -> SignalStatus:
    return SignalStatus.OK if name in full.values else signals.status(name)


def _with(signals: SignalSet, name: str, value: SignalValue) -> SignalSet:
    missing = {k: v for k, v in signals.missing.items() if k != name}
    return replace(signals, values={**signals.values, name: value}, missing=missing)


def _candidates(leaf: Leaf, wanted: object, spec: SignalSpec | None) -> Iterator[SignalValue]:
    if spec is None:
        return
    if spec.type == "bool":
        yield from (True, False)
    elif spec.type in ("str", "strs"):
        words = wanted if isinstance(wanted, tuple) else (str(wanted),)
        other = next((w for w in (*spec.enum, "other") if w not in words), "other")
        for word in (*(str(w) for w in words), other):
            yield (word,) if spec.type == "strs" else word
    elif isinstance(wanted, (int, float)) or (isinstance(wanted, tuple) and leaf.op == "in"):
        numbers = [float(n) for n in wanted] if isinstance(wanted, tuple) else [wanted]
        step = 1 if spec.type == "int" else STEP
        for number in numbers:
            for value in (number - step, number, number + step):
                if (spec.minimum is None or value >= spec.minimum) and (spec.maximum is None or value <= spec.maximum):
                    yield int(value) if spec.type == "int" else round(float(value), 6)


def _size(before: SignalValue | None, after: SignalValue, spec: SignalSpec | None) -> float:
    if before is None:
        return 2.0
    if isinstance(before, (str, tuple, bool)) or isinstance(after, (str, tuple, bool)):
        return 1.0
    low = spec.minimum if spec is not None and spec.minimum is not None else 0.0
    high = spec.maximum if spec is not None and spec.maximum is not None else max(abs(before), abs(after), 1.0)
    return abs(after - before) / (high - low or 1.0)


def _show(value: SignalValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ", ".join(value) or "nothing"
    return f"{value:g}" if isinstance(value, float) else str(value)
