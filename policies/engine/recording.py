"""Recordings: what an event's judgement was made from, without its content; one JSON object each.

    {"event_id", "content_id", "kind", "surface", "locale", "created_at", "tenant"?, "author_id"?, "minors"?, ...
     "signals": {name: value}, "status": {name: status}, "why"?: {name: reason},
     "models"?: {name: release}, "tier"?: word, "labels"?: {category: true | false}}

`labels` are what reviewers said, where they did. A verdict (`weir.verdict/1` as JSON) can be read as a recording too:
its scores and evidence are what is left of the signals. Reading only; no file is opened here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from policies.engine.signals import MissingSignal, SignalSet, SignalStatus, SignalValue
from policies.engine.subject import Subject, TextPart


class RecordingError(ValueError):
    """A line that is neither a recording nor a verdict; says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One judged event, ready to be judged again."""

    subject: Subject
    signals: SignalSet
    labels: Mapping[str, bool] = field(default_factory=dict)  # category -> a reviewer's word
    partial: bool = False  # made from a verdict: signals that it does not show are absent


_PLAIN: Final = frozenset({float, int, bool, str})
_FACTS: Final[dict[str, tuple[type, ...]]] = {
    "event_id": (str,), "content_id": (str,), "kind": (str,), "surface": (str,), "locale": (str,), "key": (str,),
    "created_at": (int, float), "tenant": (str,), "image_count": (int,), "author_id": (str,),
    "author_created_at": (int, float), "author_verified": (bool,), "author_kind": (str,), "audience_minors": (bool,),
    "audience_size": (int,), "quoted": (bool,), "parent_id": (str,), "thread_id": (str,),
}  # fmt: skip


def read_recording(raw: object) -> Recording:
    """The recording in a decoded JSON object; RecordingError otherwise."""
    if not isinstance(raw, dict):
        raise RecordingError("a recording is an object")
    if "signals" not in raw and "categories" in raw:
        return _from_verdict(raw)
    signals = SignalSet(tier=_text(raw.get("tier", "none"), "tier"))
    values = _object(raw, "signals")
    if _PLAIN.issuperset(map(type, values.values())):  # the common case: a replay reads millions of these
        signals.values = values
    else:
        signals.values = {name: _value(name, value) for name, value in values.items()}
    whys = _object(raw, "why")
    reasons: dict[tuple[str, str], MissingSignal] = {}
    for name, word in _object(raw, "status").items():
        why = whys.get(name, "recorded")
        if not isinstance(word, str) or not isinstance(why, str):
            raise RecordingError(f"status and why of {name!r} must be text")
        if (word, why) not in reasons:
            reasons[word, why] = _missing(name, word, why)
        signals.missing[name] = reasons[word, why]
    signals.models.update({k: _text(v, k) for k, v in _object(raw, "models").items()})
    labels = {k: v for k, v in _object(raw, "labels").items() if isinstance(v, bool)}
    return Recording(_subject(raw), signals, labels)


def write_recording(subject: Subject, signals: SignalSet) -> dict[str, Any]:
    """The recording of a judgement: no text, no image; the author only as the id that the platform gave."""
    made: dict[str, Any] = {
        name: getattr(subject, name) for name in _FACTS if getattr(subject, name) not in (None, "", 0)
    }
    made["signals"] = {k: list(v) if isinstance(v, tuple) else v for k, v in sorted(signals.values.items())}
    made["status"] = {k: gone.status.value for k, gone in sorted(signals.missing.items())}
    made["why"] = {k: gone.why for k, gone in sorted(signals.missing.items())}
    made["models"] = dict(signals.models)
    made["tier"] = signals.tier
    return made


def _missing(name: str, word: str, why: str) -> MissingSignal:
    try:
        return MissingSignal(SignalStatus(word), why)
    except ValueError as exc:
        raise RecordingError(f"status of {name!r} cannot be {word!r}") from exc


def _subject(raw: Mapping[str, Any]) -> Subject:
    facts: dict[str, Any] = {}
    for name in _FACTS.keys() & raw.keys():
        value, kinds = raw[name], _FACTS[name]
        if value is None:
            continue
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise RecordingError(f"{name!r} cannot be {value!r}")
        facts[name] = value
    text = raw.get("text")
    if isinstance(text, str):  # a hand-written event for `explain`; recordings hold no text
        facts["texts"] = (TextPart(0, text),)
    event = facts.pop("event_id", "event")
    content = facts.pop("content_id", event)
    return Subject(event, content, **facts)


def _from_verdict(raw: Mapping[str, Any]) -> Recording:
    signals = SignalSet()
    for item in raw.get("categories", ()):
        if isinstance(item, dict) and isinstance(item.get("score"), (int, float)):
            signals.values[f"score.{item.get('name')}"] = item["score"]
            if isinstance(item.get("severity"), int):
                signals.values[f"severity.{item.get('name')}"] = item["severity"]
    joint = raw.get("joint")
    for name, value in (joint if isinstance(joint, dict) else {}).items():
        if isinstance(value, (int, float)):
            signals.values[f"joint.{name}"] = value
    for match in raw.get("matches", ()):
        for item in match.get("evidence", ()) if isinstance(match, dict) else ():
            name, value = item.get("signal"), item.get("value")
            if isinstance(name, str) and value is not None:
                signals.values[name] = _value(name, value)
    for group in raw.get("degraded", ()):
        for name in group.get("signals", ()) if isinstance(group, dict) else ():
            word = SignalStatus(group.get("status", "failed"))
            signals.missing[name] = MissingSignal(word, _text(group.get("why", ""), "why"))
    return Recording(_subject(raw), signals, partial=True)


def _object(raw: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = raw.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise RecordingError(f"{name!r} must be an object")
    return found


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise RecordingError(f"{name!r} must be text")
    return value


def _value(name: str, value: object) -> SignalValue:
    if isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, list) and all(isinstance(v, str) for v in value):
        return tuple(value)
    raise RecordingError(f"the value of {name!r} is no signal: {str(value)[:60]}")
