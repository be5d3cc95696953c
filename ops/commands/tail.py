"""`weir tail`: follow a topic, one line a record."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from contextlib import aclosing, suppress
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from ops.exits import NO, OK
from ops.lines import record_line
from ops.local.errors import LocalStackError
from ops.samples.mask import mask_text
from ops.targets import resolve
from policies.engine.verdict import Verdict
from streams.adapters.kafka import KafkaUnavailableError, read_records
from streams.core.outcome import RawRecord

EPILOG = """
Examples:

  weir tail verdicts

  weir tail content.flagged --from-beginning --max 10 --json

  weir tail deadletter --from-beginning --timeout 5
"""

TOPICS = ("incoming", "verdicts", "flagged", "novel", "feedback", "deadletter")


def tail(
    topic: Annotated[str, typer.Argument(help=f"A topic, or one of {', '.join(TOPICS)}.")],
    *,
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="From the first record that is kept.")
    ] = False,
    most: Annotated[int, typer.Option("--max", min=0, help="Stop after so many records; 0: never.")] = 0,
    timeout: Annotated[float, typer.Option(min=0, help="Stop after so many seconds without a record; 0: never.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    content: Annotated[
        bool, typer.Option("--content", help="With --json: the raw values too, and words that lists found.")
    ] = False,
) -> None:
    """Show the records of a topic as they arrive; content is never shown unless `--content` asks for it.

    Reads without a consumer group and commits nothing. Exit code 1 when `--max` records did not come in time.
    """
    settings = resolve(kafka=True)
    name = settings.topic(topic) if topic in TOPICS else topic
    printer = _Printer(as_json=as_json, content=content)
    try:
        asyncio.run(_follow(settings.kafka_bootstrap, name, printer, _Until(most, timeout, from_beginning)))
    except KafkaUnavailableError as exc:
        raise LocalStackError(str(exc), hint="is Kafka up? `weir status`") from exc
    except KeyboardInterrupt:
        raise typer.Exit(OK) from None
    except BrokenPipeError:  # `| head` has seen enough
        with suppress(OSError):
            sys.stdout.close()
        raise typer.Exit(OK) from None
    raise typer.Exit(NO if printer.count < most else OK)


class _Until:
    """When to stop, and where to begin."""

    def __init__(self, most: int, idle_s: float, from_beginning: bool) -> None:  # noqa: FBT001
        self.most = most
        self.idle_s = idle_s
        self.from_beginning = from_beginning


class _Printer:
    def __init__(self, *, as_json: bool, content: bool) -> None:
        self.count = 0
        self._json = as_json
        self._content = content
        self._console = Console(highlight=False)

    def print(self, record: RawRecord) -> None:
        self.count += 1
        if self._json:
            sys.stdout.write(json.dumps(as_plain(record, content=self._content), ensure_ascii=False) + "\n")
            sys.stdout.flush()
        else:
            self._console.print(record_line(record), soft_wrap=True)


async def _follow(bootstrap: str, topic: str, printer: _Printer, until: _Until) -> None:
    async with aclosing(read_records(bootstrap, topic, from_beginning=until.from_beginning)) as records:
        while not until.most or printer.count < until.most:
            try:
                async with asyncio.timeout(until.idle_s or None):
                    printer.print(await anext(records))
            except TimeoutError:
                return


def as_plain(record: RawRecord, *, content: bool = False) -> dict[str, Any]:
    """The record for scripts: where it is, its headers, and the verdict when it is one."""
    told: dict[str, Any] = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp_s,
        "key": _text(record.key),
        "headers": {name: _text(value) for name, value in record.headers},
        "bytes": len(record.value or b""),
    }
    if (record.header("schema") or b"").startswith((b"weir.verdict/", b"weir.flagged/")):
        with suppress(msgspec.DecodeError):
            verdict = msgspec.to_builtins(msgspec.msgpack.decode(record.value or b"", type=Verdict))
            told["verdict"] = verdict if content else _masked(verdict)
    if content:
        told["value"] = None if record.value is None else base64.b64encode(record.value).decode()
    return told


def _masked(verdict: dict[str, Any]) -> dict[str, Any]:
    """The verdict without words that lists found in the content: matches quote them."""
    for match in verdict["matches"]:
        match["text"] = mask_text(match["text"])
        for piece in match["evidence"]:
            value = piece["value"]
            if isinstance(value, list | tuple):
                piece["value"] = [mask_text(str(one)) for one in value]
    return verdict


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode("utf-8", "replace")
