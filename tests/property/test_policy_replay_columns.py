"""The columnar judge against `evaluate`, event by event, under everything that the language has."""

from __future__ import annotations

import random

import pytest

from ops.bench.policy_replay import random_recordings
from ops.replay.columns import ColumnJudge, Judged
from ops.replay.frame import Frame, build_frame
from policies import PolicyBundle, evaluate
from policies.engine.recording import Recording
from policies.engine.signals import MissingSignal, SignalStatus
from policies.engine.taxonomy import Action
from policies.engine.verdict import Verdict
from tests.policy_folders import a_bundle_of, a_rule

PROFILES = """
profiles:
  - {id: any, match: {surface: ["*"]}, when_down: {clip_safety: {action: label}, "*": {action: limit}}}
  - {id: avatar, match: {surface: [avatar]}, when_down: {"*": {action: review, review: high}}}
"""

MORE = """
overrides:
  - {id: o.de, match: {locale: ["de-*"]}, set: {thresholds.hate.mid: 0.3}, reason: r, expires: 2026-11-24}
  - {id: o.live, match: {locale: ["de-*"], surface: ["live*"]}, set: {thresholds.hate.mid: 0.9, rules.s.number.mode: shadow}, reason: r, expires: 2027-11-24}
  - {id: o.minors, match: {audience: minors}, set: {rules.s.words.mode: off}, reason: r, expires: 2027-11-24}
exceptions:
  - {id: x.news, suppresses: ["s.n*", "s.*o*", s.review], when: {all: [author.verified == true, author.kind in ["news"]]}, reason: r, expires: 2026-11-24}
"""  # noqa: E501  # one a line, as people write them

POINTS = "[[2, score.hate >= threshold.hate.mid], [1, author.age_days < 200], [2, context.quoted != false]]"


def everything() -> PolicyBundle:
    """A bundle that uses the whole language."""
    return a_bundle_of(
        a_rule("s.number"),
        a_rule(
            "s.review", when="score.drugs >= 0.4", on_unknown="review", then="{action: label, reason: A, review: low}"
        ),
        a_rule(
            "s.match", when="score.sexual < 0.1", on_unknown="match", then="{action: blur, reason: B}", severity="5"
        ),
        a_rule("s.floor", when="list.slurs.hits >= 1", floor="true", then="{action: block, reason: C, review: urgent}"),
        a_rule("s.words", when='kind in ["message", "prompt"]', then="{action: review, reason: D}"),
        a_rule("s.not", when="").replace("{all: ['']}", '{all: [not: {any: [kind == "post", score.hate >= 0.2]}]}'),
        a_rule("s.shadow", when="score.violence > 0.5", mode="shadow"),
        a_rule("s.off", mode='"off"'),
        a_rule("s.part", when="score.harassment >= 0.1", rollout="{percent: 40}", then="{action: label, reason: E}"),
        a_rule("s.ends", when="score.weapons <= 0.2", expires="2026-11-24", then="{action: label, reason: F}"),
        a_rule("s.quota", when="score.self_harm >= 0.2", quota="{limit_per_hour: 5}"),
        a_rule("s.points", when="").replace("    when: {all: ['']}\n", f"    points: {POINTS}\n    at_least: 3\n"),
        more=MORE,
        profiles=PROFILES,
    )


def some_recordings(count: int, seed: int) -> list[Recording]:
    """Random events with every kind of missing signal."""
    dice = random.Random(seed)
    made: list[Recording] = []
    for subject, signals, labels in random_recordings(count, seed):
        for name in list(signals.values):
            if dice.random() < 0.1:
                del signals.values[name]
                signals.missing[name] = MissingSignal(dice.choice(list(SignalStatus)[1:]), "x")
        if dice.random() < 0.3:
            signals.values["quota.s.quota"] = dice.randrange(10)
        if dice.random() < 0.1:
            signals.missing["author.verified"] = MissingSignal(SignalStatus.FAILED, "x")
        made.append(Recording(subject, signals, labels))
    return made


def told(judged: Judged, row: int) -> tuple[object, ...]:
    """What the columnar judge says of one event."""
    queue = int(judged.queue[row])
    groups = [
        sorted(name for name, mask in group.items() if mask[row])
        for group in (judged.matched, judged.shadow, judged.suppressed, judged.undecided)
    ]
    action = Action(int(judged.action[row])).word
    return action, int(judged.severity[row]), judged.queues[queue] if queue >= 0 else None, *groups


def told_by_evaluate(verdict: Verdict) -> tuple[object, ...]:
    """The same of a verdict."""
    return (
        verdict.action,
        verdict.severity,
        verdict.review_queue,
        sorted(m.rule for m in verdict.matches if m.policy != "profiles"),
        sorted(s.rule for s in verdict.shadow),
        sorted(s.rule for s in verdict.suppressed),
        sorted(u.rule for u in verdict.undecided),
    )


def frame_of(bundle: PolicyBundle, recordings: list[Recording]) -> Frame:
    """The columns that the bundle reads."""
    return build_frame(recordings, bundle.program.signals | set(bundle.quotas), bundle.catalogue)


@pytest.mark.parametrize("seed", range(4))
def test_columns_agree_with_evaluate_on_every_event(seed: int) -> None:
    """Action, severity, queue, and the rules in each standing."""
    bundle = everything()
    recordings = some_recordings(1_500, seed)
    judged = ColumnJudge(bundle).judge(frame_of(bundle, recordings))
    seen: set[str] = set()
    for row, recording in enumerate(recordings):
        verdict = evaluate(bundle, recording.subject, recording.signals)
        assert told(judged, row) == told_by_evaluate(verdict), (row, recording)
        seen.add(verdict.action)
    assert seen >= {"allow", "label", "blur", "limit", "review", "block"}
