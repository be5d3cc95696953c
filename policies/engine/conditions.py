"""Written `when` trees and `points` → condition trees, remembering where each leaf stands.

Syntax only. Every problem is reported at the place of the offending word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from policies.engine.errors import suggest
from policies.engine.leaves import All, Any, Condition, Leaf, LeafSyntaxError, Not, Points, parse_leaf
from policies.engine.yaml_nodes import Document, Path

MAX_LEAVES: Final = 200
"""Leaves in one rule; a longer list of words belongs in a keyword list."""

_WORDS = ("all", "any", "not")


@dataclass(frozen=True, slots=True)
class LeafSite:
    """A leaf, where it stands, and whether it is under an odd number of `not`s."""

    leaf: Leaf
    path: Path
    negated: bool


@dataclass(slots=True)
class ConditionReader:
    """Reads the conditions of one file."""

    doc: Document
    sites: list[LeafSite] = field(default_factory=list)

    def read(self, raw: object, path: Path) -> Condition | None:
        """The tree in `raw`, or None after reporting what is wrong."""
        before = len(self.sites)
        made = self._read(raw, path, negated=False)
        if len(self.sites) - before > MAX_LEAVES:
            self.doc.report(
                path, "TOO-MANY-LEAVES", f"more than {MAX_LEAVES} comparisons in one rule", hint="use a list"
            )
            return None
        return made

    def read_points(self, raw: list[list[object]], path: Path, *, at_least: float) -> Points | None:
        """The weighted sum in `raw`: `[[3, "score.x >= 0.5"], ...]`."""
        items: list[tuple[float, Condition]] = []
        whole = True
        for n, pair in enumerate(raw):
            here = (*path, n)
            if len(pair) != 2:
                self.doc.report(here, "BAD-POINTS", "a line of points is [number, comparison]")
                whole = False
                continue
            weight, condition = pair
            if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 < weight <= 1_000:
                self.doc.report((*here, 0), "BAD-POINTS", "points are a number above 0 and at most 1000")
                whole = False
                continue
            tree = self._read(condition, (*here, 1), negated=False)
            if tree is None:
                whole = False
            else:
                items.append((weight, tree))
        return Points(tuple(items), at_least) if whole else None

    def _read(self, raw: object, path: Path, *, negated: bool) -> Condition | None:
        if isinstance(raw, str):
            return self._leaf(raw, path, negated=negated)
        if isinstance(raw, dict):
            return self._branch(raw, path, negated=negated)
        hint = (
            "write all: or any: before the list"
            if isinstance(raw, list)
            else "for example score.hate >= threshold.hate.mid"
        )
        self.doc.report(path, "BAD-CONDITION", "a condition is a comparison, or all:, any: or not:", hint=hint)
        return None

    def _leaf(self, text: str, path: Path, *, negated: bool) -> Leaf | None:
        try:
            leaf = parse_leaf(text)
        except LeafSyntaxError as exc:
            self.doc.report(path, "BAD-COMPARISON", str(exc), hint=exc.hint)
            return None
        self.sites.append(LeafSite(leaf, path, negated))
        return leaf

    def _branch(self, raw: dict[str, object], path: Path, *, negated: bool) -> Condition | None:
        if len(raw) != 1:
            unknown = [k for k in raw if k not in _WORDS]
            if unknown:
                hint = suggest(unknown[0], _WORDS) or "use all:, any: or not:"
                self.doc.report(
                    (*path, unknown[0]),
                    "BAD-CONDITION",
                    f"{unknown[0][:60]!r} does not join conditions",
                    hint=hint,
                    key=True,
                )
            else:
                self.doc.report(path, "BAD-CONDITION", "all:, any: and not: stand alone", hint="nest one in the other")
            return None
        word, inner = next(iter(raw.items()))
        here = (*path, word)
        if word == "not":
            child = self._read(inner, here, negated=not negated)
            return Not(child) if child is not None else None
        if word in ("all", "any"):
            return self._group(word, inner, here, negated=negated)
        hint = suggest(word, _WORDS) or "use all:, any: or not:, or quote the whole comparison"
        self.doc.report(here, "BAD-CONDITION", f"{word[:60]!r} does not join conditions", hint=hint, key=True)
        return None

    def _group(self, word: str, inner: object, path: Path, *, negated: bool) -> Condition | None:
        if not isinstance(inner, list) or not inner:
            self.doc.report(path, "BAD-CONDITION", f"{word}: needs a list of conditions")
            return None
        children = [self._read(child, (*path, n), negated=negated) for n, child in enumerate(inner)]
        kept = tuple(c for c in children if c is not None)
        if len(kept) != len(children):
            return None
        return All(kept) if word == "all" else Any(kept)


def walk(condition: Condition, *, negated: bool = False) -> Iterator[tuple[Leaf, bool]]:
    """Every leaf, left to right, with whether an odd number of `not`s is above it."""
    if isinstance(condition, Leaf):
        yield condition, negated
    elif isinstance(condition, Not):
        yield from walk(condition.child, negated=not negated)
    elif isinstance(condition, Points):
        for _, child in condition.items:
            yield from walk(child, negated=negated)
    else:
        for child in condition.children:
            yield from walk(child, negated=negated)


def count_leaves(condition: Condition) -> int:
    """How many comparisons the condition has."""
    return sum(1 for _ in walk(condition))


def map_leaves(condition: Condition, change: Callable[[Leaf], Leaf]) -> Condition:
    """The same tree with every leaf changed."""
    if isinstance(condition, Leaf):
        return change(condition)
    if isinstance(condition, Not):
        return Not(map_leaves(condition.child, change))
    if isinstance(condition, Points):
        return Points(tuple((w, map_leaves(c, change)) for w, c in condition.items), condition.at_least)
    children = tuple(map_leaves(c, change) for c in condition.children)
    return All(children) if isinstance(condition, All) else Any(children)
