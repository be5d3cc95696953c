"""The AsyncAPI document: the committed file is what the types say, and every topic of the contract is in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import streams.core.asyncapi
from ops.local.topics import standard_topics
from streams.adapters.policy_shipping import _audit_headers
from streams.agents.counters import Ledger
from streams.agents.letters import Stamp, Topics, letters
from streams.core.asyncapi import document
from streams.core.counters import Tally
from streams.core.events import Author
from streams.core.facts import Fact
from streams.core.outcome import DeadLetter, Fault
from streams.core.shipping import Pointer, encode_pointer
from streams.core.strikes import Strike, Strikes
from tests.factories import a_decision, a_record, an_event

FILE = Path(streams.core.asyncapi.__file__).parents[1] / "asyncapi.json"


class AllThere:
    """A memory whose topics exist."""

    writable = True

    def assigned(self) -> None:
        """Nothing to read back."""


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


@pytest.mark.parametrize("prefix", ["content.", "eu."])
def test_every_topic_that_is_created_is_a_channel(prefix: str) -> None:
    """With its address, the policies' side too; and no channel is a topic that nobody creates."""
    addresses = [channel["address"] for channel in document(prefix)["channels"].values()]
    assert sorted(addresses) == sorted(topic.name for topic in standard_topics(prefix))


def test_reserved_topics_say_so() -> None:
    """By a tag that tools read, and in words; they carry no message and nothing is done with them."""
    whole = document()
    reserved = {name for name, channel in whole["channels"].items() if {"name": "reserved"} in channel.get("tags", [])}
    assert reserved == {"novel", "feedback"}
    assert reserved.isdisjoint(
        operation["channel"]["$ref"].split("/")[-1] for operation in whole["operations"].values()
    )
    for name, channel in whole["channels"].items():
        assert ("messages" not in channel) == ("Reserved" in channel["description"]) == (name in reserved), name


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


def test_every_header_of_the_policies_topics_is_described() -> None:
    """A signed pointer, an entry of the audit, and what counters write down."""
    ledger = Ledger(Tally(10), Strikes(), AllThere(), facts="policy.facts", strikes_topic="policy.strikes")
    event = an_event(author=Author(id="ann"))
    noted = ledger.letters([a_decision("block", event=event)])
    assert [letter.topic for letter in noted] == ["policy.facts", "policy.strikes"]
    written = {
        "Pointer": encode_pointer(Pointer("h", 1, 0.0, "ann", "why"), b"key")[1],
        "AuditEntry": _audit_headers(),
        "Facts": noted[0].headers,
        "Strikes": noted[1].headers,
    }
    messages = document()["components"]["messages"]
    for name, headers in written.items():
        described = messages[name]["headers"]
        assert set(described["required"]) <= dict(headers).keys() <= set(described["properties"]), name
        assert dict(headers)["schema"].decode() in described["properties"]["schema"]["examples"]


def test_values_that_travel_as_arrays_name_their_places() -> None:
    """The order on the wire is the order in the document."""
    schemas = document()["components"]["schemas"]
    for kind in (Fact, Strike):
        places = schemas[kind.__name__]["prefixItems"]
        assert [place["title"] for place in places] == list(kind.__struct_fields__)
