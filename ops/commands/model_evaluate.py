"""`weir model evaluate`: what a release is worth, on the data sets or on somebody's own posts, as tables and a page.

Only argument handling, drawing and writing; the work is `triton_models.training`, imported when the command runs.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from ops.commands.model_train import (
    Bars,
    Towers,
    Work,
    figures_table,
    need_training,
    plain_errors,
    tower_folder,
)
from ops.exits import MISUSED
from ops.targets import read_settings
from triton_models.assemble import DEFAULT_RELEASE, RELEASES
from triton_models.deltas import CARD, JOINT
from triton_models.release_store import ReleaseStore, StoreError

EPILOG: Final = (
    "Examples: `weir model evaluate posts.jsonl` · `weir model evaluate --sets ~/weir-data --report out` · "
    "`weir model evaluate --sets ~/weir-data --report out --against 1` · "
    'a line of posts.jsonl: `{"id": "1", "text": "…", "labels": {"hate": 1}, "severity": {"hate": 4}}`'
)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is measured, where it lies, and what it is compared with."""

    file: Path | None
    sets: Path
    release: Path
    version: Path  # with the text tower
    against: Path | None
    quadruples: int


def evaluate(  # noqa: PLR0913  # the options of a command
    file: Annotated[
        Path | None, typer.Argument(help="Your labelled posts, JSONL.", exists=True, dir_okay=False)
    ] = None,
    *,
    sets: Annotated[Path | None, typer.Option(help="Data folder: judge the held-out and evaluate-only sets.")] = None,
    release: Annotated[Path | None, typer.Option(help="Release folder; the shipped one if not given.")] = None,
    towers: Towers = None,
    work: Work = None,
    report: Annotated[
        Path | None, typer.Option(help="Folder to write report.html and report.json into.", file_okay=False)
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="Compare with a release: a version number, or a folder with its card.")
    ] = None,
    quadruples: Annotated[
        int, typer.Option(min=0, help="With --sets: generated quadruples to judge as served; 0 judges no pictures.")
    ] = 150,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Measure a release on your own labelled posts, or on the data sets."""
    need_training()
    if (file is None) == (sets is None):
        typer.echo("give either FILE or --sets DIR: there is nothing else to measure on", err=True)
        raise typer.Exit(MISUSED)
    from triton_models.training.evaluate_against import CardError
    from triton_models.training.report_page import plain, write_report

    settings = read_settings()
    cache = (work or settings.home / "training" / "evaluate") / "embeddings"
    with plain_errors():
        try:
            asked = _Asked(
                file=file,
                sets=sets or Path(),
                release=release or RELEASES / DEFAULT_RELEASE,
                version=tower_folder(towers, settings.home),
                against=_folder_of(against, settings.home),
                quadruples=quadruples,
            )
            found = _measure(asked, cache)
        except (CardError, StoreError) as exc:
            typer.echo(f"weir model: {exc}", err=True)
            raise typer.Exit(MISUSED) from exc
    if report is not None:
        page, data = write_report(found, report)
        typer.echo(f"{page}\n{data}", err=True)
    typer.echo(json.dumps(plain(found), indent=1) if as_json else f"{figures_table(found)}{_picture_lines(found)}")


def _measure(asked: _Asked, cache: Path) -> dict[str, Any]:
    from triton_models.training.encoder import TowerEncoder
    from triton_models.training.evaluate import evaluate_posts, evaluate_release
    from triton_models.training.evaluate_against import compare_figures, read_card_of
    from triton_models.training.evaluate_goals import goal_rows
    from triton_models.training.evaluate_pictures import PictureSample, open_ensemble, picture_sections
    from triton_models.training.evaluate_rows import cost_section
    from triton_models.training.judge import read_zero_shot, timed_members
    from triton_models.training.labelled import read_labelled
    from triton_models.training.release import read_members, rows_of_release

    started = time.monotonic()
    before = read_card_of(asked.against) if asked.against is not None else None
    with TowerEncoder(asked.version, processes=os.cpu_count() or 1) as encoder:
        members, fuser = read_members(asked.release, encoder, cache)
        members = replace(members, zero_shot=read_zero_shot(asked.version))
        if asked.file is not None:
            posts = read_labelled(asked.file)
            found = evaluate_posts(members, fuser, posts=posts, name=asked.file.name, progress=Bars())
            texts = [post.text for post in posts]
        else:
            rows = rows_of_release(asked.release, asked.sets)
            found = evaluate_release(members, fuser, rows=rows, data=asked.sets, progress=Bars())
            texts = [row.text for row in rows if row.split == "test"]
    found["members"]["cost"] = cost_section(timed_members(members, asked.version), texts)
    found |= _of_the_release(asked.release)
    if asked.file is None:
        seen = picture_sections(
            lambda: open_ensemble(asked.version, asked.release, members, fuser),
            asked.sets,
            sample=PictureSample(asked.quadruples),
            progress=Bars(),
        )
        seen["pictures"] = _merged(found.get("pictures", {}), seen["pictures"])
        found |= seen
        found["goals"] = goal_rows(found, _figures(before) if before is not None else None)
    if before is not None:
        named = str(before.get("release", asked.against))
        found["against"] = {"release": named, **compare_figures(found, _figures(before))}
    found["made"] = {
        "release": _name(asked.release),
        "measured on": asked.file.name if asked.file is not None else "the data sets",
        "date": datetime.now(UTC).date().isoformat(),
        "took": f"{time.monotonic() - started:.0f} s on {os.cpu_count() or 1} cores",
        "text tower": members.encoder.identity,
    }
    return found


def _of_the_release(folder: Path) -> dict[str, Any]:
    """What the release recorded of pictures, of pairs and of languages left out, which is not measured here again."""
    from triton_models.training.leave_out import read_left_out

    left_out = read_left_out(folder)
    found: dict[str, Any] = {} if left_out is None else {"leave_one_language_out": left_out.model_dump()}
    record, card = folder / JOINT, folder / CARD
    if record.is_file():
        found["pairs"] = json.loads(record.read_text(encoding="utf-8")).get("test", {})
    if card.is_file():
        found["pictures"] = _pictures(json.loads(card.read_text(encoding="utf-8")))
    return found


def _merged(recorded: Mapping[str, Any], seen: Mapping[str, Any]) -> dict[str, Any]:
    """What the card says of a category's pictures, and what was measured of it now."""
    both = {name: {**one, **recorded.get(name, {})} for name, one in seen.items() if isinstance(one, Mapping)}
    return {**recorded, **seen, **both}


def _picture_lines(found: Mapping[str, Any]) -> str:
    """Lines below the table: all four of a quadruple right, and what changes of pictures leave of the recall."""
    served = found.get("consistency", {})
    if "all_four" not in served:
        return f"\npictures: {served['note']}" if served else ""
    lines = [f"\nall four of a quadruple right, as served: {served['all_four']:.3f} of {served['quadruples']}"]
    lines += [
        f"{name} pictures, changed: {one['recall_ratio']:.3f} of the recall on plain ones"
        for name, one in found["pictures"].items()
        if isinstance(one, Mapping) and "recall_ratio" in one
    ]
    return "\n".join(lines)


def _figures(card: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of another release's card, pictures among them."""
    return {"pictures": _pictures(card), **card["quality"]}


def _pictures(card: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Category -> zero-shot AUROC on the image classifier's directions, where the card has one."""
    told = {line["category"]: line.get("AUROC on directions") for line in card.get("pictures", [])}
    return {name: {"auroc": value} for name, value in told.items() if isinstance(value, float)}


def _folder_of(against: str | None, home: Path) -> Path | None:
    if against is None or not against.isdigit():
        return Path(against) if against is not None else None
    return ReleaseStore(home / "repository").version(int(against)).path


def _name(folder: Path) -> str:
    card = folder / CARD
    return (
        str(json.loads(card.read_text(encoding="utf-8")).get("release", folder.name)) if card.is_file() else folder.name
    )
