"""The HTML report: its structure is what was agreed, and nothing that a record says gets to act in it."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from ops.report import DeadLetterRow, EventRow, RunReport, blurred_thumbnail, percentile, render_report
from policies.engine.taxonomy import CATEGORIES
from policies.engine.verdict import CategoryResult, Degraded, Evidence, Joint, Match, Verdict, Versions

GOLDEN = Path(__file__).with_name("report_body.html")
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)> & \x1b[31m\u202e'
VOID = {"meta", "img", "input", "rect", "path"}


def verdict(event: str = "e-1", *, action: str = "block", word: str = "plain") -> Verdict:
    """A verdict that has something in every place, with `word` wherever a string may come from outside."""
    scores = {"hate": 0.91, "violence": 0.34}
    return Verdict(
        verdict_id="0" * 32,
        event_id=event,
        content_id=f"c {word}",
        kind="post",
        surface=word,
        locale="en",
        tenant=None,
        key="k",
        action=action,
        severity=5,
        labels=(word,),
        reasons=("HATE",),
        review_queue=word,
        categories=tuple(
            CategoryResult(
                name=name, score=scores.get(name), severity=3, sources=("text",), abstained=name not in scores
            )
            for name in CATEGORIES
        ),
        matches=(
            Match(
                policy="hate",
                rule="hate.sure",
                action="block",
                evidence=(
                    Evidence("score.hate", 0.91, "score.hate >= 0.9"),
                    Evidence("list.slurs.matches", ("sluridoo",), "list.slurs.matches != []"),
                ),
                text="listed terms: sluridoo",
            ),
        ),
        joint=Joint(0.2, 0.1, None),
        versions=Versions(policy="library@1#ab", models={"clip_safety": "starter"}, tier="reference"),
        degraded=(Degraded(("score.hate.image",), "failed", word),),
    )


def report(word: str = "plain") -> RunReport:
    """A small run: one blocked, one allowed, one dead, one unanswered."""
    return RunReport(
        title=f"Demo run {word}",
        started="2026-11-24 05:30 UTC",
        took_s=1.25,
        setting=(("Broker", word),),
        published=4,
        events=(
            EventRow(
                1, word, "weir", verdict(word=word), (word,), ("", "data:image/jpeg;base64,AA=="), 120.0, {"total": 9.0}
            ),
            EventRow(2, "allowed", "weir", verdict("e-2", action="allow"), (), (), 80.0),
        ),
        dead_letters=(DeadLetterRow(3, word, "event.invalid", word, "producer", "content.incoming/0/3", 12),),
        notes=(word,),
    )


class Page(HTMLParser):
    """Reads a page strictly: remembers tags and attributes, and whether everything was closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an opening tag."""
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag that closes itself."""
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        """Expect the tag that was opened last."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.text.append(data)


def body(html: str) -> str:
    """The page without its style, script and their hashes."""
    return re.sub(r"(?s)<style>.*?</style>|<script>.*?</script>|<meta http-equiv.*?>", "", html)


def test_the_body_is_the_agreed_one(tmp_path: Path) -> None:
    """A fixed run gives exactly the golden page; look at the written one and copy it over when a change is meant."""
    made = body(render_report(report()))
    written = tmp_path / GOLDEN.name
    written.write_text(made, encoding="utf-8")
    assert made == GOLDEN.read_text(encoding="utf-8"), f"differs: compare {written} with {GOLDEN}"


def test_every_tag_is_closed_in_order() -> None:
    """The page is well-formed, with hostile words in every place too."""
    for word in ("plain", HOSTILE):
        assert Page(render_report(report(word))).open == []


def test_hostile_words_stay_words() -> None:
    """A script in a record adds no element, no attribute and no control character; it is read as text."""
    plain, hostile = Page(render_report(report())), Page(render_report(report(HOSTILE)))
    assert hostile.tags == plain.tags
    assert [name for name, _ in hostile.attributes] == [name for name, _ in plain.attributes]
    assert "alert(1)" in "".join(hostile.text)
    html = render_report(report(HOSTILE))
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert "\x1b" not in html
    assert "\u202e" not in html


def test_nothing_is_loaded_and_nothing_else_may_run() -> None:
    """No link leaves the file; the policy allows only the page's own style and script, by hash."""
    page = Page(render_report(report()))
    targets = [value or "" for name, value in page.attributes if name in {"src", "href", "action", "srcset"}]
    assert all(target.startswith(("#", "data:image/")) for target in targets)
    policy = next(
        value or "" for name, value in page.attributes if name == "content" and "default-src" in (value or "")
    )
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert not any(name == "style" or name.startswith("on") for name, _ in page.attributes)


def test_what_lists_found_is_never_quoted() -> None:
    """A listed term of the evidence is masked, and the rule's rendered text, which may hold it, is left out."""
    html = render_report(report())
    assert "sluridoo" not in html
    assert "score.hate &gt;= 0.9 (was 0.910)" in html


def test_the_figures_follow_from_the_rows() -> None:
    """Flagged, dead, unanswered and percentiles are counted from what the report holds."""
    outcomes = report().outcomes()
    assert (outcomes.events, outcomes.verdicts, outcomes.flagged) == (4, 2, 1)
    assert (outcomes.dead_letters, outcomes.missing, outcomes.degraded) == (1, 1, 2)
    assert (outcomes.p50_ms, outcomes.p95_ms) == (80.0, 120.0)
    assert outcomes.actions["block"] == 1
    assert outcomes.categories["hate"] == 2


def test_an_empty_run_still_makes_a_page() -> None:
    """No verdict and no dead letter is something to say, not an error."""
    html = render_report(RunReport("Nothing", "now", 0.0, (), 0, (), ()))
    assert "No verdict arrived." in html
    assert Page(html).open == []


@pytest.mark.parametrize(("share", "expected"), [(0.5, 5), (0.95, 10), (1.0, 10), (0.0, 1)])
def test_percentiles_are_nearest_ranks(share: float, expected: int) -> None:
    """Every percentile is a value that was measured."""
    assert percentile([float(i) for i in range(10, 0, -1)], share) == expected


def test_a_thumbnail_keeps_colours_and_no_shapes() -> None:
    """A checkerboard becomes one even grey: what is finer than a seventh of the picture is gone."""
    board = Image.new("L", (224, 224))
    board.putdata([255 * ((x // 8 + y // 8) % 2) for y in range(224) for x in range(224)])
    out = BytesIO()
    board.save(out, "PNG")
    url = blurred_thumbnail(out.getvalue())
    assert url.startswith("data:image/jpeg;base64,")
    assert len(url) < 2_000
    low, high = Image.open(BytesIO(base64.b64decode(url.split(",")[1]))).convert("L").getextrema()
    assert isinstance(low, int | float)
    assert isinstance(high, int | float)
    assert high - low < 16


def test_what_is_no_picture_has_no_thumbnail() -> None:
    """Bytes that cannot be decoded safely give an empty answer."""
    assert blurred_thumbnail(b"GIF89a") == ""
