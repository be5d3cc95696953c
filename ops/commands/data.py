"""`weir data build|stats|check`: what models are trained on, as one manifest with its report.

Only argument handling and drawing; the work is `triton_models.training.manifest_*`. No content is printed, only counts
and ids.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ops.exits import MISUSED, NO

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode="markdown")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Manifest = Annotated[Path, typer.Argument(help="A manifest (.jsonl or .parquet).", exists=True, dir_okay=False)]


@app.callback()
def data() -> None:
    """Build, count and check what models are trained on."""


@app.command(
    epilog="Examples: `weir data build --data ~/weir-data --out built --pairs 300` · "
    "`weir data build --own posts.csv --own shard-000.tar --out built`"
)
def build(
    *,
    out: Annotated[Path, typer.Option(help="Folder to write manifest, pictures and report into.", file_okay=False)],
    data: Annotated[Path | None, typer.Option(help="Folder with the data sets.", exists=True, file_okay=False)] = None,
    sets: Annotated[str, typer.Option(help="Names of sets, comma-separated; `all`, or empty for none.")] = "all",
    pairs: Annotated[int, typer.Option(min=0, help="Quadruples of generated pairs per family.")] = 0,
    own: Annotated[list[Path] | None, typer.Option(help="Your own .csv, .jsonl, .parquet or .tar.")] = None,
    as_json: Json = False,
) -> None:
    """Write a manifest of data sets, generated image-text pairs and your own files, checked for leaks.

    Exit code 1 when the check finds something; the manifest is written all the same.
    """
    from ops.commands.model_train import Bars
    from triton_models.training.datasets.catalog import training_sets
    from triton_models.training.manifest_build import DataPlan, build_manifest

    if data is None and (pairs or not own):
        raise _misused("give --data DIR, or --own FILE without --pairs")
    chosen = training_sets() if sets == "all" else tuple(name for name in sets.split(",") if name)
    plan = DataPlan(
        data=data or Path(),
        sets=chosen if data is not None else (),
        quadruples=pairs,
        own=tuple(own or ()),
    )
    with _plain_errors():
        built = build_manifest(plan, out, Bars())
    if as_json:
        findings = [one.line() for one in built.findings]
        typer.echo(json.dumps({"manifest": str(built.path), "counts": built.counts, "findings": findings}))
    else:
        _draw(built.counts)
        for one in built.findings:
            typer.echo(one.line())
        typer.echo(f"{built.counts['rows']:,} rows in {built.path}")
    if built.findings:
        raise typer.Exit(NO)


@app.command(epilog="Example: `weir data stats built/manifest.jsonl --json`")
def stats(manifest: Manifest, *, as_json: Json = False) -> None:
    """Count a manifest: by split, source, locale, modality, licence, and positives by category."""
    from triton_models.training.manifest import read_manifest
    from triton_models.training.manifest_check import count_manifest

    with _plain_errors():
        counts = count_manifest(read_manifest(manifest))
    if as_json:
        typer.echo(json.dumps(counts))
    else:
        _draw(counts)


@app.command(epilog="Example: `weir data check built/manifest.jsonl`")
def check(manifest: Manifest, *, as_json: Json = False) -> None:
    """Look for leaks between splits, repeated ids, evaluate-only rows and missing pictures. Exit code 1 if any."""
    from triton_models.training.manifest import read_manifest
    from triton_models.training.manifest_check import check_manifest

    with _plain_errors():
        findings = check_manifest(read_manifest(manifest), manifest.parent)
    if as_json:
        typer.echo(json.dumps({"sound": not findings, "findings": [one.line() for one in findings]}))
    else:
        for one in findings:
            typer.echo(one.line())
        typer.echo(f"{len(findings)} findings" if findings else "sound: no split shares anything with another")
    if findings:
        raise typer.Exit(NO)


def _draw(counts: Mapping[str, Any]) -> None:
    table = Table("category", "asked", "train", "dev", "test", "text", "image", "both", box=None, header_style="bold")
    for category, found in counts["categories"].items():
        if found["asked"]:
            split, modality = found["positive"], found["positive_by_modality"]
            numbers = [found["asked"], *(split.get(one, 0) for one in ("train", "dev", "test"))]
            numbers += [modality.get(one, 0) for one in ("text", "image", "both")]
            table.add_row(category, *(f"{number:,}" for number in numbers))
    Console().print(table)
    for name in ("split", "modality", "source", "locale", "licence"):
        told = ", ".join(f"{key or '?'} {count:,}" for key, count in sorted(counts[name].items(), key=lambda x: -x[1]))
        typer.echo(f"{name:9} {told}")


def _misused(text: str) -> typer.Exit:
    typer.echo(f"weir data: {text}", err=True)
    return typer.Exit(MISUSED)


@contextmanager
def _plain_errors() -> Iterator[None]:
    from triton_models.training.datasets import DataError, EvaluateOnlyError, UnknownSetError
    from triton_models.training.pairs import PairDataError

    try:
        yield
    except (DataError, EvaluateOnlyError, UnknownSetError, PairDataError) as exc:
        raise _misused(str(exc)) from exc
