"""`weir demo`: one command, and real events are judged before your eyes."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ops.demo.play import NoAnswerError, Place, Played, play
from ops.demo.stack import DemoStack, StackPlan, interruptible
from ops.demo.tell import Circumstances, build_report, print_summary, summary, well
from ops.demo.view import LiveView, PlainView, QuietView, View
from ops.exits import INTERRUPTED, NO, OK
from ops.local.assembled import assembled_repository
from ops.local.errors import LocalStackError
from ops.local.services import KafkaKind
from ops.report import render_report
from ops.samples import MEDIA, Sample, load_samples
from ops.targets import read_settings
from streams.adapters.kafka import KafkaUnavailableError
from streams.settings import Settings

EPILOG = """
Examples:

  weir demo

  weir demo --kafka real --report run.html

  weir demo --keep                          # then publish your own from another terminal

  weir demo --json > summary.json
"""


def demo(
    *,
    kafka: Annotated[KafkaKind, typer.Option(help="embedded: in memory; real: Apache Kafka (Java, Maven).")] = (
        KafkaKind.EMBEDDED
    ),
    report: Annotated[Path | None, typer.Option(help="Where to write the report; else `$WEIR_HOME/demo.html`.")] = None,
    rate: Annotated[float, typer.Option(min=0, help="Events a second; 0: as fast as it goes.")] = 20.0,
    keep: Annotated[bool, typer.Option("--keep", help="Leave it running until Ctrl-C, for your own events.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a summary as JSON and nothing else.")] = False,
) -> None:
    """Start broker, Triton and worker, judge the bundled sample events, show the verdicts, and write a report.

    Everything runs on this machine and ends with this command. The first time, pretrained parts are fetched (160 MB)
    and the model is assembled. Exit code 0: every sample was answered as it must be; 1: not all; 3: a part is missing.
    """
    started = time.monotonic()
    settings = read_settings()
    path = (report or settings.home / "demo.html").absolute()
    samples = load_samples()
    console = Console(stderr=as_json)
    view = _view(console, len(samples), as_json=as_json)
    plan = StackPlan(settings, kafka, MEDIA, lambda: assembled_repository(settings.home, view.tell))
    try:
        with interruptible(), DemoStack(plan) as stack:
            with closing(view):
                stack.start(view.tell)
                played = _play(stack, settings, samples, view, rate=rate)
            around = Circumstances(
                kafka, f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", len(samples), played.first_at - started, _cores()
            )
            told = build_report(played, around)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(render_report(told), encoding="utf-8")
            if as_json:
                typer.echo(json.dumps(summary(told, played, around, str(path)), ensure_ascii=False))
            else:
                print_summary(console, told, around, str(path))
            if keep:
                _wait(stack, console)
    except KeyboardInterrupt:
        console.print("interrupted; everything that was started is stopped", style="yellow")
        raise typer.Exit(INTERRUPTED) from None
    if not well(played):
        raise typer.Exit(NO)
    stack.forget()
    raise typer.Exit(OK)


def _play(stack: DemoStack, settings: Settings, samples: Sequence[Sample], view: View, *, rate: float) -> Played:
    place = Place(
        bootstrap=stack.bootstrap,
        incoming=settings.topic("incoming"),
        verdicts=settings.topic("verdicts"),
        deadletter=settings.topic("deadletter"),
        check=stack.check,
    )
    try:
        return asyncio.run(play(place, samples, view, rate=rate))
    except KafkaUnavailableError as exc:
        raise LocalStackError(str(exc), log_tail=stack.worker_log()) from exc
    except NoAnswerError as exc:
        raise LocalStackError(str(exc), hint="the worker's log says why", log_tail=stack.worker_log()) from exc


def _view(console: Console, total: int, *, as_json: bool) -> View:
    if as_json:
        return QuietView()
    return LiveView(console, total) if console.is_terminal else PlainView(console)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _wait(stack: DemoStack, console: Console) -> None:
    """Until Ctrl-C, or until a server ends (LocalStackError)."""
    lines = (
        "",
        "Still running; Ctrl-C ends it. From another terminal:",
        f"  export WEIR_KAFKA_BOOTSTRAP={stack.bootstrap} WEIR_TRITON_URL={stack.triton_url}",
        """  echo '{"id": "1", "text": "good morning"}' | weir publish -""",
        "  weir tail verdicts --from-beginning",
    )
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    try:
        while True:
            stack.check()
            time.sleep(0.5)
    except KeyboardInterrupt:
        console.print("stopping …")
