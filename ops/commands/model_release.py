"""`weir model list|show|compare|promote|rollback`: the versions of the served model, and which one serves.

Only argument handling and drawing; the work is `triton_models.release_store` and `triton_models.training.promote`.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from ops.commands import model_align, model_drawings, model_finetune, model_joint, model_leave_out
from ops.exits import MISUSED, NO
from ops.local.show import progress
from ops.local.state import RunFolder
from ops.targets import read_settings
from streams.settings import Settings
from triton_models.release_store import ReleaseStore, StoredVersion, StoreError

if TYPE_CHECKING:
    from ops.model_server import TritonServer
    from triton_models.training.promote import Outcome

PROBES: Final = 96

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Repository = Annotated[
    Path | None, typer.Option(help="Model repository; the one below WEIR_HOME if not given.", file_okay=False)
]
Offline = Annotated[bool, typer.Option("--offline", help="No server: pin the version for the next start.")]


def list_versions(*, repository: Repository = None, as_json: Json = False) -> None:
    """List the versions: the one that serves is marked `*`, the one to go back to `-`."""
    store = _store(repository)
    rows = [_summary(store, version) for version in store.versions()]
    if as_json:
        typer.echo(json.dumps({"versions": rows, "journal": store.journal()}))
        return
    table = Table("", "version", "release", "tier", "members", "MB", box=None, header_style="bold")
    for row in rows:
        mark = "*" if row["serving"] else "-" if row["previous"] else ""
        members = ", ".join(row["members"]) if row["members"] else "?"
        table.add_row(mark, str(row["version"]), row["release"], row["tier"], members, f"{row['bytes'] / 1e6:.0f}")
    Console().print(table)
    for entry in store.journal()[-5:]:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(float(entry.get("at", 0))))
        what = f"{entry.get('event', '?'):8} version {entry.get('version', '?')}"
        typer.echo(f"{when}  {what}: {entry.get('reason', '')}")


def show_version(
    version: Annotated[int | None, typer.Argument(help="Its number; the serving one if not given.")] = None,
    *,
    repository: Repository = None,
    as_json: Json = False,
) -> None:
    """Show one version: its card, its size, and what the gates say of it."""
    store = _store(repository)
    with _plain_errors():
        chosen = store.version(version if version is not None else store.current())
    summary = _summary(store, chosen) | {"card": dict(chosen.card)}
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False))
        return
    for key in ("version", "release", "tier", "serving", "members", "bytes", "path"):
        typer.echo(f"{key:9} {summary[key]}")
    for result in _gates_of(store, chosen):
        typer.echo(result)


def compare(
    first: Annotated[int, typer.Argument(help="A version.")],
    second: Annotated[int, typer.Argument(help="Another version.")],
    *,
    repository: Repository = None,
    as_json: Json = False,
) -> None:
    """Compare the figures on the cards of two versions; every one that differs, the largest loss first."""
    from triton_models.training.promote import figures_of

    store = _store(repository)
    with _plain_errors():
        left, right = (dict(_leaves(figures_of(store.version(number)))) for number in (first, second))
    paths = [path for path in sorted({*left, *right}) if left.get(path) != right.get(path)]
    paths.sort(key=lambda path: right.get(path, 0.0) - left.get(path, 0.0))
    if as_json:
        rows = [{"figure": "/".join(path), "first": left.get(path), "second": right.get(path)} for path in paths]
        typer.echo(json.dumps({"first": first, "second": second, "figures": rows}))
        return
    if not paths:
        typer.echo("no figure differs")
        return
    table = Table("figure", str(first), str(second), "change", box=None, header_style="bold")
    for path in paths:
        change = f"{right[path] - left[path]:+.4g}" if path in left and path in right else ""
        table.add_row("/".join(path), _number(left.get(path)), _number(right.get(path)), change)
    Console().print(table)


def promote_version(
    candidate: Annotated[str, typer.Argument(help="A release folder, an assembled version folder, or a number.")],
    *,
    gates: Annotated[Path | None, typer.Option(help="Gates to ask instead of the shipped ones.")] = None,
    traffic: Annotated[Path | None, typer.Option(help="Recorded sample events to compare on.", exists=True)] = None,
    standby: Annotated[bool, typer.Option(help="Keep what served before loaded, for an instant rollback.")] = True,
    watch_s: Annotated[float, typer.Option(min=0, max=3600, help="Seconds to watch production afterwards.")] = 5.0,
    as_json: Json = False,
) -> None:
    """Serve a new version, if every gate lets it and it does well beside the serving one; else nothing changes."""
    from triton_models.training.gates import GateError, load_gates
    from triton_models.training.promote import Plan, promote

    settings = read_settings()
    store = _store(None)
    try:
        chosen = load_gates(gates)
    except GateError as exc:
        raise _misused(str(exc)) from exc
    with (
        _plain_errors(),
        RunFolder(settings.home).lock(),
        progress() as tell,
        _assembled(candidate, settings, tell) as ready,
        _server(settings, traffic, offline=False) as server,
    ):
        outcome = promote(ready, store, server, Plan(chosen, watch_s=watch_s, standby=standby, tell=tell))
    _report(outcome, as_json=as_json)


def rollback_version(
    *,
    to: Annotated[int | None, typer.Option(help="The version to go back to; the one before if not given.")] = None,
    offline: Offline = False,
    as_json: Json = False,
) -> None:
    """Serve the version before this one again. No gate is asked."""
    from triton_models.training.promote import rollback

    settings = read_settings()
    store = _store(None)
    with _plain_errors(), RunFolder(settings.home).lock(), progress() as tell:
        tell("rolling back")
        with _server(settings, None, offline=offline) as server:
            outcome = rollback(store, server, to=to)
    _report(outcome, as_json=as_json)


def register(app: typer.Typer) -> None:
    """Adds these commands to `weir model`."""
    app.command("list", epilog="Example: `weir model list --json`")(list_versions)
    app.command("show", epilog="Example: `weir model show 2`")(show_version)
    app.command("compare", epilog="Example: `weir model compare 1 2`")(compare)
    app.command(
        "promote",
        epilog="Examples: `weir model promote ./my-release` · `weir model promote 3 --gates my.yaml --watch-s 60`",
    )(promote_version)
    app.command("align", epilog=model_align.EPILOG)(model_align.align)
    app.command("drawings", epilog=model_drawings.EPILOG)(model_drawings.drawings)
    app.command("finetune", epilog=model_finetune.EPILOG)(model_finetune.finetune)
    app.command("joint", epilog=model_joint.EPILOG)(model_joint.joint)
    app.command("leave-out", epilog=model_leave_out.EPILOG)(model_leave_out.leave_out)
    app.command("rollback", epilog="Examples: `weir model rollback` · `weir model rollback --to 1`")(rollback_version)


def _store(repository: Path | None) -> ReleaseStore:
    try:
        return ReleaseStore(repository if repository is not None else read_settings().home / "repository")
    except StoreError as exc:
        raise _misused(str(exc)) from exc


def _summary(store: ReleaseStore, version: StoredVersion) -> dict[str, Any]:
    current = store.current()
    members = version.card.get("members", [])
    return {
        "version": version.number,
        "release": version.release,
        "tier": str(version.card.get("tier", "?")),
        "serving": version.number == current,
        "previous": version.number == store.previous(),
        "members": list(members),
        "bytes": version.size_bytes,
        "path": str(version.path),
    }


def _gates_of(store: ReleaseStore, version: StoredVersion) -> Iterator[str]:
    from triton_models.training.gates import check_gates, load_gates
    from triton_models.training.promote import figures_of

    serving = figures_of(store.version(store.current()))
    for result in check_gates(load_gates(), figures_of(version), serving):
        yield result.line()


@contextmanager
def _assembled(candidate: str, settings: Settings, tell: Any) -> Iterator[Path | int]:
    """The candidate as promotion takes it; a release folder is assembled aside first."""
    if candidate.isdigit():
        yield int(candidate)
        return
    folder = Path(candidate)
    if not (folder / "release.yaml").is_file():
        yield folder
        return
    from triton_models.assemble import PROMPTS, TEMPLATE
    from triton_models.build import BuildInputs, build_version
    from triton_models.parts import PARTS, ensure_parts

    parts = {one.part.name: one.path for one in ensure_parts(settings.home, PARTS)}
    with tempfile.TemporaryDirectory(prefix=".candidate-", dir=settings.home) as made:
        target = Path(made) / "version"
        target.mkdir()
        card = build_version(BuildInputs(folder, parts, PROMPTS, TEMPLATE), target, tell)
        (target / "card.json").write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        yield target
        shutil.rmtree(target, ignore_errors=True)


@contextmanager
def _server(settings: Settings, traffic: Path | None, *, offline: bool) -> Iterator[TritonServer | None]:
    """The server that serves now; None when there is none to tell, or `offline`."""
    url = settings.triton_url
    if not url:
        state = RunFolder(settings.home).running("triton")
        url = state.addresses.get("grpc", "") if state is not None else ""
    if offline or not url:
        yield None
        return
    from ops.model_server import TritonServer, probe_items
    from ops.samples.sample import load_samples, read_samples

    if traffic is None:
        items = probe_items(load_samples(), most=PROBES)
    else:
        with traffic.open("rb") as lines:
            items = probe_items(read_samples(lines), most=PROBES)
    with TritonServer(url, items) as server:
        yield server


def _report(outcome: Outcome, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(outcome)))
    else:
        for result in outcome.gates:
            typer.echo(result.line())
        verb = "serving" if outcome.done else "still serving"
        typer.echo(f"{outcome.reason}; {verb} version {outcome.serving} ({outcome.seconds:.1f} s)")
    if not outcome.done:
        raise typer.Exit(NO)


def _leaves(tree: object, at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], float]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _leaves(value, (*at, str(key)))
    elif isinstance(tree, int | float) and not isinstance(tree, bool):
        yield at, float(tree)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _misused(text: str) -> typer.Exit:
    typer.echo(f"weir model: {text}", err=True)
    return typer.Exit(MISUSED)


@contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except StoreError as exc:
        raise _misused(str(exc)) from exc
