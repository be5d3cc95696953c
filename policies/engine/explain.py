"""One verdict's whole reasoning: every rule's tree with each comparison's value and truth.

Slow and complete, for people; uses the reference evaluator, so it is also a check of the compiled one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from policies.engine.bundle import PolicyBundle
from policies.engine.evaluator import evaluate
from policies.engine.judgement import Judgement, judge
from policies.engine.leaves import All, Condition, Leaf, Not, Points
from policies.engine.reasons import show_leaf
from policies.engine.reference import Truth, points_range, truth
from policies.engine.rules import Rule
from policies.engine.signals import SignalSet, SignalStatus, SignalValue
from policies.engine.subject import Subject
from policies.engine.verdict import Verdict
from policies.engine.verdict_parts import rounded


@dataclass(frozen=True, slots=True)
class Node:
    """One line of a tree."""

    text: str
    truth: Truth
    value: SignalValue | None = None
    status: SignalStatus | None = None  # of the signal, for a comparison
    why: str = ""
    children: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleExplanation:
    """One rule: how it stands and its tree."""

    rule: Rule
    standing: str  # matched | undecided | shadow | suppressed | no match | off | expired
    exception: str
    node: Node


@dataclass(frozen=True, slots=True)
class Explanation:
    """The verdict with all rules, those that stand first."""

    verdict: Verdict
    overrides: tuple[str, ...]
    rules: tuple[RuleExplanation, ...]

    def lines(self, *, everything: bool = False) -> Iterator[str]:
        """The reasoning as indented text; without `everything` only the rules that stand."""
        yield f"{self.verdict.action} (severity {self.verdict.severity}) by {self.verdict.versions.policy}"
        if self.overrides:
            yield f"overrides in force: {', '.join(self.overrides)}"
        for item in self.rules:
            if everything or item.standing not in ("no match", "off", "expired"):
                note = f" by {item.exception}" if item.exception else ""
                place = f"{item.rule.site.file}:{item.rule.site.line}"
                yield f"{item.rule.id}: {item.standing}{note} → {item.rule.action.word}   [{place}]"
                yield from _node_lines(item.node, depth=1)


def explain(bundle: PolicyBundle, subject: Subject, signals: SignalSet, *, now: float | None = None) -> Explanation:
    """The whole reasoning behind `evaluate` of the same arguments."""
    judged = judge(bundle, subject, signals, now=now)
    verdict = evaluate(bundle, subject, signals, now=now)
    found = {f.rule.id: f for f in judged.findings}
    made: list[RuleExplanation] = []
    for rule in bundle.policies.rules:
        finding = found.get(rule.id)
        standing = finding.standing if finding else _idle(rule, judged)
        node = explain_condition(rule.when, judged.signals, judged.variant.thresholds)
        made.append(RuleExplanation(rule, standing, finding.exception if finding else "", node))
    order = ("matched", "undecided", "suppressed", "shadow", "no match", "expired", "off")
    made.sort(key=lambda r: (order.index(r.standing), -r.rule.action, r.rule.id))
    return Explanation(verdict, judged.variant.overrides, tuple(made))


def _idle(rule: Rule, judged: Judgement) -> str:
    if judged.variant.modes.get(rule.id, rule.mode) == "off":
        return "off"
    return "expired" if rule.expires_at is not None and judged.now >= rule.expires_at else "no match"


def explain_condition(condition: Condition, signals: SignalSet, thresholds: Mapping[str, float]) -> Node:
    """The condition's tree with values and truths."""
    answer = truth(condition, signals, thresholds)
    if isinstance(condition, Leaf):
        status = signals.status(condition.signal)
        gone = signals.missing.get(condition.signal)
        why = gone.why if gone is not None and status is not SignalStatus.OK else ""
        return Node(
            show_leaf(condition, thresholds), answer, rounded(signals.values.get(condition.signal)), status, why
        )
    if isinstance(condition, Points):
        sure, possible = points_range(condition.items, signals, thresholds)
        total = f"{sure:g}" if sure == possible else f"{sure:g} to {possible:g}"
        children = tuple(explain_condition(c, signals, thresholds) for _, c in condition.items)
        return Node(f"points {total} of {condition.at_least:g}", answer, children=children)
    parts = (condition.child,) if isinstance(condition, Not) else condition.children
    word = "not" if isinstance(condition, Not) else "all" if isinstance(condition, All) else "any"
    return Node(word, answer, children=tuple(explain_condition(c, signals, thresholds) for c in parts))


def _node_lines(node: Node, *, depth: int) -> Iterator[str]:
    sign = {True: "✓", False: "✗", None: "?"}[node.truth]
    found = ""
    if node.status is SignalStatus.OK:
        found = f"   is {', '.join(node.value) if isinstance(node.value, tuple) else node.value}"
    elif node.status is not None:
        found = f"   is {node.status.value}" + (f" ({node.why})" if node.why else "")
    yield f"{'  ' * depth}{sign} {node.text}{found}"
    for child in node.children:
        yield from _node_lines(child, depth=depth + 1)
