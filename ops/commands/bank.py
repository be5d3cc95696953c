"""`weir bank …`: hashes of known pictures, imported and looked after. No picture is stored; nothing is uploaded.

What a bank means is declared by policies (`banks/*.yaml`); how hashes are kept is `streams.adapters.hash_bank_files`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import open as open_with_progress

from ops.exits import MISUSED, NO, OK
from ops.targets import read_settings

app = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode="markdown", help="Banks of known pictures' hashes."
)

SHOWN_COMPLAINTS = 10

BankOption = Annotated[str, typer.Option("--bank", help="Name of the bank, as `banks/<name>.yaml` declares it.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Picture = Annotated[Path, typer.Argument(help="A picture file. Only its hashes are taken.", show_default=False)]


@app.callback()
def _bank() -> None:
    """Banks of known pictures' hashes."""
    from streams.telemetry import set_up_logging

    set_up_logging("warning", "auto")


@app.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV of hashes from ThreatExchange or HMA.", show_default=False)],
    *,
    bank: BankOption,
    kind: Annotated[str | None, typer.Option(help="pdq | md5 | sha256, where the file does not say.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Forget what the bank held before.")] = False,
    as_json: Json = False,
) -> None:
    """Import a CSV of hashes into a bank. Workers on this machine use it within seconds.

    A file with a header: the columns of HMA and ThreatExchange exports. Without one: `hash,id,…`. Ids that are no
    numbers or digests are replaced by digests. Exit code 1 when lines were refused; the others are imported.

    Example: `weir bank import hashes.csv --bank known --kind pdq`
    """
    from streams.adapters.hash_bank_files import bank_path, read_bank, write_bank
    from streams.core.bank_rows import SIZES, BadRow, read_rows

    path = bank_path(_folder(), _name(bank))
    if kind is not None and kind not in SIZES:
        _stop(f"--kind is one of {', '.join(SIZES)}, not {kind!r}")
    bad: list[BadRow] = []
    found: list[Any] = []
    for row in read_rows(_lines(file), bank=bank, kind=kind):
        if isinstance(row, BadRow):
            bad.append(row)
        else:
            found.append(row)
    held = [] if replace or not path.exists() else _held(path, read_bank)
    if not found and not replace:
        _stop(f"{file}: there is no hash in it; {_told(bad)}", code=NO)
    index = write_bank(path, [*found, *held])
    report: dict[str, object] = {"bank": bank, "version": index.version, "read": len(found), "refused": len(bad)}
    report.update(index.counts.items())
    if as_json:
        complaints = [{"line": row.line, "why": row.why} for row in bad]
        typer.echo(json.dumps({**report, "complaints": complaints}, indent=2))
    else:
        for row in bad[:SHOWN_COMPLAINTS]:
            _complain(f"{file}:{row.line}: {row.why}")
        if len(bad) > SHOWN_COMPLAINTS:
            _complain(f"… and {len(bad) - SHOWN_COMPLAINTS} more lines")
        typer.echo(f"{bank}: {_counts(index.counts)} (version {index.version}); {len(bad)} lines refused")
    raise typer.Exit(NO if bad else OK)


@app.command(name="list")
def list_(*, as_json: Json = False) -> None:
    """List the banks of this machine: how many hashes of which kind, or why a bank is broken.

    Example: `weir bank list`
    """
    from streams.adapters.hash_bank_files import BankStore
    from streams.core.bank_index import Imported

    folder = _folder()
    states = BankStore(folder).states()
    rows: dict[str, dict[str, object]] = {
        name: {"version": state.index.version, **{str(kind): n for kind, n in state.index.counts.items()}}
        if isinstance(state, Imported)
        else {"broken": getattr(state, "why", "")}
        for name, state in states.items()
    }
    if as_json:
        typer.echo(json.dumps({"folder": str(folder), "banks": rows}, indent=2))
    elif not rows:
        typer.echo(f"no banks in {folder}; import one with `weir bank import`")
    for name, state in () if as_json else states.items():
        text = _counts(state.index.counts) if isinstance(state, Imported) else f"broken: {rows[name]['broken']}"
        typer.echo(f"{name:<20} {text}")
    raise typer.Exit(OK if all(isinstance(state, Imported) for state in states.values()) else NO)


@app.command()
def add(
    picture: Picture,
    *,
    bank: BankOption,
    id_: Annotated[str, typer.Option("--id", help="An opaque id to find it by; a digest when left out.")] = "",
) -> None:
    """Add a picture's PDQ and SHA-256 to a bank, for example a cleared one to the bank of false alarms.

    Example: `weir bank add cleared.jpg --bank benign`
    """
    from streams.adapters.hash_bank_files import bank_path, read_bank, write_bank
    from streams.core.bank_rows import BankEntry, opaque_id

    prints = _prints(picture)
    path = bank_path(_folder(), _name(bank))
    entry = opaque_id(id_, prints.sha256.hex(), bank=bank)
    new = [BankEntry("sha256", prints.sha256, entry)]
    if prints.look is not None:
        new.append(BankEntry("pdq", prints.look.variants[0], entry))
    else:
        _complain(f"{picture}: {prints.problem}: only the very same file will be found")
    index = write_bank(path, [*new, *(_held(path, read_bank) if path.exists() else [])])
    typer.echo(f"{bank}: added {entry}; {_counts(index.counts)}")


@app.command()
def remove(
    entry: Annotated[str, typer.Argument(help="The entry's id.", show_default=False)], *, bank: BankOption
) -> None:
    """Remove an entry, for example one that flooded. Exit code 1 when the bank has no such entry.

    Example: `weir bank remove 2880742865368386 --bank known`
    """
    from streams.adapters.hash_bank_files import bank_path, read_bank, write_bank

    path = bank_path(_folder(), _name(bank))
    held = _held(path, read_bank)
    kept = [one for one in held if one.id != entry]
    if len(kept) == len(held):
        _stop(f"bank {bank} has no entry {entry}", code=NO)
    index = write_bank(path, kept)
    typer.echo(f"{bank}: removed {entry}; {_counts(index.counts)}")


@app.command()
def match(picture: Picture, *, as_json: Json = False) -> None:
    """Show a picture's hashes and which entries of which bank it matches, at the distances that PDQ allows.

    Exit code 1 when it matches nothing. Example: `weir bank match picture.jpg --json`
    """
    from streams.adapters.hash_bank_files import BankStore
    from streams.core.bank_index import Imported

    prints = _prints(picture)
    hits: list[dict[str, object]] = []
    for name, state in BankStore(_folder()).states().items():
        if isinstance(state, Imported):
            found = state.index.hits(prints, distance=31, min_quality=0)
            hits += [{"bank": name, "id": hit.id, "distance": hit.distance} for hit in found]
    look = prints.look
    report = {
        "pdq": look.variants[0].hex() if look else None,
        "quality": look.quality if look else None,
        "md5": prints.md5.hex(),
        "sha256": prints.sha256.hex(),
        "hits": hits,
    }
    if as_json:
        typer.echo(json.dumps(report, indent=2))
    else:
        for key in ("pdq", "quality", "md5", "sha256"):
            typer.echo(f"{key:<8} {report[key]}")
        for hit in hits:
            typer.echo(f"{hit['bank']}: {hit['id']} at distance {hit['distance']}")
    raise typer.Exit(OK if hits else NO)


def _folder() -> Path:
    settings = read_settings()
    return Path(settings.banks or settings.home / "banks")


def _name(bank: str) -> str:
    if not bank.replace("-", "").replace("_", "").isalnum() or not bank.isascii() or bank != bank.lower():
        _stop(f"{bank!r} is no name of a bank: small letters, digits, - and _")
    return bank


def _lines(file: Path) -> Iterator[str]:
    try:
        with open_with_progress(
            file, "rt", encoding="utf-8-sig", errors="replace", console=Console(stderr=True), description="reading",
            transient=True,
        ) as lines:  # fmt: skip
            yield from lines
    except OSError as exc:
        _stop(f"cannot read {file}: {exc.strerror}")


def _prints(picture: Path) -> Any:
    from streams.adapters.prints import take_prints
    from triton_models.pixels import MAX_PIXELS

    try:
        return take_prints(picture.read_bytes(), True, MAX_PIXELS)
    except OSError as exc:
        _stop(f"cannot read {picture}: {exc.strerror}")


def _held(path: Path, read: Any) -> list[Any]:
    try:
        return list(read(path))
    except (OSError, ValueError) as exc:
        _stop(f"{path} cannot be read ({exc}); restore it, or import with --replace", code=NO)


def _counts(counts: dict[Any, int]) -> str:
    return ", ".join(f"{count:,} {kind}" for kind, count in counts.items() if count) or "empty"


def _told(bad: list[Any]) -> str:
    return (
        ", ".join(f"{count} lines: {why}" for why, count in Counter(row.why for row in bad).most_common(3)) or "empty"
    )


def _complain(text: str) -> None:
    Console(stderr=True).print(text, markup=False, highlight=False, soft_wrap=True)


def _stop(text: str, *, code: int = MISUSED) -> NoReturn:
    Console(stderr=True).print(f"weir bank: {text}", style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(code)
