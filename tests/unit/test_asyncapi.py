"""The AsyncAPI document: the committed file is what the types say, and every topic of the contract is in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import streams.core.asyncapi
from streams.agents.letters import Stamp, Topics, letters
from streams.core.asyncapi import document
from streams.core.outcome import DeadLetter, Fault
from tests.factories import a_decision, a_record

FILE = Path(streams.core.asyncapi.__file__).parents[1] / "asyncapi.json"
TOPICS = Topics("content.verdicts", "content.flagged", "content.deadletter")


def references(node: Any) -> Iterator[str]:
    """Every `$ref` in the document."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from references(child)


def test_the_committed_document_is_the_generated_one() -> None:
    """A change of the types is a change of this file, seen in review: `weir asyncapi > streams/asyncapi.json`."""
    assert FILE.read_text(encoding="utf-8") == json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def test_every_reference_leads_somewhere() -> None:
    """No tool stumbles over a name that is not there."""
    whole = document()
    found = list(references(whole))
    assert len(found) > 20
    for reference in found:
        node: Any = whole
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]


def test_every_topic_of_the_contract_is_a_channel() -> None:
    """With its address; the reserved ones say so and carry no message."""
    channels = document("eu.")["channels"]
    assert [channel["address"] for channel in channels.values()] == [
        f"eu.{name}" for name in ("incoming", "verdicts", "flagged", "novel", "feedback", "deadletter")
    ]
    for name, channel in channels.items():
        assert ("messages" in channel) != ("Reserved" in channel["description"]), name


def test_every_operation_belongs_to_a_channel_and_its_message() -> None:
    """What AsyncAPI 3 asks for: an action, a channel, and messages of that channel."""
    whole = document()
    for operation in whole["operations"].values():
        assert operation["action"] in {"send", "receive"}
        for message in operation["messages"]:
            assert message["$ref"].startswith(operation["channel"]["$ref"] + "/messages/")


def test_every_header_that_is_written_is_described() -> None:
    """Consumers find each header of a verdict, a flag and a dead letter in the document."""
    dead = DeadLetter(a_record(b"x"), "msgpack.invalid", "x", Fault.PRODUCER)
    messages = document()["components"]["messages"]
    for outcome in (a_decision("review"), dead):
        for letter in letters(outcome, TOPICS, Stamp("w", 1.0)):
            name = {"verdicts": "Verdict", "flagged": "Flagged", "deadletter": "DeadLetter"}[letter.topic[8:]]
            described = messages[name]["headers"]
            written = {header for header, _ in letter.headers}
            assert written <= set(described["properties"])
            assert set(described["required"]) <= written
