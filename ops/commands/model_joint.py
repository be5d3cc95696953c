"""`weir model joint`: the head that reads text and picture together, trained on generated pairs.

Only argument handling; the work is `triton_models.training.joint_run`, imported when the command runs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Final

import typer

from ops.commands.model_train import Bars, need_training, plain_errors, serving_version
from ops.targets import read_settings

EPILOG: Final = "Example: `weir model joint --data ~/weir-data --out my-release`, then `weir model promote my-release`"


def joint(  # noqa: PLR0913  # the options of a command
    *,
    data: Annotated[Path, typer.Option(help="Folder with the data sets and icons.", exists=True, file_okay=False)],
    out: Annotated[Path, typer.Option(help="Release folder to write joint.npz into.", file_okay=False)],
    towers: Annotated[Path | None, typer.Option(help="Assembled version; the serving one if not given.")] = None,
    pairs: Annotated[int, typer.Option(min=10, help="Quadruples per family to train on.")] = 500,
    processes: Annotated[int, typer.Option(min=1, max=256, help="Processes that draw pictures.")] = 1,
    own: Annotated[bool, typer.Option("--own-icons-only", help="Fetch no further icons to learn from.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the record as JSON.")] = False,
) -> None:
    """Train the joint reading on generated quadruples and measure it on sentences, icons and languages never seen."""
    need_training()
    import torch

    from triton_models.parts import ICON_SETS, ensure_parts
    from triton_models.training.joint_run import JointJob, run_joint
    from triton_models.training.pairs import PairPlan

    torch.set_num_threads(1)
    home = read_settings().home
    with plain_errors():
        towers = towers or serving_version(home)
        sets = None if own else ensure_parts(home, [ICON_SETS])[0].path
        work, plan = home / "training" / "joint", PairPlan(pairs, 20261124)
        record = run_joint(JointJob(towers, data, work, out, Bars(), plan, processes=processes, icon_sets=sets))
    if as_json:
        typer.echo(json.dumps(record))
        return
    test = record["test"]
    typer.echo(f"all four right on {test['quadruples']:,} held-out quadruples: {test['all_four']:.3f}")
    for name, share in (*test["by_family"].items(), *test["by_corner"].items()):
        typer.echo(f"  {name:12} {share:.3f}")
    typer.echo(f"alarms on ordinary posts with any picture: {record['ordinary_alarms']:.3f}")
