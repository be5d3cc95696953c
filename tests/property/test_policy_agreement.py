"""The compiled rules against the slow reference, and the laws that evaluation keeps."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.bench.policy_agreement import THRESHOLDS, TYPES, compiled_truths, measure, random_rule, random_signals
from policies import evaluate
from policies.engine.compiler import compile_conditions
from policies.engine.leaves import All, Any, Condition, Leaf, LeafSyntaxError, Points, parse_leaf
from policies.engine.reference import truth
from policies.engine.signals import MissingSignal, SignalSet, SignalStatus
from tests.policy_folders import a_bundle_of, a_rule, a_subject


def test_compiled_rules_agree_with_the_reference() -> None:
    """On random trees and sums with a quarter of the signals missing (`python -m ops.bench.policy_agreement`: 1 M)."""
    made = measure(20_000, seed=7)
    assert made.disagreements == 0, made.examples
    assert min(made.truths.values()) > 1_000  # all three truths occur


@given(st.integers(0, 2**32), st.data())
@settings(max_examples=60, deadline=None)
def test_a_broken_signal_is_every_value_at_once(seed: int, data: st.DataObject) -> None:
    """If the answer is certain while a signal is broken, no value of the signal changes it."""
    dice = random.Random(seed)
    rule, signals = random_rule(dice), random_signals(dice)
    name = data.draw(st.sampled_from(sorted(TYPES)))
    broken = SignalSet(dict(signals.values), dict(signals.missing))
    broken.values.pop(name, None)
    broken.missing[name] = MissingSignal(SignalStatus.FAILED, "x")
    before = truth(rule, broken, THRESHOLDS)
    for _ in range(5):
        other = random_signals(dice)
        if name in other.values:
            now = SignalSet({**broken.values, name: other.values[name]}, {**broken.missing})
            del now.missing[name]
            after = truth(rule, now, THRESHOLDS)
            assert before is None or before is after


def _growing(dice: random.Random, depth: int = 2) -> Condition:
    """A tree without `not` that only asks for high numbers."""
    if depth == 0 or dice.random() < 0.3:
        return Leaf(f"score.{dice.randrange(8)}", dice.choice((">=", ">")), dice.random())
    children = tuple(_growing(dice, depth - 1) for _ in range(dice.randint(1, 3)))
    if dice.random() < 0.3:
        return Points(tuple((1.0, c) for c in children), float(dice.randint(1, 3)))
    return All(children) if dice.random() < 0.5 else Any(children)


@given(st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_a_higher_score_never_softens_a_rule_without_not(seed: int) -> None:
    """Raising any score keeps what matched."""
    dice = random.Random(seed)
    rules = [_growing(dice) for _ in range(10)]
    program = compile_conditions(rules, TYPES)
    low = SignalSet({f"score.{n}": dice.random() for n in range(8)})
    high = SignalSet(
        {n: min(1.0, float(v) + dice.random() * 0.5) for n, v in low.values.items() if isinstance(v, float)}
    )
    before, after = (compiled_truths(program, len(rules), s) for s in (low, high))
    assert all(b for a, b in zip(before, after, strict=True) if a)


@given(
    st.dictionaries(
        st.sampled_from(["score.hate", "score.drugs", "score.sexual", "list.slurs.hits", "kind", "nonsense"]),
        st.one_of(
            st.floats(allow_nan=True), st.integers(), st.booleans(), st.text(max_size=5), st.tuples(st.text(max_size=3))
        ),
    ),
    st.sets(st.sampled_from(["score.hate", "list.slurs.hits", "other"])),
)
@settings(max_examples=200, deadline=None)
def test_evaluation_is_total_and_deterministic(values: dict[str, object], gone: set[str]) -> None:
    """Whatever a detector hands over, a verdict comes out, and the same one twice."""
    bundle = _BUNDLE
    signals = SignalSet(dict(values))  # type: ignore[arg-type]  # detectors that break their promise
    for name in gone:
        signals.missing.setdefault(name, MissingSignal(SignalStatus.FAILED, "x"))
    first = evaluate(bundle, a_subject("text"), signals)
    assert first == evaluate(bundle, a_subject("text"), signals)
    assert first.action in ("allow", "limit", "review")


_BUNDLE = a_bundle_of(
    a_rule("sample.one", on_unknown="review"),
    a_rule("sample.two", when="list.slurs.hits >= 1", evidence='"{list.slurs.hits:d} {score.hate:.2f} {hits}"'),
    a_rule("sample.three", when='kind == "post"', mode="shadow"),
)


@given(st.text(max_size=80))
@settings(max_examples=300)
def test_parsing_a_leaf_is_total(text: str) -> None:
    """A leaf, or an error that says how to write one."""
    try:
        leaf = parse_leaf(text)
    except LeafSyntaxError:
        return
    assert parse_leaf(str(leaf)) == leaf


@pytest.mark.parametrize(
    "text",
    [
        "score.hate >= 0.5",
        "count == 3",
        "author.verified == true",
        'author.kind in ["news", "a b", "c\\"d"]',
        "word == 'single'",
        "x <= -1.5e3",
        "score.x > threshold.hate.mid",
        "list.bad-domains.hits >= 1",
    ],
)
def test_a_leaf_written_out_reads_as_itself(text: str) -> None:
    """Writing and reading are inverse."""
    assert parse_leaf(str(parse_leaf(text))) == parse_leaf(text)
