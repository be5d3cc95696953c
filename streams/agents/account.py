"""The account of what was done: one canonical log line and the counts of each record that is acknowledged.

Ids, codes and numbers; never content.
"""

from __future__ import annotations

import structlog

from streams.core.metrics import Counts, Sample
from streams.core.outcome import DeadLetter, Decided, Outcome
from streams.telemetry import MetricName

log = structlog.get_logger(__name__)

_EVENTS: MetricName = "weir_events_total"
_VERDICTS: MetricName = "weir_verdicts_total"
_RULES: MetricName = "weir_rules_total"
_DEAD: MetricName = "weir_dead_letters_total"
_DEGRADED: MetricName = "weir_degraded_total"
_STAGES: MetricName = "weir_stage_seconds"


class Account:
    """Logs and counts outcomes. Owned by one event loop."""

    def __init__(self) -> None:
        self._counts = Counts()

    def samples(self) -> list[Sample]:
        """What was counted."""
        return self._counts.samples()

    def settle(self, outcome: Outcome) -> None:
        """Note a record whose work is done."""
        if isinstance(outcome, Decided):
            self._count_verdict(outcome)
            _log_verdict(outcome)
        else:
            self._counts.add(_EVENTS, outcome="dead_letter")
            self._counts.add(_DEAD, fault=outcome.fault.value, code=outcome.code)
            _log_dead_letter(outcome)

    def _count_verdict(self, outcome: Decided) -> None:
        verdict, add = outcome.verdict, self._counts.add
        add(_EVENTS, outcome="judged")
        add(_VERDICTS, action=verdict.action)
        for match in verdict.matches:
            add(_RULES, rule=match.rule, standing="matched")
        for watched in verdict.shadow:
            add(_RULES, rule=watched.rule, standing="shadow")
        for gap in verdict.undecided:
            add(_RULES, rule=gap.rule, standing="undecided")
        for status in {gone.status for gone in verdict.degraded}:
            add(_DEGRADED, status=status)
        for stage, ms in outcome.timings_ms.items():
            self._counts.observe(_STAGES, ms / 1e3, stage=stage)


def _log_verdict(outcome: Decided) -> None:
    verdict = outcome.verdict
    log.info(
        "event.judged",
        event_id=verdict.event_id,
        action=verdict.action,
        rules=[match.rule for match in verdict.matches],
        undecided=[gap.rule for gap in verdict.undecided],
        degraded=sorted({gap.status for gap in verdict.degraded}),
        ms={name: round(ms, 1) for name, ms in outcome.timings_ms.items()},
        partition=outcome.record.partition,
        offset=outcome.record.offset,
    )


def _log_dead_letter(outcome: DeadLetter) -> None:
    log.warning(
        "event.dead_lettered",
        code=outcome.code,
        fault=outcome.fault.value,
        partition=outcome.record.partition,
        offset=outcome.record.offset,
    )
