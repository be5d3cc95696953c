"""`weir policy map`: verdicts in the words of another taxonomy."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from ops.commands.policy_folder import LIBRARY
from ops.exits import MISUSED
from policies import PolicyErrors
from policies.engine.schema_taxonomies import MappingFile
from policies.engine.taxonomies import map_categories, read_mapping
from policies.engine.verdict import CategoryResult

FOLDER: Final = LIBRARY / "taxonomies"


def map_verdicts(
    file: Annotated[str, typer.Argument(help="Verdicts as JSON lines, for example from `weir judge`; - reads.")],
    *,
    to: Annotated[
        str,
        typer.Option(
            "--to", help="openai-moderation, mlcommons-hazards, azure-content-safety, perspective, or a YAML file."
        ),
    ],
) -> None:
    """Print each verdict's scores under another taxonomy's keys; what was not scored says so instead of showing 0.

    Example: `weir judge posts.jsonl --json | weir policy map - --to mlcommons-hazards`
    """
    mapping = _mapping(to)
    try:
        lines = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except OSError as exc:
        typer.echo(f"cannot read {file}: {exc.strerror}", err=True)
        raise typer.Exit(MISUSED) from exc
    for number, line in enumerate(lines.splitlines(), 1):
        if line.strip():
            typer.echo(json.dumps(_map_line(mapping, line, number), ensure_ascii=False))


def _mapping(name: str) -> MappingFile:
    path = Path(name) if name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"
    try:
        return read_mapping(path)
    except OSError as exc:
        known = ", ".join(sorted(p.stem for p in FOLDER.glob("*.yaml") if p.stem != "weir"))
        typer.echo(f"there is no taxonomy {name!r}; one of: {known}", err=True)
        raise typer.Exit(MISUSED) from exc
    except PolicyErrors as exc:
        typer.echo(str(exc), err=True)
        raise typer.Exit(MISUSED) from exc


def _map_line(mapping: MappingFile, line: str, number: int) -> dict[str, Any]:
    try:
        verdict: dict[str, Any] = json.loads(line)
        categories = msgspec.convert(verdict["categories"], list[CategoryResult])
    except (ValueError, KeyError, TypeError, msgspec.ValidationError) as exc:
        typer.echo(f"line {number} is no verdict: {exc}", err=True)
        raise typer.Exit(MISUSED) from exc
    evidence = [e for m in verdict.get("matches", ()) for e in m.get("evidence", ())]
    scores = {e["signal"]: e["value"] for e in evidence if isinstance(e.get("value"), float)}
    mapped = map_categories(mapping, categories, modality_scores=scores)
    return {
        "event_id": verdict.get("event_id"),
        "taxonomy": f"{mapping.taxonomy}@{mapping.version}",
        "keys": [asdict(item) for item in mapped],
    }
