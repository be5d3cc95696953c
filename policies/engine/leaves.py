"""The condition tree and the one-comparison grammar of its leaves.

`signal op value`, nothing else: no arithmetic, calls or attributes, so there is nothing to escape from. Parsing only;
meaning (does the signal exist, is it a number) is `checks`, truth is `compiler` and `reference`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final, Literal

Op = Literal["==", "!=", "<", "<=", ">", ">=", "in"]
Literal_ = bool | int | float | str | tuple[str, ...] | tuple[float, ...]

MAX_LEAF_CHARS: Final = 400

SIGNAL_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_\-]*(?:\.[A-Za-z0-9_][A-Za-z0-9_\-]*)*")
_LEAF = re.compile(
    rf"\s*(?P<signal>{SIGNAL_NAME.pattern})\s*(?P<op>==|!=|<=|>=|<|>|=|\bnot\s+in\b|\bin\b)\s*(?P<value>\S.*?)\s*",
    re.DOTALL,
)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?(?:[eE][-+]?[0-9]{1,2})?")
_ITEM = re.compile(r'\s*("(?:[^"\\]|\\.)*"|\'[^\'\\]*\'|-?[0-9][0-9.eE+\-]*)\s*(,|$)')


@dataclass(frozen=True, slots=True)
class Threshold:
    """A named operating point: `threshold.hate.mid`."""

    name: str


@dataclass(frozen=True, slots=True)
class Leaf:
    """One comparison."""

    signal: str
    op: Op
    value: Literal_ | Threshold

    def __str__(self) -> str:
        """As a person would write it."""
        return f"{self.signal} {self.op} {format_value(self.value)}"


@dataclass(frozen=True, slots=True)
class All:
    """True when every child is."""

    children: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Any:
    """True when a child is."""

    children: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True when the child is false."""

    child: Condition


@dataclass(frozen=True, slots=True)
class Points:
    """True when the weights of the true items reach `at_least`."""

    items: tuple[tuple[float, Condition], ...]
    at_least: float


Condition = Leaf | All | Any | Not | Points


class LeafSyntaxError(ValueError):
    """A leaf that is not `signal op value`; `hint` says how to write it."""

    def __init__(self, message: str, hint: str = "") -> None:
        """Keep the hint apart from the message."""
        super().__init__(message)
        self.hint = hint


def parse_leaf(text: str) -> Leaf:
    """The comparison in `text`; LeafSyntaxError otherwise. Linear time."""
    if len(text) > MAX_LEAF_CHARS:
        raise LeafSyntaxError(f"a comparison has at most {MAX_LEAF_CHARS} characters, this one has {len(text)}")
    found = _LEAF.fullmatch(text)
    if found is None:
        raise LeafSyntaxError(f"{_short(text)} is not a comparison", _shape_hint(text))
    op = found["op"]
    if op == "=":
        raise LeafSyntaxError("'=' does not compare", "write ==")
    if op.startswith("not"):
        raise LeafSyntaxError("'not in' is not an operator", f"write not: '{found['signal']} in {found['value'][:60]}'")
    return Leaf(found["signal"], _op(op), _value(found["value"], op=op))


def _op(text: str) -> Op:
    ops: dict[str, Op] = {"==": "==", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">=", "in": "in"}
    return ops[text]


def _value(text: str, *, op: str) -> Literal_ | Threshold:
    if op == "in":
        return _list(text)
    if text in ("true", "false"):
        return text == "true"
    if text.startswith("threshold.") and SIGNAL_NAME.fullmatch(text):
        return Threshold(text.removeprefix("threshold."))
    if _NUMBER.fullmatch(text):
        return _number(text)
    quoted = _ITEM.fullmatch(text)
    if quoted and not quoted[2] and quoted[1][0] in "\"'":
        return _string(quoted[1])
    raise LeafSyntaxError(f"{_short(text)} is not a value to compare with", _value_hint(text))


def _list(text: str) -> tuple[str, ...] | tuple[float, ...]:
    if not (text.startswith("[") and text.endswith("]")):
        raise LeafSyntaxError("'in' needs a list", f'write in ["{text[:40].strip("()")}"]')
    inner = text[1:-1].strip()
    words: list[str] = []
    numbers: list[float] = []
    at = 0
    while at < len(inner):
        item = _ITEM.match(inner, at)
        if item is None:
            raise LeafSyntaxError(f"{_short(inner[at:])} is not a list item", 'quote words: ["news", "satire"]')
        if item[1][0] in "\"'":
            words.append(_string(item[1]))
        elif _NUMBER.fullmatch(item[1]):
            numbers.append(_number(item[1]))
        else:
            raise LeafSyntaxError(f"{_short(item[1])} is not a number")
        at = item.end()
    if words and numbers:
        raise LeafSyntaxError("a list holds words or numbers, not both")
    if not words and not numbers:
        raise LeafSyntaxError("the list is empty, so this can never be true")
    return tuple(words) if words else tuple(numbers)


def _number(text: str) -> float:
    return float(text) if any(c in text for c in ".eE") else int(text)


def _string(quoted: str) -> str:
    if quoted[0] == "'":
        return quoted[1:-1]
    try:
        return str(json.loads(quoted, strict=False))
    except ValueError as exc:
        raise LeafSyntaxError(f"{_short(quoted)} is not a quoted word") from exc


def format_value(value: Literal_ | Threshold) -> str:
    """`value` as it is written in a leaf."""
    if isinstance(value, Threshold):
        return f"threshold.{value.name}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, tuple):
        return "[" + ", ".join(format_value(v) for v in value) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _shape_hint(text: str) -> str:
    bare = text.strip()
    if SIGNAL_NAME.fullmatch(bare):
        return f"write {bare} == true, or compare it with a number"
    if any(word in f" {bare} " for word in (" and ", " or ", "&&", "||")):
        return "one comparison a line; join them with all: or any:"
    if "(" in bare or "+" in bare:
        return "no calls or arithmetic; write signal op value, or use points:"
    return "write signal op value, for example score.hate >= threshold.hate.mid"


def _value_hint(text: str) -> str:
    if text in ("True", "False"):
        return f"write {text.lower()}"
    if any(f" {word} " in f" {text} " for word in ("and", "or", "&&", "||")):
        return "one comparison a line; join them with all: or any:"
    if text.startswith("thresholds."):
        return f"write {text.replace('thresholds.', 'threshold.', 1)}"
    if SIGNAL_NAME.fullmatch(text):
        return f'quote words: "{text}"'
    return 'a number, true, false, a quoted word, threshold.<name>.<point>, or in ["a", "b"]'
