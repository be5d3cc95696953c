"""What every lint sees: the loaded bundle, its files with their places, and the day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from policies.engine.conditions import LeafSite
from policies.engine.dates import start_of
from policies.engine.errors import Level, Problem
from policies.engine.load import Loaded
from policies.engine.loader import Written
from policies.engine.rules import PolicySet, Rule
from policies.engine.schema import PolicyFile
from policies.engine.yaml_nodes import Document, Path


@dataclass(frozen=True, slots=True)
class View:
    """A bundle under inspection."""

    loaded: Loaded
    today: date

    @property
    def policies(self) -> PolicySet:
        """The checked policies."""
        return self.loaded.bundle.policies

    @property
    def now(self) -> float:
        """The day's first second."""
        return start_of(self.today)

    def files(self) -> Iterator[Written[PolicyFile]]:
        """The policy files, with their places."""
        yield from self.loaded.folder.policies

    def rules(self) -> Iterator[tuple[Rule, Document, Path]]:
        """Every rule with its file and place."""
        for rule in self.policies.rules:
            yield rule, self.loaded.resolution.documents[rule.policy], self.loaded.resolution.paths[rule.id]

    def sites(self, rule_id: str) -> list[LeafSite]:
        """The rule's leaves as written, with their places."""
        return self.loaded.resolution.sites.get(rule_id, [])


def problem(doc: Document, path: Path, code: str, message: str, *, hint: str = "", level: Level = "warning") -> Problem:
    """A problem at a place of a file: the value, or the key of one that spans lines."""
    value, key = doc.mark(path), doc.mark(path)
    at = key if value.line != key.line else value
    return Problem(doc.file, at.line, at.column, code, message, hint, level)
