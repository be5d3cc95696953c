"""Every problem of a folder, errors and lints together: what `weir policy check` prints.

Never raises for what is inside the files.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from policies.engine.bundle import PolicyBundle
from policies.engine.checks import run_checks
from policies.engine.errors import PolicyErrors, Problem
from policies.engine.load import Loaded, load
from policies.engine.loader import Folder, read_bundle_files, read_folder
from policies.engine.signals import Catalogue


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What checking found."""

    problems: tuple[Problem, ...]
    bundle: PolicyBundle | None  # None when it cannot be used
    loaded: Loaded | None = None

    @property
    def errors(self) -> int:
        """How many problems stop the bundle."""
        return sum(1 for p in self.problems if p.level == "error")

    @property
    def warnings(self) -> int:
        """How many problems are advice."""
        return len(self.problems) - self.errors


def check_folder(folder: Path, catalogue: Catalogue, *, today: date) -> CheckResult:
    """Read, resolve, compile and lint the folder as of `today`."""
    return _check(read_folder(folder), catalogue, today=today)


def check_files(files: dict[str, bytes], catalogue: Catalogue, *, today: date, folder: Path) -> CheckResult:
    """The same for files in memory; `folder` names them in problems."""
    return _check(read_bundle_files(files, folder=folder), catalogue, today=today)


def _check(folder: Folder, catalogue: Catalogue, *, today: date) -> CheckResult:
    try:
        loaded = load(folder, catalogue)
    except PolicyErrors as exc:
        return CheckResult(exc.problems, None)
    problems = sorted({*loaded.problems, *run_checks(loaded, today=today)})
    return CheckResult(tuple(problems), loaded.bundle, loaded)
