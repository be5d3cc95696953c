"""`weir policy …`: check policies, for people and for scripts. What is checked lives in `policies.engine`."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

import policies
from ops.exits import NO, OK
from policies import MODEL_SIGNALS
from policies.engine.check import CheckResult, check_folder
from policies.engine.signals import Catalogue

app = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode="markdown", help="Check and test policies."
)

LIBRARY = Path(policies.__file__).parent / "library"

FolderArgument = Annotated[
    Path, typer.Argument(help="The folder of policies; the shipped library when left out.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def _policy() -> None:
    """Check and test policies."""


@app.command()
def check(
    folder: FolderArgument = LIBRARY,
    *,
    as_json: Json = False,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
) -> None:
    """Check every file of a folder and print every problem at once. Exit code 1 when there is an error.

    Example: `weir policy check policies/library`
    """
    result = check_folder(folder, Catalogue.of(MODEL_SIGNALS), today=datetime.now(UTC).date())
    if as_json:
        typer.echo(json.dumps(_as_json(result), indent=2, ensure_ascii=False))
    else:
        _print(result)
    raise typer.Exit(NO if result.errors or (strict and result.warnings) else OK)


def _as_json(result: CheckResult) -> dict[str, object]:
    return {
        "ok": result.bundle is not None,
        "bundle": result.bundle.label if result.bundle else None,
        "rules": len(result.bundle.policies.rules) if result.bundle else None,
        "errors": result.errors,
        "warnings": result.warnings,
        "problems": [asdict(p) for p in result.problems],
    }


def _print(result: CheckResult) -> None:
    console = Console(stderr=False, soft_wrap=True, highlight=False)
    for problem in result.problems:
        colour = "red" if problem.level == "error" else "yellow"
        hint = f"; [dim]{escape(problem.hint)}[/dim]" if problem.hint else ""
        place = escape(f"{problem.file}:{problem.line}:{problem.column}:")
        console.print(f"{place} [{colour}]{problem.code}[/{colour}] {escape(problem.message)}{hint}")
    if result.bundle is not None:
        rules, lists = len(result.bundle.policies.rules), len(result.bundle.lists.lists)
        console.print(f"{result.bundle.label}: {rules} rules, {lists} lists, {result.warnings} warning(s)")
    else:
        console.print(f"{result.errors} error(s), {result.warnings} warning(s)")
