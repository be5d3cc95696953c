"""Problems in policy files: where, which code, what is wrong, and what to do about it.

Every check reports `Problem`s; only the door turns a pile of them into an exception. No check lives here.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong with a file. Lines and columns start at 1; a column counts code points."""

    file: str
    line: int
    column: int
    code: str
    message: str
    hint: str = ""
    level: Level = "error"

    def __str__(self) -> str:
        """`file:line:column: CODE message; hint`."""
        tail = f"; {self.hint}" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}: {self.code} {self.message}{tail}"


class PolicyErrors(ValueError):  # noqa: N818  # it holds many; the name is the door's contract
    """A folder of policies that cannot be used: holds every problem that was found, in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Sort the problems by file, line and column."""
        self.problems: tuple[Problem, ...] = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(p) for p in self.problems))


def errors_only(problems: Iterable[Problem]) -> list[Problem]:
    """The problems that stop a bundle from being used."""
    return [p for p in problems if p.level == "error"]


def suggest(word: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?` for the nearest of `known`, or an empty string."""
    near = nearest(word, known)
    return f"did you mean {near!r}?" if near else ""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The one of `known` that a person who typed `word` most likely meant."""
    choices = sorted(set(known))
    short = word[:80]
    close = difflib.get_close_matches(short, choices, n=1, cutoff=0.65)
    if close:
        return close[0]
    loose = short.lower().replace("-", "_")
    for choice in choices:
        if len(loose) >= 3 and (choice.startswith(loose) or choice.rsplit(".", 1)[-1] == loose):
            return choice
    return None


def choices_hint(word: str, known: Sequence[str]) -> str:
    """A suggestion, or the whole choice when there is none and it is short."""
    return suggest(word, known) or ("one of: " + ", ".join(known) if 0 < len(known) <= 12 else "")
