"""What a worker says of itself: `/status` for people, `/metrics` for Prometheus, `/healthz` for whoever restarts it.

Reads what others keep; keeps nothing, decides nothing. Ids, codes and numbers; never content.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from streams.adapters.policy_shelf import PolicyStatus
from streams.adapters.status_server import Page, Route
from streams.agents.moderate import Moderator
from streams.agents.surroundings import Surroundings
from streams.core.bank_index import Broken, Imported
from streams.core.metrics import Sample, render
from streams.ports import Clock
from streams.telemetry import MetricName

_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


class WithStatus(Protocol):
    """A source of policies that says what it does."""

    @property
    def status(self) -> PolicyStatus:
        """What judges now, and what was refused since."""


@dataclass(frozen=True, slots=True)
class StatusPages:
    """The pages of one worker."""

    worker: str
    clock: Clock
    started_at: float
    policies: WithStatus
    moderator: Moderator
    surroundings: Surroundings
    model_down: Callable[[], bool]
    lag: Callable[[], Mapping[int, int]]

    def routes(self) -> dict[str, Route]:
        """Path -> page."""
        return {"/status": self.status, "/metrics": self.metrics, "/healthz": lambda: Page("ok\n")}

    def status(self) -> Page:
        """Everything at a glance, as JSON."""
        return Page(json.dumps(self.facts(), indent=2) + "\n", "application/json")

    def metrics(self) -> Page:
        """The same numbers for Prometheus."""
        return Page(render([*self.moderator.samples(), *self._samples()]), _PROMETHEUS)

    def facts(self) -> dict[str, Any]:
        """What `/status` says."""
        log = self.surroundings.log
        return {
            "worker": self.worker,
            "up_s": round(self.clock.time() - self.started_at, 1),
            "policy": asdict(self.policies.status),
            "events": {"pending": self.moderator.pending, "lag": {str(p): n for p, n in self.lag().items()}},
            "model": "down" if self.model_down() else "up",
            "counters": "off" if log is None else ("ready" if log.ready else log.problem),
            "banks": self._banks(),
        }

    def _banks(self) -> dict[str, Any]:
        held = self.surroundings.hashes.quarantined(self.clock.time())
        made: dict[str, Any] = {}
        for name, state in self.surroundings.banks.states().items():
            if isinstance(state, Imported):
                made[name] = {"version": state.index.version, **{k: n for k, n in state.index.counts.items() if n}}
            elif isinstance(state, Broken):
                made[name] = {"broken": state.why}
            made[name]["quarantined"] = held.get(name, [])
        return made

    def _samples(self) -> list[Sample]:
        status = self.policies.status
        made = [
            _sample("weir_policy_info", 1, bundle=status.bundle),
            _sample("weir_policy_swaps_total", status.swaps, counter=True),
            _sample("weir_policy_refusals_total", status.refusals, counter=True),
            _sample("weir_policy_refused", status.refused is not None),
            _sample("weir_model_down", self.model_down()),
        ]
        made += [_sample("weir_consumer_lag", records, partition=str(one)) for one, records in self.lag().items()]
        log = self.surroundings.log
        if log is not None:
            made.append(_sample("weir_counters_ready", log.ready))
            made.append(_sample("weir_counter_facts", log.facts))
            made.append(_sample("weir_counter_authors", log.authors))
        return [*made, *self._bank_samples()]

    def _bank_samples(self) -> list[Sample]:
        held = self.surroundings.hashes.quarantined(self.clock.time())
        made: list[Sample] = []
        for name, state in self.surroundings.banks.states().items():
            made.append(_sample("weir_bank_broken", isinstance(state, Broken), bank=name))
            made.append(_sample("weir_bank_quarantined", len(held.get(name, ())), bank=name))
            if isinstance(state, Imported):
                made += [_sample("weir_bank_hashes", n, bank=name, kind=k) for k, n in state.index.counts.items()]
        return made


def _sample(name: MetricName, value: float, *, counter: bool = False, **labels: str) -> Sample:
    return Sample(name, float(value), tuple(sorted(labels.items())), "counter" if counter else "gauge")
