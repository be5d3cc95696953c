"""Replay: counts, intervals, the gate, the page, and files that are partly unreadable."""

from __future__ import annotations

import gzip
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ops.bench.policy_replay import random_recordings
from ops.commands.policy import app
from ops.replay.compare import Replay, replay_frames
from ops.replay.frame import build_frame
from ops.replay.gate import broken_limits, read_gate
from ops.replay.page import render_page
from ops.replay.read import Faults, read_frames, read_labels, read_recordings
from ops.replay.stats import Share
from ops.replay.write import write_jsonl, write_parquet
from policies import PolicyErrors
from policies.engine.recording import Recording
from policies.engine.signals import SignalSet
from tests.policy_folders import NOON_S, a_bundle_of, a_rule, a_subject, files_of

OLD = a_bundle_of(a_rule(then="{action: review, reason: A, review: low}"))
NEW = a_bundle_of(a_rule(when="score.hate >= threshold.hate.high", then="{action: review, reason: A, review: high}"))


def recordings() -> list[Recording]:
    """Ten events over two hours: scores 0.05 to 0.95, odd ones in German, harmful above 0.7."""
    made = []
    for n in range(10):
        score = 0.05 + n / 10
        subject = a_subject(
            event_id=f"e{n}", created_at=NOON_S + 700 * n, locale="de" if n % 2 else "en", tenant="<b>" if n else None
        )
        made.append(Recording(subject, SignalSet({"score.hate": score}), {"hate": score > 0.7}))
    return made


def replayed() -> Replay:
    """The ten events from OLD to NEW."""
    frame = build_frame(recordings(), OLD.program.signals, OLD.catalogue)
    return replay_frames(OLD, NEW, [frame])


def test_what_changes_is_counted_by_rule_and_by_slice() -> None:
    """Scores .75, .85 and .95 matched before, only .95 does now."""
    found = replayed()
    rule = found.rules["sample.rule"]
    assert (found.events, found.stricter, found.looser) == (10, 0, 2)
    assert (rule.old, rule.new, rule.only_old, rule.only_new) == (3, 1, 2, 0)
    assert found.moves == {("allow", "allow"): 7, ("review", "allow"): 2, ("review", "review"): 1}
    german, english = found.slices["locale"]["de"], found.slices["locale"]["en"]
    assert (german.events, german.looser, english.events, english.looser) == (5, 1, 5, 1)
    assert found.examples == [("e7", "review", "allow"), ("e8", "review", "allow")]


def test_the_load_on_each_queue_is_counted_by_the_hour() -> None:
    """By the event's time."""
    found = replayed()
    assert {name: sorted(q.values()) for name, q in found.old_queues.items()} == {"low": [3]}
    assert {name: sorted(q.values()) for name, q in found.new_queues.items()} == {"high": [1]}


def test_quality_is_measured_where_labels_exist() -> None:
    """Precision and recall of the category's rules, with Wilson's interval."""
    found = replayed()
    assert found.old_quality["hate"].recall == Share(3, 3)
    assert found.new_quality["hate"].recall == Share(1, 3)
    assert found.new_quality["hate"].precision == Share(1, 1)


def test_wilson_s_interval() -> None:
    """Against the published example: 15 of 50 gives .191 to .438 (95 %)."""
    low, high = Share(15, 50).interval or (0, 0)
    assert (round(low, 3), round(high, 3)) == (0.191, 0.438)
    assert Share(0, 0).interval is None
    low, high = Share(0, 20).interval or (1, 1)
    assert (low, round(high, 3)) == (0.0, 0.161)


GATE = """
min_events: 20
max_changed_share: 0.1
max_stricter_share: 0.0
max_looser_share: 0.1
max_rule_share: {"*": 0.05}
max_queue_per_hour: {high: 0, low: 5}
max_slice_share: {locale: 0.01}
min_precision: {hate: 0.9, drugs: 0.5}
min_recall: {hate: 0.9}
"""


def test_the_gate_names_every_limit_that_breaks(tmp_path: Path) -> None:
    """With the numbers."""
    path = tmp_path / "gate.yaml"
    path.write_text(GATE, encoding="utf-8")
    assert broken_limits(read_gate(path), replayed()) == [
        "only 10 events were replayed, 20 are wanted",
        "changed: 0.200 [0.057, 0.510] of 10, the limit is 0.1",
        "looser: 0.200 [0.057, 0.510] of 10, the limit is 0.1",
        "locale en: 0.200 [0.036, 0.624] of 5 changed, surely above the limit 0.01",
        "locale de: 0.200 [0.036, 0.624] of 5 changed, surely above the limit 0.01",
        "rule sample.rule matches 0.100 [0.018, 0.404] of 10, the limit is 0.05",
        "queue high gets 1 events in its fullest hour, the limit is 0",
        "precision of drugs: no labels to measure it by",
        "recall of hate: 0.333 [0.061, 0.792] of 3, the limit is 0.9",
    ]


def test_a_wrong_gate_says_where(tmp_path: Path) -> None:
    """Like every file that a person wrote."""
    path = tmp_path / "gate.yaml"
    path.write_text("max_changed_shar: 0.1\nmin_events: many\n", encoding="utf-8")
    with pytest.raises(PolicyErrors) as caught:
        read_gate(path)
    assert [str(p).partition(": ")[2] for p in caught.value.problems] == [
        "UNKNOWN-KEY 'max_changed_shar' is not a key here; did you mean 'max_changed_share'?",
        "WRONG-TYPE 'min_events' must be a whole number, not the text 'many'",
    ]


def test_the_page_is_closed_html_and_runs_nothing() -> None:
    """Whatever a tenant is called."""
    page = render_page(replayed(), ["<script>"])
    assert "<b>" not in page
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert page.count("<svg") == 3
    HTMLParser().feed(page)


def test_files_of_every_kind_give_the_same_events(tmp_path: Path) -> None:
    """JSON lines, gzipped ones and Parquet; a broken line is told and left out."""
    judged = [(subject, signals) for subject, signals, _ in random_recordings(60, seed=3)]
    plain, packed, table = tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz", tmp_path / "c.parquet"
    assert write_jsonl(plain, judged) == 60
    packed.write_bytes(gzip.compress(plain.read_bytes() + b"nonsense\n[]\n"))
    assert write_parquet(table, judged) == 60
    faults = Faults()
    names = OLD.program.signals
    totals = [
        replay_frames(OLD, NEW, read_frames([path], names, OLD.catalogue, faults=faults))
        for path in (plain, packed, table)
    ]
    assert [t.events for t in totals] == [60, 60, 60]
    assert totals[0].moves == totals[1].moves == totals[2].moves
    assert faults.count == 2
    assert faults.examples[0].startswith(f"{packed}:61:")


def test_bad_rows_and_bad_files_are_counted_and_the_rest_is_read(tmp_path: Path) -> None:
    """A cell that is no JSON spoils its row only; a file that is no Parquet only itself. Labels may be a column."""
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = [
        {"event_id": "a", "image_count": 2, "signals": '{"score.hate": 0.5}', "labels": '{"hate": true}', "tier": None},
        {"event_id": "b", "image_count": None, "signals": "{broken", "labels": None, "tier": "reference"},
        {"event_id": "c", "image_count": None, "signals": "{}", "labels": None, "tier": "reference"},
    ]
    parquet.write_table(arrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    (tmp_path / "b.parquet").write_bytes(b"PAR1 nothing")
    faults = Faults()
    first, second = read_recordings(tmp_path, faults)
    assert (first.subject.event_id, first.subject.image_count, first.labels) == ("a", 2, {"hate": True})
    assert first.signals.values == {"score.hate": 0.5}
    assert (second.subject.event_id, second.signals.tier) == ("c", "reference")
    assert faults.count == 2
    assert "b.parquet" in faults.examples[1]


def test_events_that_come_from_verdicts_are_counted(tmp_path: Path) -> None:
    """They show less than was known."""
    path = tmp_path / "verdicts.jsonl"
    path.write_text(json.dumps({"event_id": "e", "categories": [{"name": "hate", "score": 0.8}]}) + "\n")
    frames = read_frames([path], OLD.program.signals, OLD.catalogue, faults=Faults())
    found = replay_frames(OLD, NEW, frames)
    assert (found.events, found.partial, found.looser) == (1, 1, 1)


def test_reviewers_labels_come_from_a_file_beside(tmp_path: Path) -> None:
    """By event or by content; a line that says nothing is told and left out."""
    path, said = tmp_path / "week.jsonl", tmp_path / "labels.jsonl"
    write_jsonl(path, [(r.subject, r.signals) for r in recordings()])
    first = next(iter(read_recordings(path, Faults()))).subject
    lines = [json.dumps({"event_id": first.event_id, "labels": {"hate": True}}), '{"labels": 1}']
    said.write_text("\n".join(lines), encoding="utf-8")
    faults = Faults()
    labels = read_labels(said, faults)
    frames = read_frames([path], OLD.program.signals, OLD.catalogue, faults=faults, labels=labels)
    found = replay_frames(OLD, NEW, frames)
    assert set(found.new_quality) == {"hate"}
    assert (faults.count, faults.examples[0].startswith(f"{said}:2:")) == (1, True)


def test_the_command_replays_gates_and_reports(tmp_path: Path) -> None:
    """Exit code 1 when the gate breaks; JSON and HTML on request."""
    for name, rule in (("old", a_rule()), ("new", a_rule(when="score.hate >= threshold.hate.low"))):
        for file, raw in files_of(rule).items():
            (tmp_path / name / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / file).write_bytes(raw)
    lines = tmp_path / "week.jsonl"
    write_jsonl(lines, [(r.subject, r.signals) for r in recordings()])
    gate = tmp_path / "gate.yaml"
    gate.write_text("max_stricter_share: 0.1\n", encoding="utf-8")
    page = tmp_path / "replay.html"
    words = ["replay", str(tmp_path / "old"), str(tmp_path / "new"), str(lines)]
    told = CliRunner().invoke(app, [*words, "--gate", str(gate), "--html", str(page), "--json"])
    assert told.exit_code == 1, told.output
    found = json.loads(told.output)
    assert (found["events"], found["stricter"], found["gate"]["passed"]) == (10, 2, False)
    assert "Policy replay" in page.read_text(encoding="utf-8")
    plain = CliRunner().invoke(app, words)
    assert plain.exit_code == 0
    assert "2 stricter, 0 looser" in plain.output
    assert CliRunner().invoke(app, [*words[:3], str(tmp_path / "none.jsonl")]).exit_code == 2
