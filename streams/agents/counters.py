"""What is written down of a verdict so that later events are counted rightly: a fact, and the author's strikes.

The letters go out with the verdict, under the same awaited acks and before the event is acknowledged: an event that is
judged again after a crash finds its fact and counts once, or finds none and counts for the first time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from streams.agents.letters import Letter
from streams.core.counters import Tally
from streams.core.facts import FACTS_SCHEMA, Fact, encode_facts, fact_of, key_of
from streams.core.outcome import Decided, Outcome
from streams.core.strikes import STRIKES_SCHEMA, Strikes
from streams.core.wire import MSGPACK_TYPE

_MSGPACK: Final = ("content-type", MSGPACK_TYPE.encode())
_FACTS_HEADERS: Final = (("schema", FACTS_SCHEMA.encode()), _MSGPACK)
_STRIKES_HEADERS: Final = (("schema", STRIKES_SCHEMA.encode()), _MSGPACK)


class Memory(Protocol):
    """What reads back what is written here."""

    @property
    def writable(self) -> bool:
        """Whether the topics are there."""

    def assigned(self) -> None:
        """A partition came to this worker."""


class Ledger:
    """Turns verdicts into facts and strikes. Ask it in the order in which letters are sent."""

    def __init__(self, tally: Tally, strikes: Strikes, memory: Memory, *, facts: str, strikes_topic: str) -> None:
        self._tally = tally
        self._strikes = strikes
        self._memory = memory
        self._facts = facts
        self._strikes_topic = strikes_topic

    def assigned(self) -> None:
        """A partition came to this worker."""
        self._memory.assigned()

    def letters(self, outcomes: Sequence[Outcome]) -> list[Letter]:
        """What to write down of a batch; nothing for dead letters, or while the topics are missing.

        One record of facts per partition that the events came from, with that as its key: facts of one author stay in
        the order of the events.
        """
        if not self._memory.writable:
            return []
        facts: dict[int, list[Fact]] = {}
        strikes: dict[int, bytes] = {}
        for outcome in outcomes:
            if not isinstance(outcome, Decided):
                continue
            fact = fact_of(outcome.event, outcome.verdict)
            self._tally.add_rules(fact)
            facts.setdefault(outcome.record.partition, []).append(fact)
            packed = self._strikes.add(fact)
            if packed is not None and fact.author is not None:
                strikes[fact.author] = packed
        return [
            *(Letter(self._facts, b"%d" % p, encode_facts(some), _FACTS_HEADERS) for p, some in facts.items()),
            *(Letter(self._strikes_topic, key_of(who), packed, _STRIKES_HEADERS) for who, packed in strikes.items()),
        ]
