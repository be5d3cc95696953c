"""Overrides, exceptions, floors, modes, rollout, quotas, expiry and surface profiles."""

from __future__ import annotations

from typing import Any

from policies import evaluate
from policies.engine.rollout import bucket
from policies.engine.signals import SignalSet
from policies.engine.verdict import Verdict
from tests.policy_folders import NOON_S, a_bundle_of, a_rule, a_subject, files_of, problems_of, some_signals

HIGH = some_signals({"score.hate": 0.8})

OVERRIDES = """
overrides:
  - {id: de, match: {locale: ["de-*"]}, set: {thresholds.hate.mid: 0.6}, reason: law, expires: 2027-01-31}
  - {id: de-live, match: {locale: ["de-*"], surface: ["live*"]}, set: {thresholds.hate.mid: 0.4}, reason: law, expires: 2027-01-31}
  - {id: acme, match: {tenant: [acme]}, set: {rules.sample.rule.mode: shadow}, reason: trial, expires: 2027-01-31}
"""  # noqa: E501  # one override a line, as people write them

EXCEPTION = """
exceptions:
  - id: newsroom
    suppresses: ["sample.*"]
    when: {all: [author.verified == true, author.kind in ["news"]]}
    reason: reporting
    expires: 2027-01-31
"""


def _actions(signals: SignalSet, more: str, *subjects: dict[str, Any]) -> list[str]:
    bundle = a_bundle_of(more=more)
    return [evaluate(bundle, a_subject(**fields), signals).action for fields in subjects]


def test_an_override_changes_a_number_where_it_fits() -> None:
    """`de-*` fits de and de-AT, in any spelling of the locale."""
    signals = some_signals({"score.hate": 0.65})
    found = _actions(signals, OVERRIDES, {"locale": "de"}, {"locale": "de_AT"}, {"locale": "DE-ch"}, {"locale": "den"})
    assert found == ["limit", "limit", "limit", "allow"]


def test_the_narrower_override_wins() -> None:
    """Whatever stands first in the file."""
    signals = some_signals({"score.hate": 0.45})
    found = _actions(signals, OVERRIDES, {"locale": "de", "surface": "live_tv"}, {"locale": "de", "surface": "feed"})
    assert found == ["limit", "allow"]


def test_an_override_ends_after_its_last_day() -> None:
    """It still holds on the day it names; time is the event's."""
    signals = some_signals({"score.hate": 0.65})
    last, after = 1_801_439_999.0, 1_801_440_000.0  # 2027-01-31 23:59:59 and a second later
    found = _actions(signals, OVERRIDES, {"locale": "de", "created_at": last}, {"locale": "de", "created_at": after})
    assert found == ["limit", "allow"]


def test_an_override_can_put_a_rule_into_shadow_for_a_tenant() -> None:
    """There it only says what it would have done."""
    bundle = a_bundle_of(more=OVERRIDES)
    verdict = evaluate(bundle, a_subject(tenant="acme"), HIGH)
    assert (verdict.action, verdict.matches, verdict.shadow[0].rule) == ("allow", (), "sample.rule")
    assert evaluate(bundle, a_subject(tenant="other"), HIGH).action == "limit"


def test_two_overrides_that_may_both_fit_are_refused() -> None:
    """Which one would win must not depend on their order."""
    clash = OVERRIDES.replace("match: {tenant: [acme]}", 'match: {locale: ["*-AT"]}')
    clash = clash.replace("rules.sample.rule.mode: shadow", "thresholds.hate.mid: 0.5")
    found = problems_of(files_of(more=clash))
    place, text = found[0].split(": ", 1)
    assert place == "p/sample.yaml:18:16"
    assert text == ("OVERRIDE-CONFLICT 'de' and 'acme' both set 'hate.mid' and may both fit; make one of them narrower")


def test_an_exception_takes_a_match_back_and_says_so() -> None:
    """The only way to allow: scoped, reasoned, expiring."""
    bundle = a_bundle_of(more=EXCEPTION)
    verdict = evaluate(bundle, a_subject(author_verified=True, author_kind="news"), HIGH)
    assert (verdict.action, verdict.matches) == ("allow", ())
    assert [(s.rule, s.exception) for s in verdict.suppressed] == [("sample.rule", "newsroom")]
    assert evaluate(bundle, a_subject(author_verified=False, author_kind="news"), HIGH).action == "limit"


def test_an_exception_that_cannot_be_decided_does_not_apply() -> None:
    """A broken lookup must not allow."""
    signals = some_signals({"score.hate": 0.8, "author.kind": "news"}, failed="author.verified")
    assert evaluate(a_bundle_of(more=EXCEPTION), a_subject(), signals).action == "limit"


def test_no_exception_reaches_a_floor() -> None:
    """Not even one whose glob fits."""
    rule = a_rule(floor="true", when="list.slurs.hits >= 1")
    bundle = a_bundle_of(rule, a_rule("sample.other"), more=EXCEPTION)
    subject = a_subject(author_verified=True, author_kind="news")
    assert evaluate(bundle, subject, some_signals({"list.slurs.hits": 1})).action == "limit"
    assert evaluate(bundle, subject, some_signals(failed="list.slurs.hits")).action == "review"


def test_a_floor_cannot_be_weakened() -> None:
    """Neither by a mode, nor by a rollout, a quota, an end or an override."""
    weak = a_rule(floor="true", mode="shadow", rollout="{percent: 5}", expires="2027-01-01", on_unknown="skip")
    override = """
        overrides:
          - {id: x, match: {locale: [de]}, set: {thresholds.hate.mid: 1.0, rules.sample.rule.mode: off}, reason: r, expires: 2027-01-01}
    """  # noqa: E501  # one override a line, as people write them
    found = problems_of(files_of(weak, more=override))
    assert [line.split()[1] for line in found] == ["WEAK-FLOOR"] * 6


def test_a_rule_in_shadow_only_tells() -> None:
    """So does an unknown one: nothing is held for a rule that is not in force."""
    bundle = a_bundle_of(a_rule(mode="shadow", on_unknown="review"))
    verdict = evaluate(bundle, a_subject(), HIGH)
    assert (verdict.action, [s.action for s in verdict.shadow]) == ("allow", ["limit"])
    assert evaluate(bundle, a_subject(), some_signals(failed="score.hate")).action == "allow"


def test_off_is_off() -> None:
    """Not in force and not in shadow."""
    verdict = evaluate(a_bundle_of(a_rule(mode="off")), a_subject(), HIGH)
    assert (verdict.action, verdict.shadow) == ("allow", ())


def test_a_rule_stops_after_its_end() -> None:
    """By the event's time, so that replaying last week gives last week's answer."""
    bundle = a_bundle_of(a_rule(expires="2026-11-24"))
    assert evaluate(bundle, a_subject(), HIGH).action == "limit"
    assert evaluate(bundle, a_subject(created_at=NOON_S + 86_400), HIGH).action == "allow"


def test_rollout_is_stable_and_about_the_share() -> None:
    """One author is always on the same side; outside the share the rule is in shadow."""
    bundle = a_bundle_of(a_rule(rollout="{percent: 30, by: author.id}"))
    verdicts = [evaluate(bundle, a_subject(author_id=f"a{n}"), HIGH) for n in range(2_000)]
    inside = sum(v.action == "limit" for v in verdicts)
    assert 520 < inside < 680
    assert all(len(v.matches) + len(v.shadow) == 1 for v in verdicts)
    assert evaluate(bundle, a_subject(author_id="a7"), HIGH) == verdicts[7]


def test_the_bucket_is_part_of_the_contract() -> None:
    """SHA-256 of rule id, zero byte and key: another release puts the same authors in."""
    assert round(bucket("sample.rule", "author-1"), 6) == 38.820999


def _quota_verdict(used: int | None) -> Verdict:
    rule = a_rule(then="{action: block, reason: X}", quota="{block_per_hour: 10, then: review}")
    signals = some_signals({"score.hate": 0.8} | ({} if used is None else {"quota.sample.rule": used}))
    return evaluate(a_bundle_of(rule), a_subject(), signals)


def test_a_quota_trips_into_review_never_into_silence() -> None:
    """Uses of the last hour come in as a signal, so that evaluation stays pure."""
    assert [_quota_verdict(n).action for n in (None, 9, 10, 11)] == ["block", "block", "review", "review"]
    assert _quota_verdict(10).reasons == ("QUOTA_TRIPPED", "X")


PROFILES = """
queues: [now, later]
profiles:
  - {id: any, match: {surface: ["*"]}, when_down: {clip_safety: {action: allow, labels: [rescan]}}}
  - {id: avatar, match: {surface: [avatar]}, when_down: {"*": {action: review, review: now}}}
"""


def test_a_profile_answers_when_a_whole_detector_is_down() -> None:
    """By the narrowest profile that fits, and only for events that need the detector."""
    bundle = a_bundle_of(profiles=PROFILES)
    names = [n for n, spec in bundle.catalogue.items() if spec.owner == "clip_safety"]
    down = some_signals(failed=" ".join(names))
    feed, avatar = (evaluate(bundle, a_subject(surface=s), down) for s in ("feed", "avatar"))
    assert (feed.action, feed.labels, feed.reasons) == ("allow", ("rescan",), ("DETECTOR_DOWN",))
    assert (avatar.action, avatar.review_queue) == ("review", "now")
    partly = some_signals({"score.drugs": 0.1}, failed="score.hate")
    assert evaluate(bundle, a_subject(surface="avatar"), partly).action == "allow"
    down.values["image.unreadable"] = 0
    assert evaluate(bundle, a_subject(surface="avatar"), down).action == "review"
    lists_only = a_bundle_of(a_rule(when="list.slurs.hits >= 1"), profiles=PROFILES)
    assert evaluate(lists_only, a_subject(surface="avatar"), down).action == "allow"
