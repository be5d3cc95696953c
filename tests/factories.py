"""Values for tests: events, records, verdicts, opinions, pictures. Every field has a harmless default to override."""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from PIL import Image

from policies import PolicyBundle, load_bundle
from policies.engine.signals import SignalSet, SignalStatus
from policies.engine.taxonomy import CATEGORIES
from policies.engine.verdict import CategoryResult, Match, Verdict, Versions, verdict_id
from streams.agents.moderate import Limits
from streams.core.events import Author, ContentEvent, ImagePart, Part, TextPart
from streams.core.outcome import Decided, RawRecord
from streams.core.wire import encode_event
from streams.ports import ModelOpinion
from triton_models.contract import LABELS, MEMBERS, ROWS

SOME_TIME_S = 1_700_000_000.0


def an_event(text: str = "good morning", **fields: Any) -> ContentEvent:
    """A post with one text."""
    made: dict[str, Any] = {
        "event_id": "event-1",
        "content_id": "content-1",
        "kind": "post",
        "created_at": SOME_TIME_S,
        "parts": (TextPart(text=text),),
        "author": Author(id="author-1"),
        "locale": "en",
    }
    return ContentEvent(**{**made, **fields})


def an_event_of(*parts: Part, **fields: Any) -> ContentEvent:
    """A post with these parts."""
    return an_event(parts=parts, **fields)


def a_record(value: bytes | ContentEvent | None = None, **fields: Any) -> RawRecord:
    """A record of `content.incoming` that holds an event, or the bytes that are given."""
    raw = encode_event(value if value is not None else an_event()) if not isinstance(value, bytes) else value
    made: dict[str, Any] = {"topic": "content.incoming", "partition": 0, "offset": 0, "key": b"author-1", "value": raw}
    return RawRecord(**{**made, **fields})


def a_numbered_record(number: int, *, partition: int = 0) -> RawRecord:
    """The event `event-N` at offset N."""
    event = an_event(event_id=f"event-{number}", content_id=f"content-{number}")
    return a_record(event, partition=partition, offset=number)


def an_event_tree(**fields: Any) -> dict[str, Any]:
    """An event as the plain map that a producer in another language would pack."""
    tree: dict[str, Any] = msgspec.msgpack.decode(encode_event(an_event()))
    return {**tree, **fields}


def a_verdict(action: str = "allow", **fields: Any) -> Verdict:
    """A verdict; above `allow` it has one match."""
    match = Match(policy="p", rule="p.rule", action=action, text="because")
    made: dict[str, Any] = {
        "verdict_id": verdict_id("event-1", "abc", {}),
        "event_id": "event-1",
        "content_id": "content-1",
        "kind": "post",
        "surface": "feed",
        "locale": "en",
        "tenant": None,
        "key": "author-1",
        "action": action,
        "severity": 0 if action == "allow" else 4,
        "categories": tuple(CategoryResult(name=c, score=None, severity=None, abstained=True) for c in CATEGORIES),
        "matches": () if action == "allow" else (match,),
        "versions": Versions("library@1#abc", {}, "none"),
    }
    return Verdict(**{**made, **fields})


def a_decision(action: str = "allow", **fields: Any) -> Decided:
    """An event that was judged."""
    made: dict[str, Any] = {"record": a_record(), "event": an_event(), "verdict": a_verdict(action)}
    return Decided(**{**made, **fields})


def signals(values: Mapping[str, Any] | None = None, missing: Mapping[str, str] | None = None) -> SignalSet:
    """A signal set; `missing` maps names to a status."""
    made = SignalSet(dict(values or {}))
    for name, status in (missing or {}).items():
        made.miss([name], SignalStatus(status), "in a test")
    return made


def an_opinion(scores: Mapping[str, float] | None = None, *, row: str = "text", **fields: Any) -> ModelOpinion:
    """What the model says of one item: `scores` in `row` and fused, everything else abstained."""
    filled = tuple((scores or {}).get(label) for label in LABELS)
    empty: tuple[float | None, ...] = tuple(None for _ in LABELS)
    made: dict[str, Any] = {
        "scores": {name: filled if name in (row, "fused") else empty for name in ROWS},
        "severity": tuple(None if score is None else round(score * 7) for score in filled),
        "joint": (None, None, None),
        "disagreement": empty,
        "member_status": dict.fromkeys(MEMBERS, "ok"),
        "release": "fake-1",
        "tier": "reference",
    }
    return ModelOpinion(**{**made, **fields})


def a_picture(size: tuple[int, int] = (8, 8), kind: str = "PNG") -> bytes:
    """A picture file of one colour."""
    out = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(out, kind)
    return out.getvalue()


def an_image(**fields: Any) -> ImagePart:
    """An inline picture."""
    return ImagePart(**{"data": a_picture(), "media_type": "image/png", **fields})


def some_limits(**fields: Any) -> Limits:
    """Limits that never bite unless a test sets one."""
    made: dict[str, Any] = {
        "batch_size": 4,
        "batch_wait_s": 0.0,
        "batches_in_flight": 2,
        "backlog": 100,
        "publish_timeout_s": 5.0,
        "stall_s": 600.0,
        "deadletter_share": 1.0,
        "deadletter_window": 100,
    }
    return Limits(**{**made, **fields})


@cache
def a_bundle() -> PolicyBundle:
    """Policies that need no model: everything on the surface `reviewed` is reviewed."""
    # Loaded through the real door: a fake bundle would be one more thing to keep true.
    from streams.app import catalogue

    with TemporaryDirectory() as folder:
        Path(folder, "test.yaml").write_text(_POLICY, encoding="utf-8")
        return load_bundle(Path(folder), catalogue())


_POLICY = """\
policy: test
version: "1"
owner: tests@example.com
references: ["test"]
rules:
  - id: test.reviewed-surface
    title: Everything on the surface `reviewed` is looked at
    category: harassment
    severity: 4
    mode: enforce
    when: {all: ["surface == 'reviewed'"]}
    then: {action: review, reason: TEST_SURFACE}
    evidence: "surface"
tests:
  - {name: a reviewed surface, event: {surface: reviewed}, expect: {action: review, rules: [test.reviewed-surface]}}
"""
