"""Lines and JSON of `weir tail`: ids, decisions and codes; words of the content only when asked for."""

from __future__ import annotations

import json

import pytest

from ops.commands.tail import as_plain
from ops.lines import record_line
from ops.samples import Sample, load_samples
from policies.engine.verdict import CategoryResult, Degraded, Evidence, Match, ShadowMatch
from streams.core.outcome import RawRecord
from streams.core.wire import encode_event, encode_verdict
from tests.factories import a_verdict, an_event

MATCH = Match(
    policy="hate",
    rule="hate.list",
    action="block",
    evidence=(Evidence("list.slurs.matches", ("sluridoo",), "list.slurs.matches != []"),),
    text="listed terms: sluridoo",
)
VERDICT = a_verdict(
    "block",
    matches=(MATCH,),
    categories=(
        CategoryResult(name="hate", score=0.91, severity=5, abstained=False),
        CategoryResult(name="violence", score=0.2, severity=1, abstained=False),
    ),
    degraded=(Degraded(("score.hate.image",), "failed", "why"),),
)
RECORD = RawRecord(
    "content.verdicts", 1, 2, b"content-1", encode_verdict(VERDICT), (("schema", b"weir.verdict/1"),), 1_700_000_000.0
)


def test_a_verdict_is_one_line_without_words_of_the_content() -> None:
    """Action, content id, high scores, rules and how many signals were missing."""
    line = record_line(RECORD).plain
    assert line.startswith("block   content-1  hate 0.91")
    assert "[hate.list]" in line
    assert "without 1 signals" in line
    assert "violence" not in line
    assert "sluridoo" not in line


def test_a_rule_in_shadow_is_told() -> None:
    """It says what it would have done; that is what people watch a shadow for."""
    value = encode_verdict(a_verdict(shadow=(ShadowMatch("hate", "hate.new", "limit"),)))
    line = record_line(RawRecord("content.verdicts", 0, 0, b"k", value, (("schema", b"weir.verdict/1"),))).plain
    assert line.endswith("shadow: hate.new would limit")


def test_json_masks_what_lists_found_unless_content_is_asked_for() -> None:
    """A script gets the whole verdict; the listed term only with `content`."""
    told = as_plain(RECORD)
    assert told["verdict"]["action"] == "block"
    assert (told["partition"], told["offset"], told["key"]) == (1, 2, "content-1")
    assert "sluridoo" not in json.dumps(told)
    assert "value" not in told
    assert "sluridoo" in json.dumps(as_plain(RECORD, content=True))


def test_an_event_is_told_by_its_parts() -> None:
    """Events of any topic are shown by id, kind and number of parts."""
    record = RawRecord("content.incoming", 0, 0, b"k", encode_event(an_event("secret words", event_id="e-7")))
    line = record_line(record).plain
    assert "e-7" in line
    assert "1 text" in line
    assert "secret" not in line


@pytest.mark.parametrize("sample", load_samples()[::3], ids=lambda sample: sample.id)
def test_any_record_has_a_printable_line(sample: Sample) -> None:
    """Whatever is in a topic, its line acts on no terminal and is one line."""
    for headers in (sample.headers, (("schema", b"weir.verdict/1"),), (("weir-code", b"\x1b[31m\xff"),)):
        line = record_line(RawRecord("t", 0, 0, b"\x1b\xff", sample.value, headers)).plain
        assert line.isprintable()
        assert json.dumps(as_plain(RawRecord("t", 0, 0, b"\xff", sample.value, headers)))
