"""What the `weir policy …` commands share: the folder argument, the catalogue, and a bundle or a clear refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape

import policies
from ops.exits import MISUSED, NO
from policies import MODEL_SIGNALS, READING_SIGNALS, PolicyBundle, PolicyErrors, load_bundle
from policies.engine.errors import Problem
from policies.engine.signals import Catalogue

LIBRARY: Final = Path(policies.__file__).parent / "library"

FolderArgument = Annotated[
    Path, typer.Argument(help="The folder of policies; the shipped library when left out.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def bundle_folder(path: Path) -> Path:
    """The folder that a path means: itself, or for a single file the bundle that the file belongs to.

    Exits with 2 when there is nothing at the path.
    """
    if path.is_file():
        return path.parent.parent if path.parent.name in ("lists", "banks", "taxonomies") else path.parent
    if not path.is_dir():
        typer.echo(f"{path}: there is no such folder or file", err=True)
        raise typer.Exit(MISUSED)
    return path


def catalogue() -> Catalogue:
    """What the detectors of a worker provide; the event's own signals and the lists are added by loading."""
    return Catalogue.of(MODEL_SIGNALS, READING_SIGNALS)


def open_folder(folder: Path) -> PolicyBundle:
    """The bundle; prints every problem and exits with 1 when it cannot be used."""
    try:
        return load_bundle(bundle_folder(folder), catalogue())
    except PolicyErrors as exc:
        console = Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)
        for problem in exc.problems:
            print_problem(console, problem)
        raise typer.Exit(NO) from exc


def print_problem(console: Console, problem: Problem) -> None:
    """One line: `file:line:column: CODE message; hint`."""
    colour = "red" if problem.level == "error" else "yellow"
    hint = f"; [dim]{escape(problem.hint)}[/dim]" if problem.hint else ""
    place = escape(f"{problem.file}:{problem.line}:{problem.column}:")
    console.print(f"{place} [{colour}]{problem.code}[/{colour}] {escape(problem.message)}{hint}")
