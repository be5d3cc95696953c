"""YAML text → plain values plus the line and column of every key and value.

Stricter than YAML on purpose: duplicate keys, anchors, tags, bare `NO` and `012` are problems, because a policy that
means something else than it says is worse than one that is refused. Knows nothing of policies.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

import yaml

from policies.engine.errors import Level, Problem

Path = tuple[str | int, ...]

MAX_BYTES: Final = 4 * 1024 * 1024
MAX_DEPTH: Final = 24
MAX_NODES: Final = 400_000

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?P<fraction>\.[0-9]{1,18})?(?P<exponent>[eE][-+]?[0-9]{1,3})?")
# What some YAML reader, somewhere, turns into a boolean or a number that the writer did not mean.
_AMBIGUOUS = re.compile(
    r"(?:y|n|yes|no|on|off|true|false|null|nan|[-+]?\.(?:inf|nan)|[-+]?0[0-9_]+|0x[0-9a-f_]+|0o[0-7_]+|0b[01_]+"
    r"|[-+]?[0-9][0-9_]*_[0-9_]*|\+[0-9.]+|[-+]?\.[0-9]+|[-+]?[0-9]+\.|[-+]?[0-9]+(?::[0-5]?[0-9])+|=|<<)",
    re.IGNORECASE,
)
_PLAIN_TAGS = frozenset(
    f"tag:yaml.org,2002:{kind}"
    for kind in ("str", "int", "float", "bool", "null", "timestamp", "value", "merge", "map", "seq")
)
# The one bare word of these that is read as it stands, because its key leaves no doubt: `mode: off`.
_PLAIN_WORDS: Final = {"mode": "off"}
# `author.kind in ["news"]` inside braces is not YAML; people write it all the same, and it can only mean one thing.
_BARE_IN = re.compile(r"(?<![\w'\".\-])([A-Za-z_][\w.\-]* +in +\[[^\[\]'\n]*\])")


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file, from 1."""

    line: int
    column: int


@dataclass(slots=True)
class Document:
    """One file as plain values. `value` is None when it is empty or unreadable."""

    file: str
    value: object = None
    keys: dict[Path, Mark] = field(default_factory=dict)
    values: dict[Path, Mark] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def mark(self, path: Path, *, key: bool = False) -> Mark:
        """Where the value (or key) at `path` stands; the nearest enclosing place when it is not there."""
        for end in range(len(path), -1, -1):
            table = self.keys if key and end == len(path) else self.values
            found = table.get(path[:end])
            if found is not None:
                return found
        return Mark(1, 1)

    def report(
        self, path: Path, code: str, message: str, *, hint: str = "", key: bool = False, level: Level = "error"
    ) -> Problem:
        """Note a problem at `path` and return it."""
        at = self.mark(path, key=key)
        made = Problem(self.file, at.line, at.column, code, message, hint, level)
        self.problems.append(made)
        return made


def read_yaml(raw: bytes, file: str) -> Document:
    """The document in `raw`; never raises. Time and memory are linear in the size, which is capped."""
    doc = Document(file)
    if len(raw) > MAX_BYTES:
        doc.report((), "FILE-TOO-LARGE", f"the file has {len(raw)} bytes, the limit is {MAX_BYTES}")
        return doc
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        doc.problems.append(
            Problem(file, line, 1, "NOT-UTF8", f"byte {exc.start} is not UTF-8", "save the file as UTF-8")
        )
        return doc
    node, shifts = _compose(text, doc)
    if node is not None:
        _Converter(doc, shifts).start(node)
    return doc


def _compose(text: str, doc: Document) -> tuple[yaml.Node | None, dict[int, list[int]]]:
    try:
        return yaml.compose(text, Loader=yaml.CSafeLoader), {}
    except (yaml.YAMLError, RecursionError, ValueError) as exc:
        mended, shifts = _quote_bare_in(text)
        if shifts:
            try:
                return yaml.compose(mended, Loader=yaml.CSafeLoader), shifts
            except (yaml.YAMLError, RecursionError, ValueError):
                pass  # the first error is the one that names the person's own text
        _report_syntax(exc, doc)
    return None, {}


def _quote_bare_in(text: str) -> tuple[str, dict[int, list[int]]]:
    lines = text.split("\n")
    shifts: dict[int, list[int]] = {}
    for number, line in enumerate(lines):
        if " in " not in line:
            continue
        spots = [m.span(1) for m in _BARE_IN.finditer(line)]
        if spots:
            shifts[number] = [edge for span in spots for edge in span]
            lines[number] = _BARE_IN.sub(r"'\1'", line)
    return "\n".join(lines), shifts


def _report_syntax(exc: Exception, doc: Document) -> None:
    at = getattr(exc, "problem_mark", None)
    line, column = (at.line + 1, at.column + 1) if at is not None else (1, 1)
    what = getattr(exc, "problem", None) or getattr(exc, "reason", None) or "cannot be read"
    hint = "quote values that contain : # [ ] { } or start with * & ! % @"
    if "tab" in str(what):
        hint = "indent with spaces, not tabs"
    doc.problems.append(Problem(doc.file, line, column, "YAML-SYNTAX", f"this is not valid YAML: {what}", hint))


class _Converter:
    """Turns nodes into values, keeping marks."""

    def __init__(self, doc: Document, shifts: dict[int, list[int]]) -> None:
        self._doc = doc
        self._shifts = shifts
        self._seen: set[int] = set()

    def start(self, node: yaml.Node) -> None:
        self._doc.value = self._value(node, ())

    def _mark(self, node: yaml.Node) -> Mark:
        line, column = node.start_mark.line, node.start_mark.column
        edges = self._shifts.get(line, ())
        added = sum(1 for order, edge in enumerate(edges) if edge + order < column)
        return Mark(line + 1, column - added + 1)

    def _value(self, node: yaml.Node, path: Path) -> object:
        self._doc.values[path] = self._mark(node)
        if id(node) in self._seen:
            self._doc.report(
                path, "YAML-ALIAS", "anchors and aliases are not used in policies", hint="write the value out"
            )
            return None
        self._seen.add(id(node))
        if len(self._seen) > MAX_NODES or len(path) > MAX_DEPTH:
            self._doc.report(path, "YAML-TOO-DEEP", f"more than {MAX_DEPTH} levels or {MAX_NODES} values")
            return None
        if node.tag not in _PLAIN_TAGS:
            self._doc.report(
                path, "YAML-TAG", f"tags such as {node.tag[:60]!r} are not used in policies", hint="remove it"
            )
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(child, (*path, n)) for n, child in enumerate(node.value)]
        return self._scalar(node, path) if isinstance(node, yaml.ScalarNode) else None

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, object]:
        made: dict[str, object] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag not in _PLAIN_TAGS:
                at = self._mark(key_node)
                self._doc.problems.append(
                    Problem(self._doc.file, at.line, at.column, "YAML-KEY", "a key must be plain text")
                )
                continue
            key = str(key_node.value)
            here = (*path, key)
            if key in made:
                at = self._mark(key_node)
                first = self._doc.keys[here].line
                self._doc.problems.append(
                    Problem(
                        self._doc.file,
                        at.line,
                        at.column,
                        "DUPLICATE-KEY",
                        f"{key[:80]!r} is already set on line {first}",
                    )
                )
                continue
            self._doc.keys[here] = self._mark(key_node)
            made[key] = self._value(value_node, here)
        return made

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> object:
        text = str(node.value)
        if node.style in ("'", '"', "|", ">"):
            return text
        if text in ("", "~", "null"):
            return None
        if text in ("true", "false"):
            return text == "true"
        number = _NUMBER.fullmatch(text)
        if number:
            whole = number["fraction"] is None and number["exponent"] is None
            return int(text) if whole else float(text)
        name = str(path[-1]).rpartition(".")[2] if path else ""
        if _AMBIGUOUS.fullmatch(text) and _PLAIN_WORDS.get(name) != text:
            self._doc.report(
                path,
                "AMBIGUOUS-VALUE",
                f"{text[:40]!r} means different things to different readers",
                hint=f'write true, false or a plain number, or quote it: "{text[:40]}"',
            )
            return text
        return text
