"""`weir model align`: the joint space of pictures and words, trained on drawings and their names in many languages.

Only argument handling; the work is `triton_models.training.align_run`, imported when the command runs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Final

import typer

from ops.commands.model_train import Bars, need_training, plain_errors, serving_version
from ops.targets import read_settings

EPILOG: Final = (
    "Examples: `weir model align --data ~/weir-data --out my-release --threads 2` · "
    "`weir model align --data ~/weir-data --out try --epochs 1 --views 1` · "
    "a killed run goes on at the epoch where it was"
)


def align(  # noqa: PLR0913  # the options of a command
    *,
    data: Annotated[Path, typer.Option(help="Folder with icons, emoji and their names.", exists=True, file_okay=False)],
    out: Annotated[Path, typer.Option(help="Release folder to write into.", file_okay=False)],
    towers: Annotated[Path | None, typer.Option(help="Assembled version; the serving one if not given.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, max=50, help="The recipe's own if not given.")] = None,
    views: Annotated[int | None, typer.Option(min=1, max=64, help="Renderings of each training picture.")] = None,
    threads: Annotated[int, typer.Option(min=1, max=256, help="Threads to compute and processes to draw with.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the record as JSON.")] = False,
) -> None:
    """Train pictures towards words, and say how many find each other before and after."""
    need_training()
    import torch

    from triton_models.training.align_run import AlignJob, run_align
    from triton_models.training.align_tune import AlignRecipe

    torch.set_num_threads(threads)
    home = read_settings().home
    usual = AlignRecipe()
    recipe = AlignRecipe(epochs=epochs or usual.epochs, views=views or usual.views)
    with plain_errors():
        towers = towers or serving_version(home)
        work = home / "training" / "align"
        work.mkdir(parents=True, exist_ok=True)
        out.mkdir(parents=True, exist_ok=True)
        record = run_align(AlignJob(towers, data, work, out, Bars(), recipe, threads))
    if as_json:
        typer.echo(json.dumps(record))
        return
    for one in record["sweep"]:
        mark = "*" if one["alpha"] == record["alpha"] else " "
        typer.echo(
            f"{mark} mixed at {one['alpha']:.1f}: found in ten {one['harm']:.3f}, classes named {one['kept']:.3f}"
        )
    for language, before in record["start"]["words_unseen"].items():
        after = record["tuned"]["words_unseen"][language]
        told = " · ".join(
            f"{name.replace('_', ' ')} {before[name]:.3f} -> {after[name]:.3f}"
            for name in ("picture_to_text_at_10", "text_to_picture_at_10")
        )
        typer.echo(f"{language:6} {told} (of {after['captions']})")
    typer.echo(f"Next: weir model assemble --release {out}, weir model train --out {out}, weir model joint --out {out}")
