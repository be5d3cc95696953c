"""The AsyncAPI 3 document of Weir's topics, generated from the types that read and write them. Pure.

`streams/asyncapi.json` is this document; a test holds the two together. Nothing is described here that a type says.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from policies.engine.verdict import Verdict
from streams.core.events import ContentEvent
from streams.core.flagged import FLAGGED_SCHEMA, Flagged
from streams.core.wire import EVENT_SCHEMA, JSON_TYPE, MSGPACK_TYPE, VERDICT_SCHEMA

VERSION: Final = "1.0.0"  # major of the schemas `weir.*/1`

_TEXT: Final = {"type": "string"}
_TRACE: Final = {"traceparent": {"type": "string", "description": "W3C trace context, when the producer sent one"}}
_OURS: Final = {
    "weir-worker": {"type": "string", "description": "who judged"},
    "weir-judged-at": {"type": "string", "description": "seconds since the epoch"},
    "weir-timings-ms": {"type": "string", "description": "JSON object: milliseconds of each stage"},
    "weir-source": {"type": "string", "description": "topic/partition/offset of the event"},
}
_DEAD: Final = {
    **{
        f"__connect.errors.{name}": _TEXT
        for name in (
            "topic",
            "partition",
            "offset",
            "connector.name",
            "task.id",
            "stage",
            "class.name",
            "exception.class.name",
            "exception.message",
            "exception.stacktrace",
        )
    },
    "weir-code": {"type": "string", "description": "why, one of a fixed set"},
    "weir-fault": {"type": "string", "enum": ["producer", "weir"]},
    "weir-attempts": _TEXT,
    "weir-worker": _TEXT,
    "weir-failed-at": _TEXT,
    "weir-value-encoding": {
        "type": "string",
        "enum": ["gzip", "omitted"],
        "description": "set when the untouched bytes were too large for the broker",
    },
}

#: Topic -> (what it is, key, message name or None while no release writes or reads it, direction as Weir sees it).
_TOPICS: Final[dict[str, tuple[str, str, str | None, str]]] = {
    "incoming": ("What platforms publish and Weir judges.", "author id, else content id", "ContentEvent", "receive"),
    "verdicts": ("One verdict for every event, allowed ones too.", "content id", "Verdict", "send"),
    "flagged": ("Verdicts above allow, with what a reviewer needs.", "content id", "Flagged", "send"),
    "novel": ("Novel-harm candidates. Reserved: no release writes it yet.", "cluster or content id", None, "send"),
    "feedback": ("Reviewers' decisions. Reserved: no release reads it yet.", "content id", None, "receive"),
    "deadletter": ("Records that could not be judged, untouched.", "the original key", "DeadLetter", "send"),
}


def document(prefix: str = "content.") -> dict[str, Any]:
    """The document, with topics under `prefix`."""
    _, schemas = msgspec.json.schema_components(
        (ContentEvent, Verdict, Flagged), ref_template="#/components/schemas/{name}"
    )
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Weir",
            "version": VERSION,
            "license": {"name": "Apache-2.0"},
            "description": (
                "Content events in, verdicts out, over Kafka. Values are msgpack maps; JSON is accepted on incoming "
                f"with the header `content-type: {JSON_TYPE}`, where bytes are base64. Unknown keys are ignored. "
                "At least once: `verdict_id` lets a consumer drop repeats; dead letters repeat by their source offset."
            ),
        },
        "defaultContentType": MSGPACK_TYPE,
        "channels": {name: _channel(f"{prefix}{name}", *topic[:3]) for name, topic in _TOPICS.items()},
        "operations": {
            f"{direction}{name.capitalize()}": _operation(name, direction, message)
            for name, (_, _, message, direction) in _TOPICS.items()
            if message
        },
        "components": {"messages": _messages(), "schemas": schemas},
    }


def _channel(address: str, what: str, key: str, message: str | None) -> dict[str, Any]:
    channel: dict[str, Any] = {"address": address, "description": f"{what} Keyed by {key}."}
    if message:
        channel["messages"] = {message: {"$ref": f"#/components/messages/{message}"}}
    return channel


def _operation(channel: str, direction: str, message: str | None) -> dict[str, Any]:
    return {
        "action": direction,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{message}"}],
    }


def _messages() -> dict[str, Any]:
    return {
        "ContentEvent": _message("ContentEvent", EVENT_SCHEMA, _TRACE, required=()),
        "Verdict": _message("Verdict", VERDICT_SCHEMA, {**_TRACE, **_OURS}, required=("schema", "content-type")),
        "Flagged": _message("Flagged", FLAGGED_SCHEMA, {**_TRACE, **_OURS}, required=("schema", "content-type")),
        "DeadLetter": {
            "name": "DeadLetter",
            "summary": "The original key, bytes and headers, and why.",
            "contentType": "application/octet-stream",
            "headers": {"type": "object", "properties": _DEAD, "required": ["weir-code", "weir-fault"]},
            "payload": {"description": "the bytes as they came; null for a record without a value"},
        },
    }


def _message(name: str, schema: str, headers: dict[str, Any], *, required: tuple[str, ...]) -> dict[str, Any]:
    named = {"schema": {"type": "string", "examples": [schema]}, "content-type": {"type": "string"}}
    return {
        "name": name,
        "contentType": MSGPACK_TYPE,
        "headers": {"type": "object", "properties": {**named, **headers}, "required": list(required)},
        "payload": {"$ref": f"#/components/schemas/{name}"},
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": "0.5.0"}},
    }
