"""Counters as signals: `velocity.*`, `author.strikes`, and the uses that a rule's quota looks at.

What cannot be told is never 0: an event without an author has no author's counter (absent); a memory that is still
being read back, or that cannot be reached, is a failed signal; one that had to forget part of the window is stale.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final, Protocol

from policies import PolicyBundle
from policies.engine.counters import Counter, counter_signal_specs
from policies.engine.signals import SignalSet, SignalSpec, SignalStatus
from streams.core.counters import MAX_WINDOW_S, Tally
from streams.core.events import ContentEvent
from streams.core.facts import Fact, fact_of
from streams.core.strikes import Strikes
from streams.ports import Clock, Detector

#: How long an event waits for counters that are being read back, at most.
WAIT_S: Final = 5.0


class Memory(Protocol):
    """What fills the tally."""

    @property
    def problem(self) -> str:
        """Why counters are not right, in words; empty when they are."""

    async def wait_ready(self, timeout_s: float) -> bool:
        """Wait until counters are right; False when time ran out."""


class AccountState:
    """Makes a detector for whatever counters a bundle declares. Without a memory, nothing is counted at all."""

    def __init__(self, tally: Tally, strikes: Strikes, memory: Memory | None, clock: Clock) -> None:
        self._tally = tally
        self._strikes = strikes
        self._memory = memory
        self._clock = clock

    def bound_to(self, bundle: PolicyBundle) -> Detector:
        """The detector of this bundle's counters and quotas."""
        return BoundCounters(self._tally, self._strikes, self._memory, self._clock, bundle)


class BoundCounters:
    """The detector of one bundle's counters."""

    name: ClassVar[str] = "counters"

    def __init__(
        self, tally: Tally, strikes: Strikes, memory: Memory | None, clock: Clock, bundle: PolicyBundle
    ) -> None:
        self._tally = tally
        self._strikes = strikes
        self._memory = memory
        self._clock = clock
        self._counters = bundle.counters
        self._quotas = {f"quota.{rule.id}": rule.id for rule in bundle.policies.rules if rule.quota is not None}
        self.provides: tuple[SignalSpec, ...] = counter_signal_specs(bundle.counters)

    async def detect(self, batch: Sequence[ContentEvent], *, timeout_s: float) -> list[SignalSet]:
        """One signal set per event, in order; each event is counted before the next one is looked at."""
        if self._memory is None:
            return [self._missing(SignalStatus.NOT_RUN, "nothing is counted here") for _ in batch]
        facts = [fact_of(event) for event in batch]
        ready = await self._memory.wait_ready(min(timeout_s, WAIT_S))
        made: list[SignalSet] = []
        now = self._clock.time()
        for fact in facts:
            made.append(self._signals(fact) if ready else self._missing(SignalStatus.FAILED, self._memory.problem))
            self._tally.add(fact, now)
        return made

    def _missing(self, status: SignalStatus, why: str) -> SignalSet:
        signals = SignalSet()
        signals.miss((counter.name for counter in self._counters), status, why)
        return signals

    def _signals(self, fact: Fact) -> SignalSet:
        signals = SignalSet()
        for counter in self._counters:
            if (fact.author if counter.by == "author" else fact.text) is None:
                why = "the event has no author" if counter.by == "author" else "the event has no text to compare"
                signals.miss([counter.name], SignalStatus.ABSENT, why)
            elif counter.count == "strikes":
                signals.values[counter.name] = self._weigh(counter, fact)
            elif fact.at - counter.window_s < self._tally.cut_at:
                signals.miss([counter.name], SignalStatus.STALE, "more events came in the window than are remembered")
            else:
                signals.values[counter.name] = self._tally.count(counter.count, counter.by, fact, counter.window_s)
        if fact.at - MAX_WINDOW_S >= self._tally.cut_at:
            for signal, rule in self._quotas.items():
                signals.values[signal] = self._tally.uses(rule, fact)
        return signals

    def _weigh(self, counter: Counter, fact: Fact) -> float:
        weight = self._strikes.weigh(fact, half_life_s=counter.half_life_s, at_least=int(counter.at_least))
        return round(weight, 4)
