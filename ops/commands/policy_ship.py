"""`weir policy publish`, `rollback`, `history`: which bundle judges in a fleet, by a signed pointer on a topic.

Nothing is published that does not pass the checks, the bundle's own tests and the cost limit.
"""

from __future__ import annotations

import asyncio
import getpass
import json
import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, TypeVar

import typer
from rich.console import Console

from ops.exits import MISSING, NO
from ops.targets import resolve
from policies import PolicyErrors

T = TypeVar("T")

By = Annotated[str, typer.Option("--by", help="Who decided this, for the audit; your login when left out.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the audit.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def publish(
    folder: Annotated[Path, typer.Argument(help="The folder of policies.", show_default=False)],
    *,
    reason: Reason,
    by: By = "",
    as_json: Json = False,
) -> None:
    """Publish a folder as the bundle that judges, to every worker with `WEIR_POLICY_SOURCE=topic`.

    Exit code 1 when the bundle does not pass; nothing is published then. With `WEIR_POLICY_KEY` the pointer is signed.

    Example: `weir policy publish ./policies --reason "slurs of the week"`
    """
    from policies.engine.loader import hash_files, read_files
    from streams.adapters.policy_gate import load_gated
    from streams.app import catalogue

    files = read_files(folder) or {}
    try:
        load_gated(files, catalogue(), name=str(folder))
    except PolicyErrors as exc:
        _stop(f"{exc}\nnothing was published", code=NO)
    _ship("publish", hash_files(files), files=files, by=by, reason=reason, as_json=as_json)


def rollback(
    to: Annotated[str, typer.Argument(help="The hash to go back to; what judged before, when left out.")] = "",
    *,
    reason: Reason,
    by: By = "",
    as_json: Json = False,
) -> None:
    """Let a bundle that was published before judge again. Exit code 1 when there is no such bundle.

    Example: `weir policy rollback --reason "too many false alarms"`
    """
    _ship("rollback", to, files=None, by=by, reason=reason, as_json=as_json)


def history(*, as_json: Json = False) -> None:
    """List who changed what judges, when, from what to what and why, oldest first.

    Example: `weir policy history`
    """
    from streams.adapters.policy_shipping import read_audit

    settings = resolve(kafka=True)
    entries = _run(read_audit(settings.kafka_bootstrap.split(","), settings.policy_topic("audit")))
    if as_json:
        typer.echo(json.dumps(entries, indent=2))
        return
    for entry in entries:
        at = datetime.fromtimestamp(entry["at"], UTC).isoformat(timespec="seconds")
        change = f"{entry['from'][:8] or 'nothing'} → {entry['to'][:8]}"
        typer.echo(f"{entry['sequence']:>4}  {at}  {entry['what']:<8}  {change:<20}  {entry['by']}: {entry['reason']}")


def _ship(
    what: Literal["publish", "rollback"],
    hash_: str,
    *,
    files: dict[str, bytes] | None,
    by: str,
    reason: str,
    as_json: bool,
) -> None:
    from streams.adapters.policy_shipping import Order, ship
    from streams.core.shipping import ShipmentError
    from streams.telemetry import set_up_logging

    set_up_logging("warning", "auto")
    settings = resolve(kafka=True)
    order = Order(what, hash_, files, by or getpass.getuser(), reason, time.time())
    topics = settings.policy_topic("bundles"), settings.policy_topic("audit")
    key = settings.policy_key.get_secret_value().encode()
    try:
        entry = _run(ship(settings.kafka_bootstrap.split(","), topics, order, key=key))
    except ShipmentError as exc:
        _stop(str(exc), code=NO)
    if as_json:
        typer.echo(json.dumps({"from": entry.from_, "to": entry.to, "sequence": entry.sequence, "signed": bool(key)}))
    else:
        typer.echo(f"{what}: {entry.from_ or 'nothing'} → {entry.to} (number {entry.sequence})")


def _run(work: Coroutine[Any, Any, T]) -> T:
    from aiokafka.errors import KafkaError

    from streams.adapters.kafka import KafkaUnavailableError

    try:
        return asyncio.run(work)
    except (KafkaError, KafkaUnavailableError, OSError, TimeoutError) as exc:
        _stop(f"Kafka cannot be asked: {str(exc) or type(exc).__name__}", code=MISSING)


def _stop(text: str, *, code: int) -> NoReturn:
    Console(stderr=True).print(text, style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(code)
