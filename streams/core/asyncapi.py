"""The AsyncAPI 3 document of Weir's topics, generated from the types that read and write them. Pure.

`streams/asyncapi.json` is this document; a test holds the two together. Nothing is described here that a type says.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from policies.engine.verdict import Verdict
from streams.core.events import ContentEvent
from streams.core.facts import FACTS_SCHEMA, Fact
from streams.core.flagged import FLAGGED_SCHEMA, Flagged
from streams.core.shipping import (
    AUDIT_SCHEMA,
    BUNDLE_SCHEMA,
    MAX_BUNDLE_BYTES,
    POINTER_SCHEMA,
    SIGNATURE_HEADER,
    AuditEntry,
    Pointer,
)
from streams.core.strikes import STRIKES_SCHEMA, Strike
from streams.core.topics import TOPICS, Direction, Topic
from streams.core.wire import EVENT_SCHEMA, JSON_TYPE, MSGPACK_TYPE, VERDICT_SCHEMA

VERSION: Final = "1.1.0"  # major of the schemas `weir.*/1`

_TEXT: Final = {"type": "string"}
_TRACE: Final = {"traceparent": {"type": "string", "description": "W3C trace context, when the producer sent one"}}
_OURS: Final = {
    "weir-worker": {"type": "string", "description": "who judged"},
    "weir-judged-at": {"type": "string", "description": "seconds since the epoch"},
    "weir-timings-ms": {"type": "string", "description": "JSON object: milliseconds of each stage"},
    "weir-source": {"type": "string", "description": "topic/partition/offset of the event"},
}
_SIGNED: Final = {
    SIGNATURE_HEADER: {"type": "string", "description": "HMAC-SHA256 of the value, when the deployment has a key"}
}
_TEXT_KEY: Final = {"kafka": {"key": _TEXT, "bindingVersion": "0.5.0"}}
_BYTES_KEY: Final = {"kafka": {"key": {"type": "string", "format": "binary"}, "bindingVersion": "0.5.0"}}
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


def document(prefix: str = "content.") -> dict[str, Any]:
    """The document, with topics under `prefix` and the policies' beside them."""
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
        "channels": {topic.channel: _channel(topic, prefix) for topic in TOPICS},
        "operations": {
            f"{direction}{topic.channel[0].upper()}{topic.channel[1:]}": _operation(topic, direction)
            for topic in TOPICS
            if topic.messages
            for direction in topic.directions
        },
        "components": {"messages": _messages(), "schemas": _schemas()},
    }


def _channel(topic: Topic, prefix: str) -> dict[str, Any]:
    tags = [*(["policies"] if topic.of_policies else []), *([] if topic.messages else ["reserved"])]
    channel: dict[str, Any] = {
        "address": topic.address(prefix),
        "description": f"{topic.what} Keyed by {topic.key}." if topic.key else topic.what,
        "tags": [{"name": tag} for tag in tags],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in topic.messages},
    }
    return {name: value for name, value in channel.items() if value}


def _operation(topic: Topic, direction: Direction) -> dict[str, Any]:
    return {
        "action": direction,
        "channel": {"$ref": f"#/channels/{topic.channel}"},
        "messages": [{"$ref": f"#/channels/{topic.channel}/messages/{name}"} for name in topic.messages],
    }


def _schemas() -> dict[str, Any]:
    kinds = (ContentEvent, Verdict, Flagged, Pointer, AuditEntry, Fact, Strike)
    _, schemas = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    for kind in (Fact, Strike):  # they travel as arrays: the places get the fields' names
        for name, place in zip(kind.__struct_encode_fields__, schemas[kind.__name__]["prefixItems"], strict=True):
            place["title"] = name
    return schemas


def _messages() -> dict[str, Any]:
    judged = {**_TRACE, **_OURS}
    return {
        "ContentEvent": _message("ContentEvent", EVENT_SCHEMA, _TRACE, required=()),
        "Verdict": _message("Verdict", VERDICT_SCHEMA, judged),
        "Flagged": _message("Flagged", FLAGGED_SCHEMA, judged),
        "DeadLetter": {
            "name": "DeadLetter",
            "summary": "The original key, bytes and headers, and why.",
            "contentType": "application/octet-stream",
            "headers": {"type": "object", "properties": _DEAD, "required": ["weir-code", "weir-fault"]},
            "payload": {"description": "the bytes as they came; null for a record without a value"},
        },
        "Bundle": {
            **_message("Bundle", BUNDLE_SCHEMA, {}, required=("schema",)),
            "contentType": "application/zlib",
            "payload": {
                "description": "zlib of a msgpack map of paths to the files' bytes; "
                f"at most {MAX_BUNDLE_BYTES // 2**20} MiB when unpacked, and the files' hash is the key's"
            },
        },
        "Pointer": _message("Pointer", POINTER_SCHEMA, _SIGNED, required=("schema",)),
        "AuditEntry": {**_message("AuditEntry", AUDIT_SCHEMA, {}), "contentType": JSON_TYPE, "bindings": {}},
        "Facts": {**_message("Facts", FACTS_SCHEMA, {}), "payload": _many("Fact")},
        "Strikes": {**_message("Strikes", STRIKES_SCHEMA, {}), "payload": _many("Strike"), "bindings": _BYTES_KEY},
    }


def _many(name: str) -> dict[str, Any]:
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}


def _message(
    name: str, schema: str, headers: dict[str, Any], *, required: tuple[str, ...] = ("schema", "content-type")
) -> dict[str, Any]:
    named = {"schema": {"type": "string", "examples": [schema]}, "content-type": {"type": "string"}}
    return {
        "name": name,
        "contentType": MSGPACK_TYPE,
        "headers": {"type": "object", "properties": {**named, **headers}, "required": list(required)},
        "payload": {"$ref": f"#/components/schemas/{name}"},
        "bindings": _TEXT_KEY,
    }
