"""`weir model drawings`: a second image tower, trained on icons and emoji, for reading text and picture together.

Only argument handling; the work is `triton_models.training.drawings_run`, imported when the command runs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Final

import typer

from ops.commands.model_train import Bars, need_training, plain_errors, serving_version
from ops.targets import read_settings

EPILOG: Final = (
    "Examples: `weir model drawings --data ~/weir-data --out my-release --threads 2` · "
    "`weir model drawings --data ~/weir-data --out try --epochs 1 --views 1 --own-icons-only` · "
    "a killed run goes on at the epoch where it was"
)


def drawings(  # noqa: PLR0913  # the options of a command
    *,
    data: Annotated[Path, typer.Option(help="Folder with icons, emoji and their names.", exists=True, file_okay=False)],
    out: Annotated[Path, typer.Option(help="Release folder to write into.", file_okay=False)],
    towers: Annotated[Path | None, typer.Option(help="Assembled version; the serving one if not given.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, max=50, help="The recipe's own if not given.")] = None,
    views: Annotated[
        int | None, typer.Option(min=1, max=64, help="Renderings of each training picture; thrice that of a concept's.")
    ] = None,
    own: Annotated[bool, typer.Option("--own-icons-only", help="Fetch no further icons to learn from.")] = False,
    threads: Annotated[int, typer.Option(min=1, max=256, help="Threads to compute and processes to draw with.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the record as JSON.")] = False,
) -> None:
    """Train a second image tower on drawings, and say which names and kinds of unseen ones it finds."""
    need_training()
    import torch

    from triton_models.parts import ICON_SETS, IMAGE_TOWER, ensure_parts
    from triton_models.parts.lite0 import read_lite0
    from triton_models.training.drawings_run import DrawingsJob, run_drawings
    from triton_models.training.drawings_tune import DrawingsRecipe

    torch.set_num_threads(threads)
    home, usual = read_settings().home, DrawingsRecipe()
    count = views or usual.views
    recipe = DrawingsRecipe(epochs=epochs or usual.epochs, views=count, views_of_concepts=3 * count)
    with plain_errors():
        towers = towers or serving_version(home)
        found = ensure_parts(home, [IMAGE_TOWER] if own else [IMAGE_TOWER, ICON_SETS])
        sets, work = None if own else found[1].path, home / "training" / "drawings"
        work.mkdir(parents=True, exist_ok=True)
        weights = read_lite0(found[0].path)
        record = run_drawings(DrawingsJob(towers, weights, data, sets, work, out, Bars(), recipe, threads))
    if as_json:
        typer.echo(json.dumps(record))
        return
    before, after = record["start"]["test"], record["tuned"]["test"]
    for language, own_names in after["names"].items():
        share = f"{before['names'][language]['picture_to_text_at_10']:.3f} -> {own_names['picture_to_text_at_10']:.3f}"
        typer.echo(f"{language:6} right name in the first ten: {share} (of {own_names['captions']})")
    for kind, area in after["kinds"].items():
        typer.echo(f"{kind:10} told from other kinds, AUROC: {area:.3f}")
    typer.echo(f"Next: weir model assemble --release {out}, then weir model joint --out {out}")
