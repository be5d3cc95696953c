"""`weir model train`: a release from data; and what the commands around it share.

Only argument handling, drawing and writing; the work is `triton_models.training`, imported when a command runs.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ops.exits import MISSING, MISUSED
from ops.targets import read_settings
from triton_models.assemble import DEFAULT_RELEASE, RELEASES

if TYPE_CHECKING:
    from triton_models.training.progress import Advance

TRAIN_EPILOG: Final = (
    "Examples: `weir model train --recipe reference --data ~/weir-data` · "
    "`weir model train --recipe my.yaml --data ~/weir-data --out my-release`"
)

Towers = Annotated[
    Path | None, typer.Option(help="Folder with the text tower; the assembled one if not given.", show_default=False)
]
Work = Annotated[Path | None, typer.Option(help="Where stages are kept; below WEIR_HOME if not given.")]


class Bars:
    """Progress bars on a terminal; elsewhere one plain line per stage on stderr."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Advance]:
        """A bar for one stage."""
        if not self._console.is_terminal:
            started = time.monotonic()
            yield lambda _: None
            self._console.print(f"{name}: {time.monotonic() - started:.0f} s", highlight=False)
            return
        columns = (TextColumn("{task.description:24}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self._console) as bars:
            task = bars.add_task(name, total=total)
            yield lambda steps: bars.advance(task, steps)
            bars.update(task, completed=total)

    def note(self, text: str) -> None:
        """A line between bars."""
        self._console.print(text, highlight=False, style="dim")


def train(
    *,
    data: Annotated[Path, typer.Option(help="Folder with the data sets.", exists=True, file_okay=False)],
    recipe: Annotated[str, typer.Option(help="A shipped recipe's name, or a YAML file.")] = DEFAULT_RELEASE,
    out: Annotated[Path | None, typer.Option(help="Release folder to write; the recipe's own if not given.")] = None,
    towers: Towers = None,
    work: Work = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the card's summary as JSON.")] = False,
) -> None:
    """Train a release, measure it, and write it with its card. A killed run goes on where it was."""
    need_training()
    from triton_models.training.card import make_card
    from triton_models.training.encoder import TowerEncoder
    from triton_models.training.evaluate import evaluate_release
    from triton_models.training.picture_calibrate import open_eyes
    from triton_models.training.recipe import load_recipe
    from triton_models.training.release import write_card, write_learned
    from triton_models.training.starter import Job
    from triton_models.training.starter import train as train_recipe

    started = time.monotonic()
    settings = read_settings()
    with plain_errors():
        chosen = load_recipe(recipe)
        folder = out or RELEASES / chosen.recipe
        cores = os.cpu_count() or 1
        version = tower_folder(towers, settings.home)
        with TowerEncoder(version, processes=cores) as encoder:
            kept = work or settings.home / "training" / chosen.recipe
            job = Job(data=data, work=kept, recipe=chosen, encoder=encoder, progress=Bars(), eyes=open_eyes(version))
            trained = train_recipe(job)
            files = write_learned(trained, folder)
            fitted_s = round(time.monotonic() - started)
            report = evaluate_release(
                trained.members, trained.fuser, rows=trained.rows, data=data, progress=job.progress
            )
        made = {
            "command": f"weir model train --recipe {recipe} --data DIR",
            "date": datetime.now(UTC).date().isoformat(),
            "seconds": fitted_s,
            "seconds_with_report": round(time.monotonic() - started),
            "cores": cores,
            "texts_encoded": encoder.encoded,  # fewer than all where an earlier run had left its embeddings
            "text_tower": encoder.identity,
            "files": files,
        }
        card = make_card(trained, chosen, report=report, made=made)
        write_card(card, folder)
    _show(card, folder, as_json=as_json)


def _show(card: dict[str, Any], folder: Path, *, as_json: bool) -> None:
    summary = {
        "release": card["release"],
        "folder": str(folder),
        "seconds": card["made"]["seconds"],
        "bytes": sum(one["bytes"] for one in card["made"]["files"].values()),
        "judged_in_text": card["judged_in_text"],
        "abstains_in_text": card["abstains_in_text"],
    }
    if as_json:
        typer.echo(json.dumps(summary))
        return
    typer.echo(figures_table(card["quality"]))
    typer.echo(f"{summary['release']}: {summary['bytes']:,} bytes in {folder}, {summary['seconds']} s")
    typer.echo("Next: weir model assemble")


def figures_table(report: dict[str, Any]) -> str:
    """The fused figures, a line per set and category."""
    tables = dict(report.get("held_out", {}))
    tables |= {name: table for name, table in report.items() if "hatecheck" in name}
    lines = [f"{'set':34} {'category':14} {'rows':>7} {'AUROC':>7} {'AP':>7} {'@1% FPR':>8} {'@5% FPR':>8}"]
    for source, table in tables.items():
        for category, views in table.items():
            figures = views.get("fused") if isinstance(views, dict) else None
            if figures:
                lines.append(
                    f"{source:34} {category:14} {figures['rows']:7,} {figures['auroc']:7.3f} {figures['ap']:7.3f} "
                    f"{figures['recall_at_1pct_fpr']:8.2f} {figures['recall_at_5pct_fpr']:8.2f}"
                )
    return "\n".join(lines)


def need_training() -> None:
    """Exit 3 with the remedy when the training extra is not installed."""
    try:
        import sklearn  # noqa: F401 - looked for, not used
        import torch  # noqa: F401
    except ImportError as exc:
        typer.echo(f"training needs {exc.name}, which is not installed: pip install 'weir[train]'", err=True)
        raise typer.Exit(MISSING) from exc


def tower_folder(given: Path | None, home: Path) -> Path:
    """The folder with the text tower; FileNotFoundError says how to get it."""
    from triton_models.serving.text_tower import GRAPH

    places = [given] if given is not None else sorted(home.glob("**/clip_safety/*"), reverse=True)
    for place in places:
        if (place / GRAPH).is_file():
            return place
    raise FileNotFoundError(
        f"no text tower ({GRAPH}) in {given or home}: "
        "run `weir model parts` and `weir model assemble` first, or give --towers"
    )


def serving_version(home: Path) -> Path:
    """The folder of the version that serves; StoreError when none does."""
    from triton_models.release_store import ReleaseStore

    store = ReleaseStore(home / "repository")
    return store.version(store.current()).path


@contextmanager
def plain_errors() -> Iterator[None]:
    """What the user can mend becomes a message and an exit code."""
    from triton_models.assemble import AssembleError
    from triton_models.parts import PartsError
    from triton_models.release_store import StoreError
    from triton_models.training.datasets import DataError, EvaluateOnlyError, UnknownSetError
    from triton_models.training.pairs import PairDataError
    from triton_models.training.recipe import RecipeError

    try:
        yield
    except (DataError, RecipeError, EvaluateOnlyError, UnknownSetError, PairDataError, AssembleError) as exc:
        typer.echo(f"weir model: {exc}", err=True)
        raise typer.Exit(MISUSED) from exc
    except (FileNotFoundError, StoreError, PartsError) as exc:
        typer.echo(f"weir model: {exc}", err=True)
        raise typer.Exit(MISSING) from exc
