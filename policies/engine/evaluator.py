"""(bundle, subject, signals) → verdict. Pure and deterministic: no clock, no randomness, no state.

Most severe wins; every rule is looked at; nothing depends on the order of files or rules.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from policies.engine.bundle import PolicyBundle
from policies.engine.conditions import walk
from policies.engine.event_signals import OWNER as EVENT_OWNER
from policies.engine.event_signals import find_spec
from policies.engine.judgement import Finding, Judgement, judge
from policies.engine.reasons import evidence, sentence
from policies.engine.rules import WhenDown
from policies.engine.signals import SignalSet
from policies.engine.subject import Subject
from policies.engine.taxonomy import Action
from policies.engine.verdict import (
    Evidence,
    Match,
    Modify,
    ShadowMatch,
    Suppressed,
    Undecided,
    Verdict,
    Versions,
    verdict_id,
)
from policies.engine.verdict_parts import blurs, categories, degraded, is_broken, joint, novelty, redactions

#: Reason codes that no rule wrote.
UNDECIDED_REASON = "UNDECIDED"
QUOTA_REASON = "QUOTA_TRIPPED"
DEFAULT_QUEUE = "normal"
PROFILE_POLICY = "profiles"


@dataclass(slots=True)
class _Sum:
    """What the findings add up to."""

    action: Action = Action.ALLOW
    severity: int = 0
    labels: set[str] = field(default_factory=set)
    reasons: dict[str, Action] = field(default_factory=dict)
    queues: set[str] = field(default_factory=set)
    redact: set[str] = field(default_factory=set)
    blurred: list[Finding] = field(default_factory=list)

    def act(self, action: Action, reason: str, *, queue: str | None) -> None:
        self.action = max(self.action, action)
        self.reasons[reason] = max(action, self.reasons.get(reason, Action.ALLOW))
        if queue is not None:
            self.queues.add(queue)

    def apply(self, finding: Finding) -> None:
        rule = finding.rule
        queue = rule.review or (DEFAULT_QUEUE if finding.action is Action.REVIEW else None)
        self.act(finding.action, rule.reason, queue=queue)
        if finding.quota_tripped:
            self.reasons[QUOTA_REASON] = finding.action
        self.severity = max(self.severity, rule.severity)
        self.labels.update(rule.labels)
        self.redact.update(rule.redact)
        if rule.blur:
            self.blurred.append(finding)


def evaluate(bundle: PolicyBundle, subject: Subject, signals: SignalSet, *, now: float | None = None) -> Verdict:
    """The verdict. Time is `subject.created_at` unless `now` is given; the event's own signals are added."""
    judged = judge(bundle, subject, signals, now=now)
    total = _Sum()
    matches: list[Match] = []
    undecided: list[Undecided] = []
    for finding in judged.findings:
        if finding.standing == "undecided":
            undecided.append(_undecided(finding, judged))
            if finding.rule.on_unknown == "review":
                total.act(Action.REVIEW, UNDECIDED_REASON, queue=finding.rule.review or DEFAULT_QUEUE)
        if finding.standing == "matched" or (finding.standing == "undecided" and finding.rule.on_unknown == "match"):
            total.apply(finding)
            matches.append(_match(finding, judged))
    matches += _answer_outages(bundle, subject, judged, total=total)
    return Verdict(
        verdict_id=verdict_id(subject.event_id, bundle.hash, signals.models),
        event_id=subject.event_id,
        content_id=subject.content_id,
        kind=subject.kind,
        surface=subject.surface,
        locale=subject.locale,
        tenant=subject.tenant,
        key=subject.key,
        action=total.action.word,
        severity=total.severity,
        labels=tuple(sorted(total.labels)),
        reasons=tuple(sorted(total.reasons, key=lambda code: (-total.reasons[code], code))),
        review_queue=_most_urgent(total.queues, bundle.policies.queues),
        categories=categories(judged.signals.values),
        matches=tuple(matches),
        shadow=tuple(
            ShadowMatch(f.rule.policy, f.rule.id, f.action.word) for f in judged.findings if f.standing == "shadow"
        ),
        suppressed=tuple(
            Suppressed(f.rule.policy, f.rule.id, f.action.word, f.exception)
            for f in judged.findings
            if f.standing == "suppressed"
        ),
        undecided=tuple(undecided),
        modify=_modify(subject, judged, total),
        joint=joint(judged.signals.values),
        novelty=novelty(judged.signals.values),
        versions=Versions(bundle.label, {name: signals.models[name] for name in sorted(signals.models)}, signals.tier),
        degraded=degraded(judged.signals) if judged.signals.missing else (),
    )


def _match(finding: Finding, judged: Judgement) -> Match:
    rule, thresholds = finding.rule, judged.variant.thresholds
    return Match(
        policy=rule.policy,
        rule=rule.id,
        action=finding.action.word,
        evidence=evidence(rule, judged.signals, thresholds),
        text=sentence(rule, judged.signals, thresholds),
    )


def _undecided(finding: Finding, judged: Judgement) -> Undecided:
    names = sorted({leaf.signal for leaf, _ in walk(finding.rule.when)} & judged.broken)
    whys = sorted({f"{judged.signals.missing[n].status.value}: {judged.signals.missing[n].why}" for n in names})
    return Undecided(finding.rule.policy, finding.rule.id, tuple(names), "; ".join(whys))


def _most_urgent(queues: Iterable[str], order: tuple[str, ...]) -> str | None:
    ranked = sorted(queues, key=lambda q: (order.index(q) if q in order else len(order), q))
    return ranked[0] if ranked else None


def _modify(subject: Subject, judged: Judgement, total: _Sum) -> Modify | None:
    redact = redactions(judged.signals, total.redact) if total.redact else ()
    names = {leaf.signal for f in total.blurred for leaf, negated in walk(f.rule.when) if not negated}
    blur = blurs(subject, judged.signals, names) if total.blurred and subject.image_count else ()
    return Modify(redact, blur) if redact or blur else None


def _answer_outages(bundle: PolicyBundle, subject: Subject, judged: Judgement, *, total: _Sum) -> list[Match]:
    """What the surface's profile does about detectors of which every answer is broken."""
    if not judged.broken or not bundle.policies.profiles:
        return []
    fitting = [p for p in bundle.policies.profiles if p.scope.fits(subject)]
    if not fitting:
        return []
    profile = max(fitting, key=lambda p: (p.scope.specificity, p.id))
    made: list[Match] = []
    for owner in sorted(_down(bundle, judged)):
        answer: WhenDown | None = profile.when_down.get(owner) or profile.when_down.get("*")
        if answer is None:
            continue
        queue = answer.review or (DEFAULT_QUEUE if answer.action is Action.REVIEW else None)
        total.act(answer.action, answer.reason, queue=queue)
        total.labels.update(answer.labels)
        why = Evidence(owner, None, "every signal of the detector is broken")
        made.append(
            Match(
                policy=PROFILE_POLICY,
                rule=f"{profile.id}.{owner}",
                action=answer.action.word,
                evidence=(why,),
                text=f"{owner} is down",
            )
        )
    return made


def _down(bundle: PolicyBundle, judged: Judgement) -> set[str]:
    broken: set[str] = set()
    for name, gone in judged.signals.missing.items():
        spec = find_spec(bundle.catalogue, name)
        if spec is not None and spec.owner != EVENT_OWNER and is_broken(gone.status):
            broken.add(spec.owner)
    alive = {spec.owner for name in judged.signals.values if (spec := find_spec(bundle.catalogue, name)) is not None}
    needed = {spec.owner for name in judged.broken if (spec := find_spec(bundle.catalogue, name)) is not None}
    return (broken & needed) - alive
