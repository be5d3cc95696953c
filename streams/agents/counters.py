"""What is written down of a verdict so that later events are counted rightly: a fact, and the author's strikes.

The letters go out with the verdict, under the same awaited acks and before the event is acknowledged: an event that is
judged again after a crash finds its fact and counts once, or finds none and counts for the first time.
"""

from __future__ import annotations

from typing import Final, Protocol

from streams.agents.letters import Letter
from streams.core.counters import Tally
from streams.core.facts import FACT_SCHEMA, encode_fact, fact_of, key_of
from streams.core.outcome import Decided, Outcome
from streams.core.strikes import Strikes

STRIKES_SCHEMA: Final = "weir.strikes/1"
_MSGPACK: Final = ("content-type", b"application/msgpack")


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

    def letters(self, outcome: Outcome) -> list[Letter]:
        """What to write down; nothing for a dead letter, or while the topics are missing."""
        if not isinstance(outcome, Decided) or not self._memory.writable:
            return []
        fact = fact_of(outcome.event, outcome.verdict)
        self._tally.add_rules(fact)
        headers = (("schema", FACT_SCHEMA.encode()), _MSGPACK)
        made = [Letter(self._facts, key_of(fact.author or fact.id), encode_fact(fact), headers)]
        strikes = self._strikes.add(fact)
        if strikes is not None:
            headers = (("schema", STRIKES_SCHEMA.encode()), _MSGPACK)
            made.append(Letter(self._strikes_topic, key_of(fact.author), strikes, headers))
        return made
