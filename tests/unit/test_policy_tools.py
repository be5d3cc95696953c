"""Checking, testing, explaining and comparing policies: what the tools for policy people say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import policies
from policies import explain
from policies.engine.counterfactual import counterfactuals
from policies.engine.coverage import measure_coverage
from policies.engine.diff import diff_bundles
from policies.engine.editor_schema import KINDS, editor_schema
from policies.engine.recording import RecordingError, read_recording, write_recording
from policies.engine.selftest import failing_examples, run_examples
from policies.engine.signals import SignalSet
from tests.policy_folders import NOON_S, a_bundle_of, a_rule, a_subject, files_of, problems_of, some_signals

LIBRARY = Path(policies.__file__).parent / "library"

TESTS = """
tests:
  - {name: hit, signals: {score.hate: 0.8}, expect: {action: limit, rules: [sample.rule]}}
  - {name: miss, signals: {score.hate: 0.7}, expect: {action: allow}}
"""


def test_the_language_of_the_specification_loads() -> None:
    """Bare `in ["news"]` inside braces, unquoted dates, exceptions, points: as POLICY.md writes them."""
    text = """
        exceptions:
          - id: newsroom
            suppresses: ["sample.*"]
            when: {all: [author.verified == true, author.kind in ["news"]]}
            reason: "quoting hate in reporting"
            expires: 2027-02-28
    """
    assert problems_of(files_of(more=text)) == []


def test_a_place_after_mended_text_is_the_place_in_the_file() -> None:
    """The quotes that reading adds are not counted."""
    text = """
        exceptions:
          - {id: x, when: {all: [author.kind in ["news"], author.kin == "x"]}, suppresses: ["*"], reason: r, expires: 2027-01-01}
    """  # noqa: E501  # one line is the point
    (line,) = problems_of(files_of(more=text))
    assert line.startswith("p/sample.yaml:16:51: UNKNOWN-SIGNAL")


def test_examples_judge_their_own_policy_only() -> None:
    """Another policy's rules, rollouts and profiles do not disturb them."""
    other = """
        policy: other
        version: "1"
        owner: t
        rules:
          - {id: other.r, title: t, category: hate, severity: 7, mode: enforce, when: score.hate >= 0.1, then: {action: block, reason: O}}
    """  # noqa: E501  # one rule a line
    bundle = a_bundle_of(a_rule(rollout="{percent: 0}"), more=TESTS, other=other)
    assert failing_examples(bundle, now=NOON_S) == []


def test_a_failing_example_says_what_is_wrong_and_where() -> None:
    """At the place of its name."""
    bundle = a_bundle_of(more=TESTS.replace("action: allow", "action: block"))
    (found,) = failing_examples(bundle, now=NOON_S)
    assert str(found) == "bundle/sample.yaml:17:12: FAILING-TEST test 'miss' fails: action is allow, expected block"


def test_coverage_knows_hits_near_misses_and_both_sides() -> None:
    """Of every rule and every comparison."""
    bundle = a_bundle_of(a_rule(), a_rule("sample.never", when="score.drugs >= 0.5"), more=TESTS)
    covered = {c.rule.id: c for c in measure_coverage(bundle, run_examples(bundle, now=NOON_S), now=NOON_S)}
    rule, never = covered["sample.rule"], covered["sample.never"]
    assert (rule.hit, rule.near_miss, rule.leaves_covered, rule.boundaries, rule.boundary_faults) == (
        True,
        True,
        1,
        3,
        [],
    )
    assert (never.hit, never.near_miss, never.leaves_covered) == (False, False, 0)


def test_an_explanation_shows_values_truths_and_reasons() -> None:
    """Also of what is missing."""
    bundle = a_bundle_of(a_rule(on_unknown="review"), a_rule("sample.other", when="list.slurs.hits >= 1"))
    made = explain(bundle, a_subject(), some_signals({"list.slurs.hits": 1}, failed="score.hate"))
    assert [line.split("   [")[0] for line in made.lines()] == [
        f"review (severity 3) by {bundle.label}",
        "sample.other: matched → limit",
        "  ✓ all",
        "    ✓ list.slurs.hits >= 1   is 1",
        "sample.rule: undecided → limit",
        "  ? all",
        "    ? score.hate >= threshold.hate.mid (0.75)   is failed (set by the test)",
    ]


def test_the_smallest_change_comes_first() -> None:
    """Down to just under the number, or up to the next rule."""
    bundle = a_bundle_of(
        a_rule(), a_rule("sample.high", when="score.hate >= threshold.hate.high", then="{action: block, reason: B}")
    )
    found = counterfactuals(bundle, a_subject(), some_signals({"score.hate": 0.8}))
    assert [str(c) for c in found] == [
        "if score.hate had been 0.7499 instead of 0.8: allow",
        "if score.hate had been 0.9 instead of 0.8: block",
    ]


def test_an_absent_signal_can_have_been_the_difference() -> None:
    """Its status is named."""
    found = counterfactuals(a_bundle_of(), a_subject(), some_signals(failed="score.hate"))
    assert [str(c) for c in found] == ["if score.hate had been 0.75 instead of failed: limit"]


def test_a_difference_is_one_of_meaning() -> None:
    """Another way to write the same is nothing; a lower number is stricter."""
    same = a_rule(when="").replace("{all: ['']}", "{not: {any: [{not: score.hate >= threshold.hate.mid}]}}")
    assert diff_bundles(a_bundle_of(), a_bundle_of(same)) == []
    lower = a_bundle_of(a_rule(when="score.hate >= threshold.hate.low"))
    (found,) = diff_bundles(a_bundle_of(), lower)
    assert (found.direction, found.text) == ("stricter", "matches more")
    (back,) = diff_bundles(lower, a_bundle_of())
    assert (back.direction, back.text) == ("looser", "matches less")


def test_a_difference_names_what_moved() -> None:
    """Mode, action, rollout, exceptions and lists, each with its direction."""
    exception = """
        exceptions:
          - {id: x, suppresses: ["sample.*"], when: author.verified == true, reason: r, expires: 2027-01-01}
    """
    longer = files_of()["lists/slurs.yaml"].decode().replace("badword,", "badword, another,")
    old = a_bundle_of(a_rule(mode="shadow"), a_rule("sample.gone"))
    new = a_bundle_of(a_rule(then="{action: block, reason: SAMPLE}"), more=exception, lists__slurs=longer)
    assert [(d.kind, d.name, d.direction, d.text) for d in diff_bundles(old, new)] == [
        ("rule", "sample.gone", "looser", "removed, was enforce → limit"),
        ("rule", "sample.rule", "stricter", "mode: shadow → enforce"),
        ("rule", "sample.rule", "stricter", "action: limit → block"),
        ("exception", "x", "looser", "new: suppresses sample.*"),
        ("list", "slurs", "stricter", "1 entries more (en)"),
    ]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_shipped_schemas_are_those_of_the_models(kind: str) -> None:
    """`weir policy schema KIND > policies/library/KIND.schema.json` makes them."""
    shipped = json.loads((LIBRARY / f"{kind}.schema.json").read_text(encoding="utf-8"))
    assert shipped == editor_schema(kind)


def test_a_recording_reads_back_as_itself() -> None:
    """And holds no text."""
    subject = a_subject("secret words", tenant="acme", audience_minors=True)
    signals = some_signals({"score.hate": 0.8, "list.slurs.matches": ("a",)}, failed="score.drugs")
    signals.models["clip_safety"] = "3"
    line = json.dumps(write_recording(subject, signals))
    assert "secret" not in line
    back = read_recording(json.loads(line))
    assert (back.signals.values, back.signals.missing, back.signals.models) == (
        signals.values,
        signals.missing,
        signals.models,
    )
    assert back.subject.tenant == "acme"
    assert back.subject.audience_minors is True


@pytest.mark.parametrize(
    "raw",
    [
        [],
        "x",
        {"signals": []},
        {"signals": {"a": {}}},
        {"status": {"a": "gone"}, "signals": {}},
        {"signals": {}, "kind": 3},
    ],
)
def test_what_is_no_recording_is_refused_with_a_reason(raw: object) -> None:
    """Never with a crash."""
    with pytest.raises(RecordingError):
        read_recording(raw)


def test_a_verdict_can_be_explained_by_what_it_shows() -> None:
    """Scores and evidence become signals again."""
    verdict = {
        "event_id": "e",
        "surface": "feed",
        "categories": [{"name": "hate", "score": 0.8, "severity": 3}, {"name": "drugs", "score": None}],
        "matches": [{"evidence": [{"signal": "list.slurs.hits", "value": 1, "test": "list.slurs.hits >= 1"}]}],
        "degraded": [{"signals": ["score.sexual"], "status": "timeout", "why": "late"}],
    }
    made = read_recording(verdict)
    assert made.partial
    assert made.signals.values == {"score.hate": 0.8, "severity.hate": 3, "list.slurs.hits": 1}
    assert made.signals.missing["score.sexual"].why == "late"


def test_signals_are_not_shared_between_results() -> None:
    """Explaining changes nothing of what it was given."""
    signals = SignalSet({"score.hate": 0.8})
    explain(a_bundle_of(), a_subject(), signals)
    assert signals.values == {"score.hate": 0.8}
