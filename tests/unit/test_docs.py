"""The documents: every link leads somewhere, and every command and option that they tell people to type exists."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from ops import cli
from ops.commands.bench import BENCHES

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("ops", "policies", "streams", "triton_models")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(path for name in PACKAGES for path in (ROOT / name).rglob("*.md"))])
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
COMMAND = re.compile(r"(?<![\w/.-])(?:\.venv/bin/)?weir ([a-z][^#|;`\n]*)")


@pytest.fixture
def all_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command as it is: the lazy group gives stubs for those that the command line does not name."""
    monkeypatch.setattr(sys, "argv", ["weir", *cli._COMMANDS])


def named(path: Path) -> str:
    """The path as a person would write it."""
    return str(path.relative_to(ROOT))


def commands(text: str) -> Iterator[list[str]]:
    """The words after `weir` of every command in the code of a document."""
    fenced = FENCED.findall(text)
    for code in [*fenced, *INLINE.findall(FENCED.sub("", text))]:
        for found in COMMAND.finditer(code):
            yield found[1].replace("[", " ").replace("]", " ").replace(")", " ").split()


def find(words: list[str]) -> Any:
    """The command that `words` begin with; None when there is none."""
    found: Any = typer.main.get_command(cli.app)
    for word in words:
        if not hasattr(found, "get_command"):
            return found
        found = found.get_command(None, word)
    return found


def problem(words: list[str]) -> str:
    """What is wrong with a command as a document writes it."""
    found = find(words)
    if found is None:
        return f"no command: weir {' '.join(words)}"
    if words[0] == "bench":  # it hands its options on
        return "" if words[1:2] in ([], ["NAME"], *([name] for name in BENCHES)) else f"no bench: {words[1]}"
    known = {name for param in getattr(found, "params", ()) for name in (*param.opts, *param.secondary_opts)}
    written = {word.partition("=")[0] for word in words if word.startswith("--")}
    unknown = written - known - {"--help"}
    return f"weir {' '.join(words)}: no option {', '.join(sorted(unknown))}" if unknown else ""


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    """A file or a folder of the repository, as seen from the document."""
    targets = [target.partition("#")[0] for target in LINK.findall(FENCED.sub("", path.read_text(encoding="utf-8")))]
    relative = [target for target in targets if target and "://" not in target and not target.startswith("mailto:")]
    assert [target for target in relative if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
@pytest.mark.usefixtures("all_commands")
def test_every_command_of_the_documents_exists(path: Path) -> None:
    """With every option that is written beside it."""
    wrong = {problem(words) for words in commands(path.read_text(encoding="utf-8"))}
    assert sorted(wrong - {""}) == []


@pytest.mark.parametrize("name", ["README.md", "policies/README.md", "triton_models/README.md"])
def test_the_guides_tell_what_to_type(name: str) -> None:
    """The check above reads commands, not nothing."""
    assert len(list(commands((ROOT / name).read_text(encoding="utf-8")))) >= 10


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("`weir polcy check`", "no command"),
        ("```console\n$ weir model frobnicate x\n```", "no command"),
        ("`weir bench folw --json`", "no bench"),
        ("`weir judge FILE --jsn`", "no option --jsn"),
        ("`weir policy check [FOLDER] [--strict]`", ""),
    ],
)
@pytest.mark.usefixtures("all_commands")
def test_what_does_not_exist_is_found(text: str, said: str) -> None:
    """In fences and in lines; brackets around what may be left out are no part of it."""
    (words,) = commands(text)
    assert said in problem(words)
    assert bool(said) == bool(problem(words))
