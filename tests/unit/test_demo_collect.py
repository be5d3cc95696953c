"""The demo's bookkeeping: answers meet their samples in whatever order acks and answers arrive."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import msgspec
import pytest
from rich.console import Console

from ops.demo.collect import Collector, source_of, timings
from ops.demo.play import Played
from ops.demo.tell import Circumstances, build_report, print_summary, summary, well
from ops.demo.view import LiveView, PlainView, QuietView, row_line
from ops.local.services import KafkaKind
from ops.report import DeadLetterRow, EventRow
from ops.samples import Sample, load_samples
from policies.engine.verdict import Verdict, Versions
from streams.agents.letters import Letter, Stamp, Topics, letters
from streams.core.events import ContentEvent, TextPart
from streams.core.outcome import DeadLetter, Decided, EventDecodeError, Fault, RawRecord
from streams.core.wire import decode_event

TOPICS = Topics("content.verdicts", "content.flagged", "content.deadletter")
SAMPLES = load_samples()
GOOD = next(sample for sample in SAMPLES if sample.group == "text: benign")
PICTURE = next(sample for sample in SAMPLES if sample.group == "image+text")
BROKEN = next(sample for sample in SAMPLES if sample.expect.outcome == "deadletter")
AROUND = Circumstances(KafkaKind.EMBEDDED, "2026-11-24 05:30 UTC", 3, 4.5, 2)


def verdict_of(event: ContentEvent) -> Verdict:
    """An `allow`."""
    return Verdict(
        verdict_id=f"v-{event.event_id}",
        event_id=event.event_id,
        content_id=event.content_id,
        kind=event.kind,
        surface=event.surface,
        locale=event.locale,
        tenant=None,
        key=event.key,
        action="allow",
        severity=0,
        versions=Versions("library@1#0123456789abcdef", {"clip_safety": "starter"}, "reference"),
    )


def answer(sample: Sample, offset: int) -> RawRecord:
    """What a worker publishes for `sample` at this offset of partition 0."""
    record = RawRecord("content.incoming", 0, offset, sample.key, sample.value, sample.headers)
    outcome: Decided | DeadLetter
    try:
        event = decode_event(record)
        outcome = Decided(record, event, verdict_of(event), {"total": 12.5})
    except EventDecodeError as exc:
        outcome = DeadLetter(record, exc.code, exc.detail, Fault.PRODUCER)
    return as_record(next(letters(outcome, TOPICS, Stamp("w", 1.0))))


def as_record(letter: Letter) -> RawRecord:
    """A letter as a reader of its topic gets it."""
    return RawRecord(letter.topic, 0, 0, letter.key, letter.value, letter.headers)


def test_an_answer_after_its_ack_becomes_a_row_with_its_latency() -> None:
    """The row carries the verdict, masked texts, the worker's timings, and the time since the ack."""
    collector = Collector([GOOD], "content.incoming")
    assert collector.acked(0, 0, 7, at=100.0) is None
    row = collector.answered(answer(GOOD, 7), at=100.25)
    assert isinstance(row, EventRow)
    assert row.latency_ms == pytest.approx(250)
    assert row.timings_ms == {"total": 12.5}
    assert collector.complete
    event = decode_event(GOOD.record())
    (part,) = event.parts
    assert isinstance(part, TextPart)
    assert part.text not in " ".join(row.texts)


def test_an_answer_before_its_ack_waits_for_it() -> None:
    """A verdict that overtakes the producer's ack is kept, and its latency is never below zero."""
    collector = Collector([GOOD], "content.incoming")
    assert collector.answered(answer(GOOD, 7), at=99.0) is None
    row = collector.acked(0, 0, 7, at=100.0)
    assert isinstance(row, EventRow)
    assert row.latency_ms == 0


def test_a_repeat_is_counted_and_changes_nothing() -> None:
    """At least once: the second verdict for the same event is dropped."""
    collector = Collector([GOOD, BROKEN], "content.incoming")
    collector.acked(0, 0, 0, at=1.0)
    first = collector.answered(answer(GOOD, 0), at=1.1)
    assert collector.answered(answer(GOOD, 0), at=9.0) is None
    assert collector.rows == {0: first}
    assert collector.repeats == 1
    assert [sample.id for sample in collector.unanswered()] == [BROKEN.id]


def test_dead_letters_are_found_by_the_headers_of_connect() -> None:
    """A dead letter answers the record that its headers name, with code, detail and fault."""
    collector = Collector([BROKEN], "content.incoming")
    collector.acked(0, 0, 3, at=1.0)
    row = collector.answered(answer(BROKEN, 3), at=1.1)
    assert isinstance(row, DeadLetterRow)
    assert row.code == BROKEN.expect.code
    assert row.fault == "producer"
    assert row.where == "content.incoming/0/3"
    assert not row.detail.startswith(row.code)
    assert collector.surprises() == []


def test_an_unexpected_answer_is_named() -> None:
    """A good sample that ends as a dead letter is a surprise, and the run is not well."""
    collector = Collector([GOOD], "content.incoming")
    collector.acked(0, 0, 0, at=1.0)
    record = RawRecord("content.incoming", 0, 0, GOOD.key, GOOD.value, GOOD.headers)
    dead = DeadLetter(record, "weir.decide", "KeyError", Fault.WEIR)
    collector.answered(as_record(next(letters(dead, TOPICS, Stamp("w", 1.0)))), at=1.1)
    (surprise,) = collector.surprises()
    assert GOOD.id in surprise
    assert "weir.decide" in surprise


def test_what_cannot_be_read_is_a_stranger() -> None:
    """A record that names one of our events and holds no verdict is counted and left."""
    collector = Collector([GOOD], "content.incoming")
    collector.acked(0, 0, 0, at=1.0)
    broken = RawRecord("content.verdicts", 0, 0, None, b"\xc1", (("weir-source", b"content.incoming/0/0"),))
    assert collector.answered(broken, at=1.1) is None
    assert (collector.strangers, collector.complete) == (1, False)


def test_timings_that_cannot_be_read_are_none() -> None:
    """Headers come from outside: whatever they hold is no error."""
    for value in (b"", b"{", b"[1]", b'{"total": "x"}', b"\xff"):
        record = RawRecord("t", 0, 0, None, None, (("weir-timings-ms", value),))
        assert timings(record) == {}
    assert source_of(RawRecord("t", 0, 0, None, None)) == ""


def played() -> Played:
    """A run of three samples: one judged, one dead, one without an answer."""
    collector = Collector([PICTURE, BROKEN, GOOD], "content.incoming")
    for index, sample in enumerate((PICTURE, BROKEN)):
        collector.acked(index, 0, index, at=1.0)
        collector.answered(answer(sample, index), at=1.2)
    collector.acked(2, 0, 2, at=1.0)
    return Played(collector, first_at=1.2, took_s=0.4)


def test_the_summary_tells_what_is_missing() -> None:
    """Unanswered samples, actions, codes and latencies are there for scripts."""
    report = build_report(played(), AROUND)
    told = summary(report, played(), AROUND, "/tmp/report.html")
    assert told["unanswered"] == [GOOD.id]
    assert told["dead_letters"] == {BROKEN.expect.code: 1}
    assert told["actions"]["allow"] == 1
    assert told["latency_ms"]["p50"] == pytest.approx(200, abs=1)
    assert told["policy"] == "library@1#0123456789abcdef"
    assert any(GOOD.id in note for note in report.notes)
    assert dict(report.setting)["Policies"] == "library@1#0123456789ab"


def test_a_run_is_well_when_all_is_answered_and_the_model_took_part() -> None:
    """An unanswered sample, or a model that never answered, makes the run a failure."""
    collector = Collector([GOOD], "content.incoming")
    assert not well(Played(collector, 0.0, 0.0))
    collector.acked(0, 0, 0, at=1.0)
    collector.answered(answer(GOOD, 0), at=1.1)
    assert well(Played(collector, 0.0, 0.0))
    row = collector.rows[0]
    assert isinstance(row, EventRow)
    alone = msgspec.structs.replace(row.verdict, versions=Versions("library@1#01", {}, "none"))
    collector.rows[0] = replace(row, verdict=alone)
    assert not well(Played(collector, 0.0, 0.0))


def test_the_summary_is_printed_with_the_way_to_the_report() -> None:
    """A person sees the figures and where the report lies."""
    console = Console(record=True, width=100, file=StringIO())
    print_summary(console, build_report(played(), AROUND), AROUND, "/somewhere/report.html")
    text = console.export_text()
    assert "/somewhere/report.html" in text
    assert "1 allow" in text
    assert f"Unanswered: {GOOD.id}" in text


def test_views_show_notes_and_never_content() -> None:
    """A line names the sample and its outcome; the words of the post are not in it."""
    rows = [row for _, row in sorted(played().collector.rows.items())]
    words = {
        word
        for part in decode_event(PICTURE.record()).parts
        if isinstance(part, TextPart)
        for word in part.text.split()
    }
    console = Console(record=True, width=160, force_terminal=True, file=StringIO())
    for view in (PlainView(console), LiveView(console, 2), QuietView()):
        view.tell("publishing")
        view.tell("fetching a part: 1 of 90 MiB")
        view.tell("fetching a part: 2 of 90 MiB")
        for row in rows:
            view.show(row)
        view.close()
    text = console.export_text()
    assert PICTURE.note in text
    assert text.count("fetching a part") <= 2
    assert BROKEN.expect.code in text
    assert not [word for word in words if len(word) > 4 and word in text]
    assert all(row_line(row).plain.isprintable() for row in rows)
