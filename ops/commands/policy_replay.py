"""`weir policy replay`: recorded events through two bundles; what would change, and whether a gate lets it pass."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table

from ops.commands.policy_folder import Json, open_folder
from ops.exits import MISSING, MISUSED, NO, OK
from policies import PolicyErrors

if TYPE_CHECKING:
    from ops.replay.compare import Replay
    from ops.replay.read import Faults


def replay(  # noqa: PLR0913  # the options of a command
    old: Annotated[Path, typer.Argument(help="The policies as they are.")],
    new: Annotated[Path, typer.Argument(help="The policies as they shall be.")],
    recordings: Annotated[list[Path], typer.Argument(help="Recorded events: .jsonl, .jsonl.gz, .parquet, folders.")],
    *,
    gate: Annotated[Path | None, typer.Option("--gate", help="YAML with limits; exit code 1 when one breaks.")] = None,
    labels: Annotated[
        Path | None, typer.Option("--labels", help='JSON lines: {"content_id": …, "labels": {"hate": true}}.')
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write a report with plots here.")] = None,
    as_json: Json = False,
) -> None:
    """Judge recorded events by two versions of the policies and say what changes.

    Example: `weir policy replay policies/library my-policies week.jsonl.gz --gate gate.yaml --html replay.html`
    """
    if find_spec("numpy") is None:
        typer.echo("replay needs numpy: install weir[worker]", err=True)
        raise typer.Exit(MISSING)
    from ops.replay.gate import broken_limits, read_gate
    from ops.replay.page import render_page
    from ops.replay.read import Faults

    try:
        limits = read_gate(gate) if gate is not None else None
    except (PolicyErrors, OSError) as exc:
        typer.echo(str(exc), err=True)
        raise typer.Exit(MISUSED) from exc
    faults = Faults()
    try:
        found = _run(old, new, recordings, faults, labels=labels)
    except OSError as exc:
        typer.echo(f"cannot read the recordings: {exc}", err=True)
        raise typer.Exit(MISUSED) from exc
    except ImportError as exc:
        typer.echo(f"Parquet needs pyarrow: install weir[record], or record as JSON lines ({exc})", err=True)
        raise typer.Exit(MISSING) from exc
    broken = broken_limits(limits, found) if limits is not None else None
    if html is not None:
        html.write_text(render_page(found, broken), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(_as_json(found, broken, faults), indent=2, ensure_ascii=False))
    else:
        _print(found, broken, faults)
    raise typer.Exit(NO if broken else OK)


def _run(old: Path, new: Path, recordings: list[Path], faults: Faults, *, labels: Path | None) -> Replay:
    from ops.replay.compare import replay_frames
    from ops.replay.read import read_frames, read_labels

    before, after = open_folder(old), open_folder(new)
    names = before.program.signals | after.program.signals | set(before.quotas) | set(after.quotas)
    known = type(before.catalogue)({**before.catalogue, **after.catalogue})
    said = read_labels(labels, faults) if labels is not None else None
    started = time.perf_counter()
    columns = SpinnerColumn(), TextColumn("{task.completed} events")
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("replay", total=None)
        frames = read_frames(
            recordings, names, known, faults=faults, labels=said, tell=lambda n: progress.advance(task, n)
        )
        found = replay_frames(before, after, frames)
    found.seconds = round(time.perf_counter() - started, 2)
    return found


def _as_json(found: Replay, broken: list[str] | None, faults: Faults) -> dict[str, Any]:
    return {
        "old": found.old,
        "new": found.new,
        "events": found.events,
        "from_verdicts": found.partial,
        "stricter": found.stricter,
        "looser": found.looser,
        "moves": [{"before": a, "after": b, "events": n} for (a, b), n in sorted(found.moves.items())],
        "rules": {name: asdict(change) for name, change in sorted(found.rules.items())},
        "slices": {d: {v: asdict(c) for v, c in t.items()} for d, t in found.slices.items()},
        "queues": {
            side: {name: {"total": sum(q.values()), "fullest_hour": max(q.values())} for name, q in queues.items()}
            for side, queues in (("old", found.old_queues), ("new", found.new_queues))
        },
        "quality": {
            side: {
                c: {
                    "precision": q.precision.value,
                    "precision_interval": q.precision.interval,
                    "recall": q.recall.value,
                    "recall_interval": q.recall.interval,
                }
                for c, q in quality.items()
            }
            for side, quality in (("old", found.old_quality), ("new", found.new_quality))
        },
        "gate": None if broken is None else {"passed": not broken, "broken": broken},
        "unreadable_lines": {"count": faults.count, "examples": faults.examples},
        "seconds": found.seconds,
    }


def _print(found: Replay, broken: list[str] | None, faults: Faults) -> None:
    from ops.replay.stats import Share

    console = Console(highlight=False, soft_wrap=True, emoji=False)
    console.print(f"{found.old} → {found.new}: {found.events} events in {found.seconds} s")
    console.print(
        f"another action: {Share(found.changed, found.events)}; {found.stricter} stricter, {found.looser} looser"
    )
    table = Table("rule", "before", "after", "only before", "only after", "undecided", box=None, header_style="bold")
    for name, change in sorted(found.rules.items()):
        if change.only_old or change.only_new or change.new_undecided != change.old_undecided:
            counts = change.old, change.new, change.only_old, change.only_new, change.new_undecided
            table.add_row(name, *(str(n) for n in counts))
    if table.row_count:
        console.print(table)
    for queue in sorted(found.old_queues.keys() | found.new_queues.keys()):
        was, now = (max(q.get(queue, {}).values(), default=0) for q in (found.old_queues, found.new_queues))
        console.print(f"queue {queue}: {was} → {now} events in its fullest hour")
    for category, quality in sorted(found.new_quality.items()):
        console.print(f"{category}: precision {quality.precision}, recall {quality.recall}")
    if found.partial:
        note = f"{found.partial} events come from verdicts: signals that they do not show count as absent"
        console.print(f"[yellow]{note}[/yellow]")
    if faults.count:
        console.print(
            f"[yellow]{faults.count} line(s) could not be read: {escape('; '.join(faults.examples))}[/yellow]"
        )
    for text in broken or ():
        console.print(f"[red]gate:[/red] {escape(text)}")
    if broken == []:
        console.print("[green]gate: passed[/green]")
