"""`weir model leave-out`: what the model makes of languages that it was never taught.

Only argument handling; the work is `triton_models.training.leave_out_run`, imported when the command runs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer

from ops.commands.model_train import Bars, need_training, plain_errors
from ops.exits import MISSING
from ops.targets import read_settings

EPILOG: Final = (
    "Example: `weir model finetune --recipe left-out --data ~/weir-data --out without`, then "
    "`weir model leave-out without --data ~/weir-data --out my-release`: the report of my-release shows it"
)


def leave_out(
    release: Annotated[Path, typer.Argument(help="Folder of a release fine-tuned without some languages.")],
    *,
    data: Annotated[Path, typer.Option(help="Folder with the data sets.", exists=True, file_okay=False)],
    out: Annotated[Path | None, typer.Option(help="Release folder to keep the figures in.", file_okay=False)] = None,
    processes: Annotated[int, typer.Option(min=1, max=256, help="Processes that encode.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Measure languages that neither a release's fine-tuning nor the head has seen."""
    need_training()
    from triton_models.deltas import tuned
    from triton_models.parts import TEXT_TOWER, PartsError, ensure_parts, read_e5
    from triton_models.training.evaluate import functional_sets
    from triton_models.training.finetune_recipe import FinetuneRecipe
    from triton_models.training.finetune_run import RECORD
    from triton_models.training.leave_out import write_left_out
    from triton_models.training.leave_out_run import LeaveOutJob, run_leave_out
    from triton_models.training.recipe import RecipeError

    home = read_settings().home
    with plain_errors():
        record = release / RECORD
        if not record.is_file():
            raise RecipeError(f"{record}: not there; give a folder that `weir model finetune` made")
        recipe = FinetuneRecipe.model_validate(json.loads(record.read_text(encoding="utf-8"))["recipe"])
        if not recipe.without_locales:
            raise RecipeError(f"{record}: its recipe left no language out (without_locales)")
        try:
            (part,) = ensure_parts(home, [TEXT_TOWER])
        except PartsError as exc:
            typer.echo(f"weir model leave-out: {exc}", err=True)
            raise typer.Exit(MISSING) from exc
        cases = {
            f"{name.rpartition('/')[2]} (translated HateCheck)": (
                [case.text for case in some],
                np.array([case.hateful for case in some], dtype=np.bool_),
            )
            for name, some in functional_sets(data).items()
            if name.rpartition("/")[2] in recipe.without_locales
        }
        work = home / "training" / "leave-out"
        job = LeaveOutJob(tuned(release, read_e5(part.path)), recipe, data, work, Bars(), processes)
        lines = run_leave_out(job, cases)
    if out is not None:
        how = f"tower and head trained without {', '.join(recipe.without_locales)}, all at once"
        write_left_out(out, lines, tower=f"fine-tuned by recipe {recipe.recipe}", how=how)
    if as_json:
        typer.echo(json.dumps(lines))
        return
    for line in lines:
        typer.echo(f"{line['language']:32} {line['rows']:6,} rows  AUROC {line['never taught']:.3f}")
