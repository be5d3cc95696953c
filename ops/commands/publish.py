"""`weir publish`: lines or msgpack from a file to `content.incoming`."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import IO, Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from ops.exits import NO, OK
from ops.inputs import folder_of, opened, read_image
from ops.local.errors import LocalStackError
from ops.records import BadRecord, Inputs, jsonl_records, msgpack_records
from ops.targets import resolve
from streams.adapters.kafka import KafkaUnavailableError, OutRecord, Pace, Published, publish_records

EPILOG = """
Examples:

  echo '{"id": "1", "text": "good morning", "image": "cat.jpg"}' | weir publish -

  weir publish events.jsonl --rate 50

  weir publish events.msgpack --format msgpack --json
"""

SHOWN_ERRORS = 20


class Format(StrEnum):
    """How the input is written."""

    AUTO = "auto"
    JSONL = "jsonl"
    MSGPACK = "msgpack"


def publish(
    file: Annotated[str, typer.Argument(help="Events; - for standard input.")],
    *,
    form: Annotated[Format, typer.Option("--format", help="auto: by the name, else JSONL.")] = Format.AUTO,
    topic: Annotated[str, typer.Option(help="Another topic than `content.incoming`.")] = "",
    rate: Annotated[float, typer.Option(min=0, help="Events a second; 0: as fast as it goes.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print a summary as JSON.")] = False,
) -> None:
    """Publish events and wait until the brokers have acknowledged every one.

    A JSON line is a full event, the short form `{"id", "text"?, "image"? (path, data: URL, link, or a list of them),
    "locale"?, "surface"?, "kind"?, "author"?}`, or a raw record as in the bundled samples. msgpack is full events, one
    after another. What is no event is reported and left out; then the exit code is 1.
    """
    settings = resolve(kafka=True)
    name = topic or settings.topic("incoming")
    bad: list[BadRecord] = []
    try:
        with opened(file, "weir publish") as source, _progress(as_json) as on_ack:
            records = _records(source, file, form, bad)
            done = asyncio.run(
                publish_records(settings.kafka_bootstrap, name, records, pace=Pace(rate, lambda ack: on_ack(ack.count)))
            )
    except KafkaUnavailableError as exc:
        raise LocalStackError(str(exc), hint="is Kafka up? `weir status`; `weir up` starts a local stack") from exc
    _summary(done, name, bad, as_json=as_json)
    raise typer.Exit(NO if bad else OK)


def _records(source: IO[bytes], file: str, form: Format, bad: list[BadRecord]) -> Iterator[OutRecord]:
    packed = form is Format.MSGPACK or (form is Format.AUTO and file.endswith((".msgpack", ".mp")))
    folder = folder_of(file)
    inputs = Inputs(read_image=lambda path: read_image(path, folder), created_at=time.time())
    for record in msgpack_records(source) if packed else jsonl_records(source, inputs):
        if isinstance(record, BadRecord):
            bad.append(record)
        else:
            yield record


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[int], None]]:  # noqa: FBT001
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda _count: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.completed:,.0f} events acknowledged"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda count: bar.update(task, completed=count)


def _summary(done: Published, topic: str, bad: list[BadRecord], *, as_json: bool) -> None:
    if as_json:
        rejected = [{"line": one.number, "error": one.why} for one in bad]
        told = {"topic": topic, "published": done.records, "bytes": done.size_bytes, "seconds": round(done.took_s, 3)}
        typer.echo(json.dumps({**told, "rejected": rejected}, ensure_ascii=False))
        return
    errors = Console(stderr=True, style="red", highlight=False)
    for one in bad[:SHOWN_ERRORS]:
        errors.print(one.why, markup=False, soft_wrap=True)
    if len(bad) > SHOWN_ERRORS:
        errors.print(f"… and {len(bad) - SHOWN_ERRORS} more")
    left_out = f", {len(bad)} left out" if bad else ""
    Console().print(f"{done.records} events published to {topic} in {done.took_s:.1f} s{left_out}", highlight=False)
