"""`weir policy diff A B`: what changes for people, in words; as Markdown for a code review."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from ops.commands.policy_folder import Json, open_folder
from ops.exits import NO, OK
from policies.engine.diff import Difference, diff_bundles

_COLOURS = {"stricter": "red", "looser": "green", "different": "yellow", "neutral": "dim"}


def diff(
    old: Annotated[Path, typer.Argument(help="The folder as it was.")],
    new: Annotated[Path, typer.Argument(help="The folder as it shall be.")],
    *,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown, for a comment.")] = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 1 when there is a difference.")] = False,
    as_json: Json = False,
) -> None:
    """Say what changes between two folders: stricter, looser, different; a mere rewriting is no change.

    Examples: `weir policy diff policies/library my-policies` · `weir policy diff a b --markdown > comment.md`
    """
    before, after = open_folder(old), open_folder(new)
    found = diff_bundles(before, after)
    if as_json:
        made = {"old": before.label, "new": after.label, "differences": [asdict(d) for d in found]}
        typer.echo(json.dumps(made, indent=2, ensure_ascii=False))
    elif markdown:
        typer.echo("\n".join(_markdown(before.label, after.label, found)))
    else:
        _print(before.label, after.label, found)
    raise typer.Exit(NO if found and exit_code else OK)


def _print(old: str, new: str, found: Sequence[Difference]) -> None:
    console = Console(highlight=False, soft_wrap=True, emoji=False)
    console.print(f"{old} → {new}")
    for item in found:
        colour = _COLOURS[item.direction]
        console.print(f"[{colour}]{item.direction:9}[/{colour}] {item.kind} {escape(item.name)}: {escape(item.text)}")
    console.print(_summary(found))


def _markdown(old: str, new: str, found: Sequence[Difference]) -> Iterator[str]:
    yield f"**Policies** `{old}` → `{new}`: {_summary(found)}"
    if found:
        yield ""
        yield "| | what | change |"
        yield "|---|---|---|"
    for item in found:
        text = item.text.replace("|", "\\|")
        yield f"| {item.direction} | {item.kind} `{item.name}` | {text} |"


def _summary(found: Sequence[Difference]) -> str:
    if not found:
        return "nothing changes"
    counts = {word: sum(1 for d in found if d.direction == word) for word in _COLOURS}
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count)
