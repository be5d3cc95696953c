"""Evaluation: what matches, what is undecided, who wins, and what the verdict says."""

from __future__ import annotations

import pytest

from policies import evaluate
from policies.engine.taxonomy import CATEGORIES
from policies.engine.verdict import Redaction
from tests.policy_folders import NOON_S, a_bundle_of, a_rule, a_subject, some_signals

BLOCK = "{action: block, reason: BLOCKED, labels: [b], review: urgent}"
LABEL = "{action: label, reason: LABELLED, labels: [a], review: low}"


def test_a_score_at_the_threshold_matches() -> None:
    """`>=` includes the number itself."""
    bundle = a_bundle_of()
    assert evaluate(bundle, a_subject(), some_signals({"score.hate": 0.75})).action == "limit"
    assert evaluate(bundle, a_subject(), some_signals({"score.hate": 0.7499})).action == "allow"


def test_an_absent_signal_does_not_match_and_is_decided() -> None:
    """No image is no reason to hold a post."""
    for signals in (some_signals(), some_signals(absent="score.hate"), some_signals(not_run="score.hate")):
        verdict = evaluate(a_bundle_of(a_rule(on_unknown="review")), a_subject(), signals)
        assert (verdict.action, verdict.undecided) == ("allow", ())


@pytest.mark.parametrize("status", ["failed", "timeout", "stale"])
@pytest.mark.parametrize(("on_unknown", "action"), [("skip", "allow"), ("review", "review"), ("match", "limit")])
def test_a_broken_signal_makes_the_rule_undecided(status: str, on_unknown: str, action: str) -> None:
    """`on_unknown` says what follows, and the verdict says so in any case."""
    bundle = a_bundle_of(a_rule(on_unknown=on_unknown))
    verdict = evaluate(bundle, a_subject(), some_signals(None, **{status: "score.hate"}))
    assert verdict.action == action
    assert [(u.rule, u.missing) for u in verdict.undecided] == [("sample.rule", ("score.hate",))]
    assert [(d.signals, d.status) for d in verdict.degraded] == [(("score.hate",), status)]


def test_a_broken_signal_that_cannot_change_the_answer_does_not_matter() -> None:
    """False and unknown is false: only events that need the signal are affected."""
    rule = a_rule(when="", on_unknown="review", points="").replace(
        "    when: {all: ['']}\n", "    when: {all: [score.hate >= 0.5, score.violence >= 0.5]}\n"
    )
    verdict = evaluate(a_bundle_of(rule), a_subject(), some_signals({"score.violence": 0.1}, failed="score.hate"))
    assert (verdict.action, verdict.undecided) == ("allow", ())


def test_the_most_severe_rule_wins_and_all_are_told() -> None:
    """Labels are united, the most urgent queue is used, every hit is in the matches."""
    bundle = a_bundle_of(a_rule("sample.a", then=LABEL, severity="6"), a_rule("sample.b", then=BLOCK, severity="2"))
    verdict = evaluate(bundle, a_subject(), some_signals({"score.hate": 0.8}))
    assert (verdict.action, verdict.severity, verdict.review_queue) == ("block", 6, "urgent")
    assert verdict.labels == ("a", "b")
    assert verdict.reasons == ("BLOCKED", "LABELLED")
    assert [m.rule for m in verdict.matches] == ["sample.a", "sample.b"]


def test_the_order_of_rules_changes_nothing() -> None:
    """Two files with the rules turned around give the same verdict but for the bundle's hash."""
    one, two = a_rule("sample.a", then=LABEL), a_rule("sample.b", then=BLOCK)
    signals = some_signals({"score.hate": 0.8})
    first = evaluate(a_bundle_of(one, two), a_subject(), signals)
    second = evaluate(a_bundle_of(two, one), a_subject(), signals)
    assert (first.matches, first.action, first.reasons) == (second.matches, second.action, second.reasons)


def test_every_category_is_there_in_order() -> None:
    """What nothing judged abstains, and says so instead of showing 0."""
    signals = some_signals({"score.hate": 0.123456, "severity.hate": 3, "score.hate.text": 0.1, "score.drugs": 0.0})
    found = {c.name: c for c in evaluate(a_bundle_of(), a_subject(), signals).categories}
    assert tuple(found) == CATEGORIES
    assert (found["hate"].score, found["hate"].severity, found["hate"].sources) == (0.1235, 3, ("text",))
    assert (found["drugs"].score, found["drugs"].abstained) == (0.0, False)
    assert (found["sexual"].score, found["sexual"].severity, found["sexual"].abstained) == (None, None, True)


def test_a_not_a_number_score_abstains_and_matches_nothing() -> None:
    """A broken model must not look like a judgement."""
    verdict = evaluate(a_bundle_of(), a_subject(), some_signals({"score.hate": float("nan")}))
    assert verdict.action == "allow"
    assert verdict.categories[0].abstained


def test_evidence_names_the_comparison_that_held() -> None:
    """Signal, value, and the test with its number."""
    bundle = a_bundle_of(a_rule(evidence='"hate={score.hate:.2f}"'))
    match = evaluate(bundle, a_subject(), some_signals({"score.hate": 0.81234})).matches[0]
    assert match.text == "hate=0.81"
    assert [(e.signal, e.value, e.test) for e in match.evidence] == [
        ("score.hate", 0.8123, "score.hate >= threshold.hate.mid (0.75)")
    ]


def test_points_add_up_and_unknown_points_leave_it_open() -> None:
    """A sum is certain, possible or out of reach."""
    rule = a_rule(when="").replace(
        "    when: {all: ['']}\n",
        "    points: [[3, score.hate >= 0.5], [2, author.age_days < 7], [1, context.quoted == true]]\n"
        "    at_least: 5\n",
    )
    bundle = a_bundle_of(rule.replace("    title", '    evidence: "{points}: {hits}"\n    title'))
    young = a_subject(author_created_at=NOON_S - 86_400)
    hit = evaluate(bundle, young, some_signals({"score.hate": 0.6}))
    assert hit.matches[0].text == "5: score.hate >= 0.5; author.age_days < 7"
    assert evaluate(bundle, young, some_signals({"score.hate": 0.4})).action == "allow"
    assert len(evaluate(bundle, young, some_signals(failed="score.hate")).undecided) == 1
    assert evaluate(bundle, a_subject(), some_signals(failed="score.hate")).undecided == ()


def test_a_detector_that_breaks_its_promise_is_broken_not_the_event() -> None:
    """A word where a number was promised makes the rule undecided."""
    verdict = evaluate(a_bundle_of(), a_subject(), some_signals({"score.hate": "high"}))
    assert [u.rule for u in verdict.undecided] == ["sample.rule"]
    assert verdict.degraded[0].why == "the detector gave a str, not a float"


def test_the_event_itself_is_known_without_a_detector() -> None:
    """Surface, locale and labels come from the subject; a detector's word on them wins."""
    bundle = a_bundle_of(a_rule(when='labels.origin == "import"'))
    subject = a_subject(labels={"origin": "import"})
    assert evaluate(bundle, subject, some_signals()).action == "limit"
    assert evaluate(bundle, subject, some_signals({"labels.origin": "web"})).action == "allow"
    assert evaluate(bundle, subject, some_signals(absent="labels.origin")).action == "allow"


def test_redaction_hides_what_the_lists_found() -> None:
    """Spans of the original text, joined where they overlap."""
    from policies import scan_lists

    bundle = a_bundle_of(a_rule(when="list.slurs.hits >= 1", then="{action: limit, reason: X, redact: list.slurs}"))
    subject = a_subject("a b\u200badword!")
    verdict = evaluate(bundle, subject, scan_lists(bundle, subject.texts, subject.locale))
    assert verdict.modify is not None
    assert verdict.modify.redact == (Redaction(0, 2, 10),)


def test_blur_names_the_deciding_image() -> None:
    """All images when that is not known."""
    bundle = a_bundle_of(a_rule(when="score.hate.image >= 0.5", then="{action: blur, reason: X}"))
    signals = some_signals({"score.hate.image": 0.9})
    subject = a_subject("hi", image_count=2)
    everything = evaluate(bundle, subject, signals).modify
    assert everything is not None
    assert [b.part for b in everything.blur] == [1, 2]
    signals.origin["score.hate.image"] = 2
    one = evaluate(bundle, subject, signals).modify
    assert one is not None
    assert [b.part for b in one.blur] == [2]


def test_the_same_input_gives_the_same_bytes() -> None:
    """Evaluation is deterministic, whatever the order in which signals were found."""
    import msgspec

    bundle = a_bundle_of(a_rule("sample.a"), a_rule("sample.b", then=BLOCK))
    forth = some_signals({"score.hate": 0.8, "score.drugs": 0.2}, failed="score.sexual score.violence")
    back = some_signals({"score.drugs": 0.2, "score.hate": 0.8}, failed="score.violence score.sexual")
    encode = msgspec.msgpack.encode
    assert encode(evaluate(bundle, a_subject(), forth)) == encode(evaluate(bundle, a_subject(), back))


def test_the_id_changes_with_the_policies_and_the_models() -> None:
    """Judged again by the same, it is the same."""
    signals = some_signals({"score.hate": 0.8})
    first = evaluate(a_bundle_of(), a_subject(), signals)
    assert evaluate(a_bundle_of(), a_subject(), signals).verdict_id == first.verdict_id
    assert evaluate(a_bundle_of(a_rule(severity="4")), a_subject(), signals).verdict_id != first.verdict_id
    signals.models["clip_safety"] = "2"
    assert evaluate(a_bundle_of(), a_subject(), signals).verdict_id != first.verdict_id
    assert first.versions.policy.startswith("bundle@0#")
