"""Whatever a line or a text holds, reading it gives an event or a named error, and showing it gives nothing away."""

from __future__ import annotations

import json
from collections.abc import Callable
from html import unescape
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ops.report.pieces import esc
from ops.samples import mask_text
from streams.core.events import ContentEvent
from streams.core.outcome import RawRecord
from streams.core.shortform import FIELDS, ShortFormError, Source, event_from_line
from streams.core.wire import decode_event, encode_event

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
short_lines = st.dictionaries(st.sampled_from([*FIELDS, "parts", "event_id", "content_id", "x"]), plain, max_size=8)


def no_files(path: str) -> bytes:
    """No path can be read."""
    raise FileNotFoundError(2, "No such file or directory", path)


def some_file(path: str) -> bytes:
    """Every path can be read."""
    return path.encode("utf-8", "surrogatepass")


def read(line: str | bytes, read_image: Callable[[str], bytes]) -> ContentEvent | ShortFormError:
    """The event, or the error that the line deserves; anything else fails the test."""
    try:
        return event_from_line(line, Source(read_image, 1_700_000_000.0, 3))
    except ShortFormError as exc:
        return exc


@given(st.binary(max_size=400) | st.text(max_size=200))
def test_any_line_gives_an_event_or_a_named_error(line: str | bytes) -> None:
    """No bytes and no text make the reader raise anything but its own error."""
    got = read(line, no_files)
    if isinstance(got, ShortFormError):
        assert str(got).startswith("line 3")


@given(short_lines)
def test_any_object_gives_an_event_that_survives_the_wire(tree: dict[str, Any]) -> None:
    """What is accepted is a valid event: encoded as msgpack it decodes to itself."""
    got = read(json.dumps(tree), some_file)
    if isinstance(got, ContentEvent):
        assert decode_event(RawRecord("t", 0, 0, None, encode_event(got))) == got


@given(st.text(min_size=1, max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_event_ids_differ_exactly_when_the_text_does(name: str, first: str, second: str) -> None:
    """One content id, two texts: the same text gives the same event id, another text another one."""
    one, two = (read(json.dumps({"id": name, "text": text}), no_files) for text in (first, second))
    if isinstance(one, ContentEvent) and isinstance(two, ContentEvent):
        assert (one.event_id == two.event_id) == (first == second)


@given(st.text(max_size=400))
def test_a_masked_text_is_printable_and_short(text: str) -> None:
    """No control, invisible or bidirectional character is left, and a line stays a line."""
    shown = mask_text(text, max_chars=60)
    assert len(shown) <= 60
    assert all(c.isprintable() for c in shown)


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyzäöüñ ", max_size=200))
def test_at_most_one_letter_of_a_word_is_left(text: str) -> None:
    """Of each word the first letter may stay, and nothing of short ones."""
    for word, shown in zip(text.split(), mask_text(text, max_chars=400).split(), strict=True):
        left = [c for c in shown if c.isalpha()]
        assert left in ([], [word[0]])
        assert left == [] or len(word) >= 4


@given(st.text(max_size=200))
def test_escaped_text_has_no_markup_and_reads_the_same(text: str) -> None:
    """In an element or an attribute a text stays a text; only what cannot be printed is replaced."""
    escaped = esc(text)
    assert not set(escaped) & set("<>\"'")
    assert unescape(escaped) == "".join(c if c.isprintable() else "\ufffd" for c in text)
