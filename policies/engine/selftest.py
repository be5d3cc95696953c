"""Run a bundle's own examples and say which rules and comparisons they exercise.

An example judges only the rules of its own policy, whatever their rollout, without surface profiles: a policy's tests
must not fail because another policy changed. Time is the example's day, else the day given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from policies.engine.bundle import PolicyBundle, compile_policies, find_suppressors
from policies.engine.errors import Problem
from policies.engine.evaluator import evaluate
from policies.engine.list_scan import scan
from policies.engine.rules import Example, Expectation
from policies.engine.signals import SignalSet
from policies.engine.subject import Subject
from policies.engine.verdict import Verdict


@dataclass(frozen=True, slots=True)
class ExampleResult:
    """One example that was run."""

    example: Example
    verdict: Verdict
    faults: tuple[str, ...]  # empty when it passed

    @property
    def passed(self) -> bool:
        """Whether the verdict was as demanded."""
        return not self.faults


def run_examples(bundle: PolicyBundle, *, now: float, only: str | None = None) -> list[ExampleResult]:
    """Every example's result, in file order; `only` keeps one policy."""
    made: list[ExampleResult] = []
    parts: dict[str, PolicyBundle] = {}
    for example in bundle.policies.examples:
        if only is not None and example.policy != only:
            continue
        if example.policy not in parts:
            parts[example.policy] = isolate(bundle, example.policy)
        made.append(run_example(parts[example.policy], example, now=now))
    return made


def failing_examples(bundle: PolicyBundle, *, now: float) -> list[Problem]:
    """The bundle's own tests that fail, each as a problem at the place where it is written. For reloading."""
    return [
        Problem(r.example.site.file, r.example.site.line, r.example.site.column, "FAILING-TEST", _complaint(r))
        for r in run_examples(bundle, now=now)
        if not r.passed
    ]


def _complaint(result: ExampleResult) -> str:
    return f"test {result.example.name!r} fails: {'; '.join(result.faults)}"


def run_example(part: PolicyBundle, example: Example, *, now: float) -> ExampleResult:
    """One example against its isolated policy."""
    subject, signals = example_input(part, example, now=now)
    verdict = evaluate(part, subject, signals)
    return ExampleResult(example, verdict, tuple(_faults(example.expect, verdict)))


def example_input(bundle: PolicyBundle, example: Example, *, now: float) -> tuple[Subject, SignalSet]:
    """The subject and signals of an example: its text is really scanned, what it sets by hand wins."""
    subject = example.subject if example.subject.created_at else replace(example.subject, created_at=now)
    signals = scan(bundle.lists, subject.texts, subject.locale)
    signals.merge(example.signals)
    for name in example.signals.missing:
        signals.values.pop(name, None)
        signals.missing[name] = example.signals.missing[name]
    return subject, signals


def isolate(bundle: PolicyBundle, policy: str) -> PolicyBundle:
    """The bundle with only one policy's rules, fully rolled out, without profiles."""
    full = bundle.policies
    policies = replace(
        full,
        rules=tuple(replace(r, rollout_percent=100.0) for r in full.rules if r.policy == policy),
        exemptions=tuple(e for e in full.exemptions if e.policy == policy),
        overrides=tuple(o for o in full.overrides if o.policy == policy),
        profiles=(),
    )
    return PolicyBundle(
        policies=policies,
        hash=bundle.hash,
        catalogue=bundle.catalogue,
        lists=bundle.lists,
        program=compile_policies(policies, bundle.catalogue),
        suppressors=find_suppressors(policies),
    )


def _faults(expect: Expectation, verdict: Verdict) -> list[str]:
    made: list[str] = []
    for name, wanted, got in (
        ("action", expect.action, verdict.action),
        ("severity", expect.severity, verdict.severity),
        ("review", expect.review, verdict.review_queue),
        ("redact", expect.redact, len(verdict.modify.redact) if verdict.modify else 0),
    ):
        if wanted is not None and wanted != got:
            made.append(f"{name} is {got}, expected {wanted}")
    for name, names, found in (
        ("rules", expect.rules, [m.rule for m in verdict.matches]),
        ("labels", expect.labels, list(verdict.labels)),
        ("reasons", expect.reasons, list(verdict.reasons)),
        ("shadow", expect.shadow, [s.rule for s in verdict.shadow]),
        ("suppressed", expect.suppressed, [s.rule for s in verdict.suppressed]),
        ("undecided", expect.undecided, [u.rule for u in verdict.undecided]),
    ):
        if names is not None and sorted(names) != sorted(found):
            made.append(f"{name} are {_words(found)}, expected {_words(names)}")
    return made


def _words(names: Sequence[str]) -> str:
    return ", ".join(sorted(names)) or "none"
