"""One line about one record, for people: ids, decisions, scores and codes. Never content.

`weir tail` and `weir demo` print them. Which records to show, and where, is theirs to say.
"""

from __future__ import annotations

from typing import Final

import msgspec
from rich.text import Text

from policies.engine.verdict import Verdict
from streams.core.events import ContentEvent
from streams.core.outcome import EventDecodeError, RawRecord
from streams.core.wire import decode_event, decode_verdict

ACTION_STYLES: Final[dict[str, str]] = {
    "allow": "green",
    "label": "cyan",
    "blur": "blue",
    "limit": "yellow",
    "review": "magenta",
    "block": "bold red",
    "dead": "white on red",
}
SHOWN_SCORE: Final = 0.5  # categories below it are left out of a line
_VERDICT_LIKE = (b"weir.verdict/", b"weir.flagged/")


def record_line(record: RawRecord) -> Text:
    """What the record is, on one line."""
    schema = record.header("schema") or b""
    if record.header("weir-code") is not None:
        return dead_letter_line(record)
    if schema.startswith(_VERDICT_LIKE):
        try:
            return verdict_line(decode_verdict(record.value or b""))
        except msgspec.DecodeError:
            return _plain_line(record, "a verdict that cannot be read")
    try:
        return event_line(decode_event(record))
    except EventDecodeError as exc:
        return _plain_line(record, exc.code)


def verdict_line(verdict: Verdict) -> Text:
    """The decision, what it is about, the scores that matter, and the rules that led to it."""
    line = Text.assemble(_action(verdict.action), " ", printable(verdict.content_id))
    if scores := score_words(verdict):
        line.append(f"  {scores}", "dim")
    if rules := ", ".join(printable(match.rule) for match in verdict.matches):
        line.append(f"  [{rules}]", "bold")
    if shadow := shadow_words(verdict):
        line.append(f"  {shadow}", "dim")
    if verdict.degraded:
        line.append(f"  without {sum(len(gap.signals) for gap in verdict.degraded)} signals", "yellow")
    return line


def score_words(verdict: Verdict, *, most: int = 3) -> str:
    """The highest scores from SHOWN_SCORE on: `hate 0.91  violence 0.62`."""
    high = [(c.score, c.name) for c in verdict.categories if c.score is not None and c.score >= SHOWN_SCORE]
    return "  ".join(f"{name} {score:.2f}" for score, name in sorted(high, reverse=True)[:most])


def shadow_words(verdict: Verdict) -> str:
    """What rules in shadow would have done: `shadow: hate.x would limit`; empty when none would have."""
    told = ", ".join(f"{printable(one.rule)} would {printable(one.action)}" for one in verdict.shadow)
    return f"shadow: {told}" if told else ""


def dead_letter_line(record: RawRecord) -> Text:
    """Why a record could not be judged, and where it came from."""
    code = header_text(record, "weir-code") or "?"
    where = "/".join(header_text(record, f"__connect.errors.{name}") for name in ("topic", "partition", "offset"))
    detail = header_text(record, "__connect.errors.exception.message").removeprefix(f"{code}: ")
    return Text.assemble(_action("dead"), f" {code}", (f"  {detail[:120]}", "dim"), f"  from {where}")


def event_line(event: ContentEvent) -> Text:
    """An event by its ids and the kinds of its parts."""
    parts = [part.__struct_config__.tag for part in event.parts]
    counts = ", ".join(f"{parts.count(tag)} {tag}" for tag in dict.fromkeys(parts))
    where = " ".join(word for word in (event.kind, event.surface, event.locale) if word)
    return Text.assemble(
        ("event ", "cyan"), f" {printable(event.event_id)}", (f"  {printable(where)}", "dim"), f"  {counts}"
    )


def header_text(record: RawRecord, name: str) -> str:
    """A header as printable text; empty when it is not there."""
    return printable((record.header(name) or b"").decode("utf-8", "replace"))


def printable(text: str) -> str:
    """The text without anything that could act on a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _action(word: str) -> tuple[str, str]:
    return f"{word[:7]:<7}", ACTION_STYLES.get(word, "")


def _plain_line(record: RawRecord, why: str) -> Text:
    key = printable((record.key or b"").decode("utf-8", "replace"))[:64]
    return Text.assemble(
        ("record", "yellow"), f"  key {key or '-'}  {len(record.value or b'')} bytes", (f"  {why}", "dim")
    )
