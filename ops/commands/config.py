"""`weir config`, `weir asyncapi`, `weir version`: what this installation is and how it is set."""

from __future__ import annotations

import json
import os
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ops.targets import read_settings
from streams.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def version(*, as_json: Json = False) -> None:
    """Print the version.

    Example: `weir version --json`
    """
    try:
        number = installed_version("weir")
    except PackageNotFoundError:
        number = "0+checkout"  # run from a checkout that is not installed
    typer.echo(json.dumps({"version": number}) if as_json else f"weir {number}")


def config(*, as_json: Json = False) -> None:
    """List every setting with its value, where the value came from, and what it means.

    Example: `WEIR_BATCH_SIZE=32 weir config`
    """
    settings = read_settings()
    rows = [
        {
            "variable": f"WEIR_{name.upper()}",
            "value": _shown(getattr(settings, name)),
            "from": "environment" if f"WEIR_{name.upper()}" in os.environ else "default",
            "meaning": field.description or "",
        }
        for name, field in Settings.model_fields.items()
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table("variable", "value", "from", "meaning", box=None, header_style="bold")
    for row in rows:
        table.add_row(row["variable"], row["value"], row["from"], row["meaning"])
    Console().print(table)


def asyncapi() -> None:
    """Print the AsyncAPI 3 document of the topics, generated from the types.

    Example: `weir asyncapi > streams/asyncapi.json`
    """
    from streams.core.asyncapi import document

    typer.echo(json.dumps(document(), indent=2, ensure_ascii=False))


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return os.pathsep.join(str(item) for item in value)
    return "" if value is None else str(value)
