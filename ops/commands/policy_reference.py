"""`weir policy schema` and `weir policy catalogue`: what may be written, for editors and for people."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ops.commands.policy_folder import LIBRARY, FolderArgument, Json, open_folder
from ops.exits import MISUSED
from policies.engine.editor_schema import KINDS, editor_schema
from policies.engine.signals import SignalSpec


def schema(
    kind: Annotated[str, typer.Argument(help="policy, list, profiles, bundle, bank, counters or taxonomy.")] = "policy",
) -> None:
    """Print the JSON Schema of a kind of file, for editors.

    Example: `weir policy schema policy > my-policies/policy.schema.json`
    """
    if kind not in KINDS:
        typer.echo(f"there is no kind of file {kind!r}; one of: {', '.join(KINDS)}", err=True)
        raise typer.Exit(MISUSED)
    typer.echo(json.dumps(editor_schema(kind), indent=2, ensure_ascii=False))


def catalogue(
    folder: FolderArgument = LIBRARY,
    *,
    like: Annotated[str | None, typer.Option("--like", help="Only names that contain this.")] = None,
    as_json: Json = False,
) -> None:
    """List every signal that policies may compare: from the detectors, the event, and the folder's lists.

    Example: `weir policy catalogue --like score.hate`
    """
    bundle = open_folder(folder)
    specs = [spec for name, spec in sorted(bundle.catalogue.items()) if like is None or like in name]
    if as_json:
        typer.echo(json.dumps([asdict(spec) for spec in specs], indent=2))
        return
    table = Table("signal", "type", "values", "from", "meaning", box=None, header_style="bold")
    for spec in specs:
        table.add_row(spec.name, spec.type, _values(spec), spec.owner, spec.description)
    Console(highlight=False).print(table)


def _values(spec: SignalSpec) -> str:
    if spec.enum:
        return ", ".join(spec.enum)
    if spec.minimum is None and spec.maximum is None:
        return ""
    low = "" if spec.minimum is None else f"{spec.minimum:g}"
    return f"{low} to {spec.maximum:g}" if spec.maximum is not None else f"{low} and more"
