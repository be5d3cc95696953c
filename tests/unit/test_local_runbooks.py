"""Runbooks name commands and files that exist, and have the parts that a person in a hurry looks for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ops.cli import _COMMANDS

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "ops" / "runbooks").glob("local-*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_has_its_parts(page: Path) -> None:
    """A title, what you see, and how to know that it is mended."""
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert "**You see**" in text
    assert "**Mended when**" in text or "Every event has exactly one verdict" in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_exist(page: Path) -> None:
    """Each `weir …` on the page is a command of the command line."""
    named = set(re.findall(r"`weir ([a-z]+)", page.read_text(encoding="utf-8")))
    assert named
    assert named <= _COMMANDS.keys()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_files_exist(page: Path) -> None:
    """Each file of the project that a page points to is there."""
    named = re.findall(r"`(ops/[a-z_./-]+\.(?:py|md|xml))`", page.read_text(encoding="utf-8"))
    assert [name for name in named if not (ROOT / name).is_file()] == []
