"""The laws of the wire: decoding is total, encoding is its inverse and deterministic, time and memory are bounded."""

from __future__ import annotations

import random
import tracemalloc
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.bench.decode_fuzz import KINDS, fuzz
from policies.engine.verdict import Evidence, Match, Versions
from streams.core.events import Audience, Author, ContentEvent, Context, ImagePart, TextPart, VideoPart
from streams.core.outcome import EventDecodeError, RawRecord
from streams.core.wire import DECODE_CODES, decode_event, decode_verdict, encode_event, encode_verdict
from tests.factories import a_record, a_verdict, an_event_tree

TYPES = st.sampled_from([b"application/json", b"application/msgpack", b"text/html", b"\xff"])
HEADERS = st.lists(
    st.tuples(st.sampled_from(["content-type", "schema", "x"]), TYPES | st.just(b"weir.event/1") | st.binary()),
    max_size=3,
)
LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary()
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=20
)

IDS = st.text(st.characters(exclude_categories=["C", "Zl", "Zp", "Zs"]), min_size=1, max_size=30)
TIMES = st.floats(0, 1e12)
PARTS = (
    st.builds(TextPart, text=st.text(), role=st.text(max_size=9))
    | st.builds(ImagePart, data=st.binary())
    | st.builds(ImagePart, data=st.none(), uri=st.text(min_size=1))
    | st.builds(VideoPart, uri=st.text(min_size=1))
)
EVENTS = st.builds(
    ContentEvent,
    event_id=IDS,
    content_id=IDS,
    created_at=TIMES,
    parts=st.lists(PARTS, min_size=1, max_size=5).map(tuple),
    author=st.none() | st.builds(Author, id=IDS, created_at=st.none() | TIMES),
    surface=st.text(max_size=9),
    locale=st.text(max_size=9),
    audience=st.none() | st.builds(Audience, size=st.none() | st.integers(0, 2**63 - 1)),
    context=st.none() | st.builds(Context, parent_id=IDS, thread_id=st.none(), parent_text=st.text()),
    tenant=st.none() | st.text(max_size=9),
    labels=st.none() | st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=4),
)


def decodes_or_refuses(record: RawRecord) -> ContentEvent | None:
    """The event, or None after an EventDecodeError with a known code. Anything else fails the test."""
    try:
        return decode_event(record)
    except EventDecodeError as exc:
        refused = exc
    assert refused.code in DECODE_CODES
    assert len(refused.detail) <= 400
    assert refused.detail.isprintable()
    return None


@given(st.binary(), HEADERS)
def test_any_bytes_decode_or_are_refused(value: bytes, headers: list[tuple[str, bytes]]) -> None:
    """Random bytes under random headers."""
    decodes_or_refuses(a_record(value, headers=tuple(headers)))


@given(
    st.dictionaries(st.sampled_from(sorted(ContentEvent.__struct_encode_fields__)) | st.text(), TREES),
    st.sampled_from(["json", "msgpack"]),
)
def test_any_tree_decodes_or_is_refused(fields: dict[str, Any], form: str) -> None:
    """A valid event with any of its fields replaced by anything, and anything added."""
    tree = an_event_tree(**fields)
    raw = msgspec.json.encode(tree) if form == "json" else msgspec.msgpack.encode(tree)
    decodes_or_refuses(a_record(raw, headers=(("content-type", f"application/{form}".encode()),)))


@given(EVENTS, st.sampled_from(["json", "msgpack"]))
def test_every_event_comes_back_as_it_was_written(event: ContentEvent, form: str) -> None:
    """Encoding and decoding are each other's inverse, in both forms."""
    raw = msgspec.json.encode(event) if form == "json" else encode_event(event)
    assert decode_event(a_record(raw, headers=(("content-type", f"application/{form}".encode()),))) == event


@given(st.integers(0, 2**32))
@settings(max_examples=20)
def test_hostile_and_mutated_records_are_refused(seed: int) -> None:
    """The generator of the bench, one record of each kind per seed."""
    assert fuzz(len(KINDS), seed).passed


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_of_the_fuzzer_makes_other_records_for_other_seeds(kind: str) -> None:
    """A generator that repeats itself would prove nothing."""
    made = {KINDS[kind](random.Random(seed)).value for seed in range(50)}
    assert len(made) > 10


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (b"\x81\xa1x\xdd\x00\xf0\x00\x00" + b"\x80" * 0xF00000, ()),
        (b"\x81\xa6labels\xdf\xff\xff\xff\xff" + b"\xa0" * 1_000_000, ()),
        (b'{"labels":{' + b'"":"",' * 3_000_000, (("content-type", b"application/json"),)),
        (b'{"unknown":[' + b"[]," * 4_000_000, (("content-type", b"application/json"),)),
        (b'{"parts":[' + b'{"type":"text","text":""},' * 600_000, (("content-type", b"application/json"),)),
    ],
    ids=["15 M maps skipped", "a map of 4 billion", "6 M strings", "4 M lists", "600,000 parts"],
)
def test_a_hostile_record_makes_no_tree(value: bytes, headers: tuple[tuple[str, bytes], ...]) -> None:
    """What decoding allocates stays far below the record's own length."""
    record = a_record(value, headers=headers)
    tracemalloc.start()
    try:
        decodes_or_refuses(record)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < len(value) / 2


@given(
    st.dictionaries(st.text(), st.text(), max_size=5),
    st.lists(st.tuples(st.text(), st.none() | st.floats(allow_nan=False) | st.text(), st.text()), max_size=5),
)
def test_a_verdict_is_written_deterministically_and_comes_back(
    models: dict[str, str], evidence: list[tuple[str, float | str | None, str]]
) -> None:
    """The same verdict is the same bytes, also after a journey, whatever the order in which its maps were filled."""
    match = Match(policy="p", rule="r", action="block", evidence=tuple(Evidence(*piece) for piece in evidence))
    shuffled = dict(reversed(models.items()))
    one, two = (a_verdict("block", matches=(match,), versions=Versions("p", m, "t")) for m in (models, shuffled))
    raw = encode_verdict(one)
    assert encode_verdict(two) == raw
    assert encode_verdict(decode_verdict(raw)) == raw
