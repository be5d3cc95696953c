"""The texts of every complaint about policy files, as people read them.

After a wanted change: `python -m tests.golden.test_policy_errors` writes the file anew; read the difference.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from policies.engine.check import check_files
from policies.engine.loader import read_files
from tests.policy_folders import catalogue

HERE = Path(__file__).parent
GOLDEN = HERE / "policies_broken.txt"
DAY = date(2026, 11, 24)


def complaints(name: str) -> str:
    """Everything that checking the folder says, one problem a line."""
    files = read_files(HERE / name)
    if files is None:
        raise FileNotFoundError(HERE / name)
    result = check_files(files, catalogue(), today=DAY, folder=Path(name))
    return "".join(f"{p.level}: {p}\n" for p in result.problems)


def test_every_problem_of_every_file_is_told_at_once() -> None:
    """With place, code, message and what to do, in the agreed words."""
    assert complaints("policies_broken") == GOLDEN.read_text(encoding="utf-8")


def test_every_lint_has_its_words() -> None:
    """The same for what is unwise in policies that could be used."""
    assert complaints("policies_unwise") == (HERE / "policies_unwise.txt").read_text(encoding="utf-8")


if __name__ == "__main__":
    for folder in ("policies_broken", "policies_unwise"):
        (HERE / f"{folder}.txt").write_text(complaints(folder), encoding="utf-8")
