"""`weir model finetune`: the upper layers of the text tower, fine-tuned into a release's deltas.

Only argument handling; the work is `triton_models.training.finetune_run`, imported when the command runs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
import yaml

from ops.commands.model_train import Bars, need_training, plain_errors
from ops.targets import read_settings

if TYPE_CHECKING:
    from triton_models.parts import E5Model

EPILOG: Final = (
    "Examples: `weir model finetune --data ~/weir-data --out my-release` · "
    "`weir model finetune --recipe smoke --data ~/weir-data --out try --threads 1` · "
    "`weir model finetune --recipe update --from reference --data ~/weir-data --out newer` · "
    "a killed run goes on where it was when the same command is given again"
)


def finetune(  # noqa: PLR0913  # the options of a command
    *,
    data: Annotated[Path, typer.Option(help="Folder with the data sets.", exists=True, file_okay=False)],
    out: Annotated[Path, typer.Option(help="Release folder to write deltas into.", file_okay=False)],
    recipe: Annotated[
        str, typer.Option(help="A shipped recipe (reference, text, update, smoke), or a YAML file.")
    ] = "text",
    parent: Annotated[
        str | None,
        typer.Option("--from", help="Go on from this release (a name, or a folder) instead of the pretrained part."),
    ] = None,
    work: Annotated[Path | None, typer.Option(help="Where checkpoints are kept; below WEIR_HOME if not given.")] = None,
    threads: Annotated[int, typer.Option(min=1, max=256, help="Threads to compute with.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the record as JSON.")] = False,
) -> None:
    """Fine-tune the text tower's upper layers in stages, then mix them with the start as far as that helps."""
    need_training()
    import torch

    from triton_models.assemble import release_folder
    from triton_models.parts import IMAGE_TOWER, TEXT_TOWER, ensure_parts, read_e5
    from triton_models.parts.lite0 import read_lite0
    from triton_models.training.export import begin_release
    from triton_models.training.finetune_recipe import load_finetune_recipe
    from triton_models.training.finetune_run import FinetuneJob, run_finetune

    torch.set_num_threads(threads)
    settings = read_settings()
    with plain_errors():
        chosen = load_finetune_recipe(recipe)
        text_part, image_part = ensure_parts(settings.home, [TEXT_TOWER, IMAGE_TOWER])
        kept = work or settings.home / "training" / f"finetune-{chosen.recipe}"
        kept.mkdir(parents=True, exist_ok=True)
        text = read_e5(text_part.path)
        start, known = (text, {}) if parent is None else _tower_of(release_folder(parent), text)
        record = run_finetune(FinetuneJob(start, data, kept, out, chosen, Bars(), known))
        begin_release(text, read_lite0(image_part.path), out, name=out.resolve().name, version=chosen.version)
    if as_json:
        typer.echo(json.dumps(record))
        return
    for one in record["sweep"]:
        mark = "*" if one["alpha"] == record["alpha"] else " "
        typer.echo(f"{mark} mixed at {one['alpha']:.1f}: dev AUROC {one['harm']:.4f}, kept {one['kept']:.4f}")
    typer.echo(f"{record['steps']:,} steps; deltas in {out}")
    typer.echo(
        f"Next: weir model assemble --release {out}, then weir model train --out {out}: heads on the changed tower"
    )


def _tower_of(release: Path, text: E5Model) -> tuple[E5Model, dict[str, str]]:
    """A release's text tower, and which release it is; the part itself when the release changed no layer."""
    from triton_models.deltas import FILE, tuned
    from triton_models.files import sha256_of

    named = yaml.safe_load((release / "release.yaml").read_text(encoding="utf-8"))
    known = {"release": f"{named['name']}-{named['version']}"}
    if (release / FILE).is_file():
        known["deltas_sha256"] = sha256_of(release / FILE)
    return tuned(release, text), known
