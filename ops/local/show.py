"""How the commands of the local stack show it: a table for people, JSON for scripts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.table import Table

from ops.local.broker import WARNING
from ops.local.services import Health

_COLOURS = {"running": "green", "unwell": "yellow", "down": "red"}


def show(told: Sequence[Health], *, as_json: bool) -> None:
    """Print how the services are."""
    if as_json:
        typer.echo(json.dumps({"running": all(one.well for one in told), "services": [_plain(one) for one in told]}))
        return
    table = Table("service", "state", "kind", "addresses", "since", box=None, header_style="bold")
    for one in told:
        where = ", ".join(f"{name} {address}" for name, address in (one.addresses or {}).items())
        state = f"[{_COLOURS[one.state]}]{one.state}[/]"
        table.add_row(one.service, state, one.kind, where or one.note, _since(one.since))
    console = Console()
    console.print(table)
    for one in told:
        if one.note and not one.well and one.logs:
            console.print(f"{one.service}: {one.note}; log: {', '.join(one.logs)}", style="yellow", soft_wrap=True)


def warn_embedded() -> None:
    """Say on stderr what the embedded broker is not."""
    Console(stderr=True).print(WARNING, style="yellow", soft_wrap=True, highlight=False)


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """A line that says what is being done: a spinner on a terminal, silence elsewhere (a script reads the result)."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _text: None
        return
    with console.status("") as status:
        yield status.update


def _plain(one: Health) -> dict[str, object]:
    return {
        "service": str(one.service),
        "state": one.state,
        "kind": one.kind,
        "addresses": dict(one.addresses or {}),
        "pids": list(one.pids),
        "since": one.since or None,
        "logs": list(one.logs),
        "note": one.note,
    }


def _since(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds)) if seconds else ""
