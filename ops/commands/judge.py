"""`weir judge`: the same pipeline without Kafka, from lines to verdicts."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import IO, Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from ops.exits import MISUSED, NO, OK
from ops.inputs import folder_of, opened, read_image
from ops.lines import shadow_words
from ops.serving import served_model
from ops.targets import read_settings
from policies import PolicyErrors
from policies.engine.verdict import Verdict
from streams.core.outcome import Decided, Outcome, RawRecord
from streams.core.shortform import ShortFormError, Source, event_from_line
from streams.core.wire import encode_event

EPILOG = """
Examples:

  echo '{"id": "1", "text": "good morning"}' | weir judge - --json

  weir judge posts.jsonl --json > verdicts.jsonl

  weir judge posts.jsonl --policies ./my-policies
"""

_STYLE = {
    "allow": "green",
    "label": "cyan",
    "blur": "cyan",
    "limit": "yellow",
    "review": "magenta",
    "block": "bold red",
}


@dataclass(frozen=True, slots=True)
class Lines:
    """The input, and the folder that its paths start from."""

    source: IO[bytes]
    folder: Path


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is no event."""

    number: int
    why: str


def judge(
    file: Annotated[str, typer.Argument(help="JSONL of events, full or short form; - for standard input.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON verdict per line.")] = False,
    policies: Annotated[Path | None, typer.Option(help="Folder of policies instead of WEIR_POLICIES.")] = None,
) -> None:
    """Judge a file of events without Kafka: one verdict per input line, in order.

    The short form of an event is `{"id", "text"?, "image"? (a path or a data: URL), "locale"?, "surface"?, "kind"?}`.
    A line that is no event gives `{"error": …, "line": n}` in its place, and exit code 1 at the end. With WEIR_RECORD
    the signals are kept for `weir policy replay`, as a worker keeps them.
    """
    settings = read_settings()
    if policies is not None:
        settings = settings.model_copy(update={"policies": policies})
    from streams.app import build_policies, build_recorder
    from streams.telemetry import set_up_logging

    # Standard output is the verdicts'; on a terminal nobody asked for progress notes.
    set_up_logging(settings.log_level if "log_level" in settings.model_fields_set else "warning", settings.log_format)
    build_recorder(settings)  # says now, before anything starts, what it lacks
    try:
        build_policies(settings)
    except PolicyErrors as exc:
        Console(stderr=True).print(str(exc), markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(MISUSED) from exc
    with opened(file, "weir judge") as lines, served_model(settings) as url:
        settings = settings.model_copy(update={"triton_url": url})
        bad = asyncio.run(_judge_all(settings, Lines(lines, folder_of(file)), _Printer(as_json=as_json)))
    raise typer.Exit(NO if bad else OK)


async def _judge_all(settings: Any, lines: Lines, printer: _Printer) -> int:
    """Judge every line; how many were no events."""
    from streams.app import build_deps, build_model, build_recorder
    from streams.pipeline import process_batch

    model, recorder = build_model(settings), build_recorder(settings)
    deps = replace(build_deps(settings, model), recorder=recorder)
    writing = asyncio.create_task(recorder.run()) if recorder is not None else None
    bad = 0

    async def judged(batch: list[RawRecord | BadLine]) -> list[Outcome | BadLine]:
        outcomes = iter(await process_batch([item for item in batch if isinstance(item, RawRecord)], deps))
        return [item if isinstance(item, BadLine) else next(outcomes) for item in batch]

    running: list[asyncio.Task[list[Outcome | BadLine]]] = []
    try:
        async for batch in _batches(lines, settings.batch_size):
            running.append(asyncio.create_task(judged(batch)))
            if len(running) >= settings.batches_in_flight:
                bad += printer.print(await running.pop(0))
        while running:
            bad += printer.print(await running.pop(0))
    finally:
        for task in running:
            task.cancel()
        if writing is not None:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
        await model.close()
    return bad


async def _batches(lines: Lines, size: int) -> AsyncIterator[list[RawRecord | BadLine]]:
    numbered = ((n, line) for n, line in enumerate(lines.source, 1) if line.strip())
    while chunk := list(islice(numbered, size)):
        yield [_record(number, line, lines.folder) for number, line in chunk]
        await asyncio.sleep(0)


def _record(number: int, line: bytes, folder: Path) -> RawRecord | BadLine:
    try:
        event = event_from_line(line, Source(lambda path: read_image(path, folder), time.time(), number))
    except ShortFormError as exc:
        return BadLine(number, str(exc))
    return RawRecord("judge", 0, number, event.key.encode(), encode_event(event))


class _Printer:
    """Writes outcomes as they come, in order."""

    def __init__(self, *, as_json: bool) -> None:
        self._json = as_json
        self._console = Console(highlight=False)

    def print(self, outcomes: list[Outcome | BadLine]) -> int:
        """Print them; how many were no verdict."""
        bad = 0
        for outcome in outcomes:
            if isinstance(outcome, Decided):
                self._verdict(outcome.verdict)
                continue
            bad += 1
            number, why = (
                (outcome.number, outcome.why)
                if isinstance(outcome, BadLine)
                else (outcome.record.offset, f"line {outcome.record.offset}: {outcome.code}: {outcome.detail}")
            )
            self._error(number, why)
        sys.stdout.flush()
        return bad

    def _verdict(self, verdict: Verdict) -> None:
        if self._json:
            sys.stdout.write(msgspec.json.encode(verdict, order="deterministic").decode() + "\n")
            return
        scores = "  ".join(
            f"{c.name} {c.score:.2f}" for c in verdict.categories if c.score is not None and c.score >= 0.5
        )
        rules = ", ".join(match.rule for match in verdict.matches)
        line = Text.assemble(
            (f"{verdict.action:<7}", _STYLE.get(verdict.action, "")), f" {verdict.content_id}", (f"  {scores}", "dim")
        )
        if rules:
            line.append(f"  [{rules}]")
        if shadow := shadow_words(verdict):
            line.append(f"  {shadow}", "dim")
        self._console.print(line, soft_wrap=True)

    def _error(self, number: int, why: str) -> None:
        if self._json:
            sys.stdout.write(msgspec.json.encode({"line": number, "error": why}).decode() + "\n")
        else:
            self._console.print(Text.assemble(("error  ", "red"), f" {why}"), soft_wrap=True)
