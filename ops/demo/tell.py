"""What the demo says at its end: the report's content, the summary on the screen, and the summary for scripts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ops.demo.play import Played
from ops.demo.view import action_of, counts_text
from ops.local.broker import WARNING
from ops.local.services import KafkaKind
from ops.report import DeadLetterRow, EventRow, Outcomes, RunReport


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the figures were measured under."""

    kafka: KafkaKind
    started: str  # as shown
    samples: int
    first_verdict_s: float  # from the start of the command
    cores: int


def build_report(played: Played, around: Circumstances) -> RunReport:
    """The report of this run."""
    rows = [row for _, row in sorted(played.collector.rows.items())]
    events = [row for row in rows if isinstance(row, EventRow)]
    versions = events[0].verdict.versions if events else None
    models = ", ".join(f"{name} {release}" for name, release in versions.models.items()) if versions else "none"
    setting = (
        ("Broker", f"{around.kafka} Kafka"),
        ("Model", models or "none answered"),
        ("Tier", versions.tier if versions else "none"),
        ("Policies", _short(versions.policy) if versions else "none"),
        ("First verdict", f"{around.first_verdict_s:.1f} s after the start"),
        ("Machine", f"{around.cores} cores"),
    )
    return RunReport(
        title="Demo run",
        started=around.started,
        took_s=played.took_s,
        setting=setting,
        published=around.samples,
        events=events,
        dead_letters=[row for row in rows if isinstance(row, DeadLetterRow)],
        notes=_notes(played, around, versions.tier if versions else ""),
    )


def judged_by_model(played: Played) -> bool:
    """Whether the model answered at least once."""
    return any(isinstance(row, EventRow) and row.verdict.versions.models for row in played.collector.rows.values())


def well(played: Played) -> bool:
    """Whether all is as it must be: every sample answered, each in its kind, and the model took part."""
    return played.collector.complete and not played.collector.surprises() and judged_by_model(played)


def _short(policy: str) -> str:
    """`name@version#hash` with as much of the hash as people compare."""
    name, _, digest = policy.partition("#")
    return f"{name}#{digest[:12]}" if digest else name


def _notes(played: Played, around: Circumstances, tier: str) -> list[str]:
    notes = []
    if around.kafka is KafkaKind.EMBEDDED:
        notes.append(WARNING[0].upper() + WARNING[1:] + ".")
    if tier == "reference":
        notes.append(
            "Reference tier: a small model that runs on two cores. Its card says what it cannot judge; it has seen no "
            "photographs of harm."
        )
    if not judged_by_model(played):
        notes.append("Not as expected: no verdict was judged by the model; only rules and lists decided.")
    notes += [f"Not as expected: {surprise}." for surprise in played.collector.surprises()]
    notes += [f"Unanswered: {sample.id} ({sample.note})." for sample in played.collector.unanswered()]
    return notes


def print_summary(console: Console, report: RunReport, around: Circumstances, path: str) -> None:
    """The figures, what was not as expected, and where the report is."""
    outcomes = report.outcomes()
    rows: list[EventRow | DeadLetterRow] = [*report.events, *report.dead_letters]
    counts = Counter(action_of(row) for row in rows)
    table = Table.grid(padding=(0, 3))
    table.add_row("events", str(outcomes.events))
    table.add_row("answers", counts_text(counts))
    table.add_row("latency", f"p50 {_ms(outcomes.p50_ms)}, p95 {_ms(outcomes.p95_ms)}")
    table.add_row("first verdict", f"{around.first_verdict_s:.1f} s after the start")
    if outcomes.degraded:
        table.add_row("degraded", f"{outcomes.degraded} judged with signals missing")
    if outcomes.missing:
        table.add_row(Text("unanswered", "red"), Text(str(outcomes.missing), "red"))
    table.add_row("report", path)
    console.print()
    console.print(table, soft_wrap=True, highlight=False)
    for note in report.notes:
        if note.startswith(("Not as expected", "Unanswered")):
            console.print(note, style="red", highlight=False, markup=False)


def summary(report: RunReport, played: Played, around: Circumstances, path: str) -> dict[str, Any]:
    """The same for scripts."""
    outcomes: Outcomes = report.outcomes()
    versions = report.events[0].verdict.versions if report.events else None
    return {
        "events": outcomes.events,
        "verdicts": outcomes.verdicts,
        "flagged": outcomes.flagged,
        "actions": outcomes.actions,
        "dead_letters": dict(sorted(Counter(row.code for row in report.dead_letters).items())),
        "unanswered": [sample.id for sample in played.collector.unanswered()],
        "unexpected": played.collector.surprises(),
        "repeats": played.collector.repeats,
        "degraded": outcomes.degraded,
        "latency_ms": {"p50": _rounded(outcomes.p50_ms), "p95": _rounded(outcomes.p95_ms)},
        "first_verdict_s": round(around.first_verdict_s, 2),
        "took_s": round(report.took_s, 2),
        "kafka": str(around.kafka),
        "policy": versions.policy if versions else None,
        "models": dict(versions.models) if versions else {},
        "tier": versions.tier if versions else None,
        "report": path,
    }


def _ms(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f} ms" if value < 1_000 else f"{value / 1000:,.1f} s"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
