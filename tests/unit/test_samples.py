"""The bundled samples: enough of every kind, and each decodes as its expectation says."""

from __future__ import annotations

import base64
import json
import zlib

import msgpack
import pytest

from ops.samples import EVENTS, MEDIA, Expectation, Sample, load_samples, mask_text, read_samples
from ops.samples.attribution import SETS
from ops.samples.sample import MEDIA_MARK, to_json
from streams.core.events import ContentEvent, ImagePart, TextPart
from streams.core.outcome import EventDecodeError
from streams.core.wire import DECODE_CODES, decode_event

SAMPLES = load_samples()
GOOD = [sample for sample in SAMPLES if sample.expect.outcome == "verdict"]
BROKEN = [sample for sample in SAMPLES if sample.expect.outcome == "deadletter"]


def decoded(samples: list[Sample]) -> list[ContentEvent]:
    """The events in `samples`."""
    return [decode_event(sample.record()) for sample in samples]


@pytest.mark.parametrize("sample", GOOD, ids=lambda sample: sample.id)
def test_good_samples_decode(sample: Sample) -> None:
    """A sample that promises a verdict is an event."""
    assert decode_event(sample.record()).event_id == sample.id


@pytest.mark.parametrize("sample", BROKEN, ids=lambda sample: sample.id)
def test_broken_samples_fail_with_their_code(sample: Sample) -> None:
    """A sample that promises a dead letter fails to decode with exactly that code."""
    with pytest.raises(EventDecodeError) as caught:
        decode_event(sample.record())
    assert caught.value.code == sample.expect.code
    assert sample.expect.code in DECODE_CODES


def test_there_are_enough_of_every_kind() -> None:
    """At least 80 events: texts, pictures, both, albums, an edit, eight languages and hostile bytes."""
    events = decoded(GOOD)
    languages = {event.locale.split("-")[0] for event in events} - {"und"}
    shapes = [
        (
            sum(isinstance(part, TextPart) for part in event.parts),
            sum(isinstance(part, ImagePart) for part in event.parts),
        )
        for event in events
    ]
    assert len(SAMPLES) >= 80
    assert len(languages) >= 8
    assert sum(texts > 0 and images == 0 for texts, images in shapes) >= 20
    assert sum(texts == 0 and images == 1 for texts, images in shapes) >= 5
    assert sum(texts > 0 and images == 1 for texts, images in shapes) >= 5
    assert sum(images > 1 for _, images in shapes) >= 3
    assert len({sample.expect.code for sample in BROKEN}) >= 8


def test_an_edit_keeps_its_content_id() -> None:
    """Two samples concern one content: a post and its edit, in this order and under one key."""
    edits = [sample for sample in GOOD if sample.group == "edit"]
    first, second = decoded(edits)
    assert first.content_id == second.content_id
    assert first.event_id != second.event_id
    assert edits[0].key == edits[1].key == first.key.encode()


def test_event_ids_are_unique() -> None:
    """No two good samples are repeats of each other."""
    assert len({event.event_id for event in decoded(GOOD)}) == len(GOOD)


def test_keys_are_what_orders_the_events() -> None:
    """A good sample is keyed by its author, as the contract says."""
    assert all(sample.key == decode_event(sample.record()).key.encode() for sample in GOOD)


def test_media_marks_become_files_that_are_there() -> None:
    """References into the media folder are absolute after loading; one of them is missing on purpose."""
    uris = [part.uri for event in decoded(GOOD) for part in event.parts if isinstance(part, ImagePart) and part.uri]
    root = MEDIA.resolve().as_uri()
    placed = [uri for uri in uris if uri.startswith(root)]
    assert not any(uri.startswith(MEDIA_MARK) for uri in uris)
    assert {uri.rsplit("/", 1)[1] for uri in placed} == {"houses.jpg", "sea.jpg", "gone.jpg"}
    assert {file.name for file in MEDIA.iterdir()} == {"houses.jpg", "sea.jpg"}


def test_every_source_is_attributed() -> None:
    """Each sample names sets that ATTRIBUTION.md lists, and every row id is in that file."""
    text = (EVENTS.parent / "ATTRIBUTION.md").read_text(encoding="utf-8")
    for sample in SAMPLES:
        for source in sample.source.split("; "):
            name, _, row = source.partition(":")
            assert name in SETS
            assert row in text


def test_the_samples_are_small() -> None:
    """They ride in the wheel: under 3 MB together, inline pictures under 20 kB each."""
    parts = [part for event in decoded(GOOD) for part in event.parts if isinstance(part, ImagePart) and part.data]
    assert sum(file.stat().st_size for file in [EVENTS, *MEDIA.iterdir()]) < 3 * 1024 * 1024
    assert max(len(part.data or b"") for part in parts) <= 20 * 1024


def test_a_sample_survives_its_file_form() -> None:
    """Any bytes, headers and a missing value come back from a line as they went in."""
    for value in (None, b"", b"\x00\xff" * 3, b"a" * 10_000, msgpack.packb({"a": 1})):
        made = Sample("s", "g", "n", "weir", b"k", (("schema", b"x"),), value, Expectation("deadletter", "c"))
        (back,) = read_samples([json.dumps(to_json(made, media=False)).encode()])
        assert back == made


def test_a_deflate_bomb_in_a_samples_file_is_refused() -> None:
    """A value that unfolds without end stops at its limit."""
    bomb = base64.b64encode(zlib.compress(bytes(80 * 1024 * 1024), 9)).decode()
    with pytest.raises(ValueError, match="larger than"):
        list(read_samples([json.dumps({"id": "bomb", "value_deflate": bomb}).encode()]))


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Hello there, friend!", "H•••• t••••, f•••••!"),
        ("you are 12", "••• ••• ••"),
        ("Привет друзья", "П••••• д•••••"),
        ("你好，世界", "••，••"),
        ("नमस्ते दोस्तों", None),
        ("a\u200bb\u202ec", "•••"),
        ("gun 🔫", "••• ▢"),
        ("\x1b[31mred", None),
        ("", ""),
    ],
)
def test_masking_hides_words_and_keeps_their_shape(text: str, masked: str | None) -> None:
    """Letters are hidden but the first of long words; nothing invisible or active is left."""
    shown = mask_text(text)
    if masked is not None:
        assert shown == masked
    assert shown.isprintable()
    assert not set(text.lower()) & set(shown.lower()) & set("नमस्तेदोस्तोंre")


def test_masking_cuts_long_texts() -> None:
    """A text of a megabyte is shown as one short line."""
    assert len(mask_text("word " * 200_000, max_chars=40)) <= 40
    assert mask_text("word " * 200_000).endswith("…")
