"""`weir policy check`: every problem of every file at once, for people, scripts and code review."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ops.commands.policy_folder import LIBRARY, FolderArgument, Json, bundle_folder, catalogue, print_problem
from ops.exits import NO, OK
from policies.engine.check import CheckResult, check_folder
from policies.engine.sarif import to_sarif


def check(
    folder: FolderArgument = LIBRARY,
    *,
    as_json: Json = False,
    sarif: Annotated[Path | None, typer.Option("--sarif", help="Write a SARIF report here, for code review.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
) -> None:
    """Check every file of a folder and print every problem at once. Exit code 1 when there is an error.

    A single file is checked within its folder, and only its own problems are shown.

    Examples: `weir policy check policies/library` · `weir policy check my-policies --strict --sarif check.sarif`
    """
    result = check_folder(bundle_folder(folder), catalogue(), today=datetime.now(UTC).date())
    if folder.is_file():
        result = replace(result, problems=tuple(p for p in result.problems if Path(p.file) == folder))
    if sarif is not None:
        sarif.write_text(json.dumps(to_sarif(result.problems, version=_version()), indent=2), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(_as_json(result), indent=2, ensure_ascii=False))
    else:
        _print(result)
    raise typer.Exit(NO if result.errors or (strict and result.warnings) else OK)


def _version() -> str:
    try:
        return installed_version("weir")
    except PackageNotFoundError:
        return "0"  # run from a checkout that is not installed


def _as_json(result: CheckResult) -> dict[str, object]:
    return {
        "ok": result.errors == 0,
        "bundle": result.bundle.label if result.bundle else None,
        "rules": len(result.bundle.policies.rules) if result.bundle else None,
        "errors": result.errors,
        "warnings": result.warnings,
        "problems": [asdict(p) for p in result.problems],
    }


def _print(result: CheckResult) -> None:
    console = Console(soft_wrap=True, highlight=False, emoji=False)
    for problem in result.problems:
        print_problem(console, problem)
    counts = f"{result.errors} error(s), {result.warnings} warning(s)"
    if result.bundle is None:
        console.print(counts)
        return
    rules, lists = len(result.bundle.policies.rules), len(result.bundle.lists.lists)
    console.print(f"{result.bundle.label}: {rules} rules, {lists} lists, {counts}")
