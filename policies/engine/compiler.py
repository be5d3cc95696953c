"""All conditions of a bundle → one generated Python function. Built as a syntax tree, checked node by node.

The function takes two getters and the thresholds and returns the indexes of the conditions that hold. It is plain
two-valued logic over native comparisons. Three truth values come from calling it twice (Kleene's strong logic):
once with every broken signal standing for "no", once standing for "yes"; `pos` is read by leaves under an even number
of `not`s, `neg` by the others, so that "no" always means the answer that makes the condition less true. What holds
both times is true, what holds only the second time is unknown.

A signal that is absent reads as NaN, with which every comparison but `!=` is false (`!=` is guarded).

No text of a policy is ever parsed as Python: names become numbered variables, values become constants.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import CodeType
from typing import Final, cast

from policies.engine.conditions import walk
from policies.engine.leaves import All, Any, Condition, Leaf, Not, Threshold
from policies.engine.signals import SignalType

Getter = Callable[[str, object], object]
Decide = Callable[[Getter, Getter, tuple[float, ...]], list[int]]

NAN: Final = float("nan")
NOTHING: Final[tuple[str, ...]] = ()


class Always:
    """Stands for a broken signal when the most is assumed: every comparison with it holds."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]  # never a key

    def __eq__(self, other: object) -> bool:
        """True."""
        return True

    def __ne__(self, other: object) -> bool:
        """True as well: this is not a value, it is any value."""
        return True

    def __lt__(self, other: object) -> bool:
        """True."""
        return True

    __le__ = __gt__ = __ge__ = __lt__


ALWAYS: Final = Always()

#: Every kind of node that generated code may consist of.
_ALLOWED: Final = (
    ast.Module, ast.FunctionDef, ast.arguments, ast.arg, ast.Assign, ast.Expr, ast.If, ast.Return, ast.Name, ast.Load,
    ast.Store, ast.Tuple, ast.List, ast.Constant, ast.Compare, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not,
    ast.BinOp, ast.Add, ast.IfExp, ast.Call, ast.Attribute, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE,
    ast.In, ast.Is,
)  # fmt: skip
_ATTRIBUTES: Final = frozenset({"append", "isdisjoint"})

_OPS: Final[Mapping[str, type[ast.cmpop]]] = {
    "==": ast.Eq, "<": ast.Lt, "<=": ast.LtE, ">": ast.Gt, ">=": ast.GtE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Program:
    """The compiled conditions and what they read."""

    decide: Decide
    signals: frozenset[str]
    thresholds: tuple[str, ...]  # in the order in which `decide` takes them
    tree: ast.Module = field(compare=False)

    def source(self) -> str:
        """The generated function as text, for people."""
        return ast.unparse(self.tree)


def compile_conditions(conditions: Sequence[Condition], types: Mapping[str, SignalType]) -> Program:
    """One function for all of the conditions; `types` says what each signal is."""
    maker = _Maker(types)
    tree = maker.module(conditions)
    code = _checked(tree)
    scope: dict[str, object] = {"__builtins__": {}, "NAN": NAN, "NOTHING": NOTHING, "ALWAYS": ALWAYS, **maker.constants}
    exec(code, scope)  # noqa: S102  # the tree was built here and checked node by node
    decide = cast("Decide", scope["decide"])
    return Program(decide, frozenset(maker.signals), tuple(maker.thresholds), tree)


def _checked(tree: ast.Module) -> CodeType:
    for node in ast.walk(tree):
        if not isinstance(node, _ALLOWED):
            raise TypeError(f"generated code holds a {type(node).__name__}: this is a bug of the compiler")
        if isinstance(node, ast.Attribute) and node.attr not in _ATTRIBUTES:
            raise TypeError(f"generated code reads the attribute {node.attr!r}: this is a bug of the compiler")
    return compile(ast.fix_missing_locations(tree), "<policy bundle>", "exec")


def _name(text: str) -> ast.Name:
    return ast.Name(text, ast.Load())


def _set(text: str, value: ast.expr) -> ast.Assign:
    return ast.Assign([ast.Name(text, ast.Store())], value)


class _Maker:
    """Builds the module's tree."""

    def __init__(self, types: Mapping[str, SignalType]) -> None:
        self.types = types
        self.signals: dict[str, int] = {}
        self.thresholds: dict[str, int] = {}
        self.constants: dict[str, object] = {}
        self._constant_names: dict[object, str] = {}
        self._reads: dict[tuple[str, bool], None] = {}  # (signal, negated), in order of first use
        self._shared: dict[tuple[Leaf, bool], str] = {}

    def module(self, conditions: Sequence[Condition]) -> ast.Module:
        uses = Counter(site for condition in conditions for site in walk(condition))
        for n, site in enumerate(s for s, count in uses.items() if count > 1):
            self._shared[site] = f"l{n}"
        shared = [_set(name, self._comparison(leaf, negated=negated)) for (leaf, negated), name in self._shared.items()]
        tests = [self._test(condition, n) for n, condition in enumerate(conditions)]
        body: list[ast.stmt] = [*self._prologue(), *shared, *tests, ast.Return(_name("hits"))]
        arguments = ast.arguments([], [ast.arg("pos"), ast.arg("neg"), ast.arg("points")], None, [], [], None, [])
        function = ast.FunctionDef("decide", arguments, body, [])
        return ast.Module([function], [])

    def _prologue(self) -> list[ast.stmt]:
        made: list[ast.stmt] = []
        if self.thresholds:
            targets: list[ast.expr] = [ast.Name(f"t{n}", ast.Store()) for n in self.thresholds.values()]
            made.append(ast.Assign([ast.Tuple(targets, ast.Store())], _name("points")))
        for signal, negated in self._reads:
            missing = "NOTHING" if self.types[signal] == "strs" else "NAN"
            getter = _name("neg" if negated else "pos")
            made.append(
                _set(
                    self._variable(signal, negated=negated),
                    ast.Call(getter, [ast.Constant(signal), _name(missing)], []),
                )
            )
        made.append(_set("hits", ast.List([], ast.Load())))
        made.append(_set("add", ast.Attribute(_name("hits"), "append", ast.Load())))
        return made

    def _test(self, condition: Condition, number: int) -> ast.stmt:
        call = ast.Expr(ast.Call(_name("add"), [ast.Constant(number)], []))
        return ast.If(self._expression(condition, negated=False), [call], [])

    def _expression(self, condition: Condition, *, negated: bool) -> ast.expr:
        if isinstance(condition, Leaf):
            shared = self._shared.get((condition, negated))
            return _name(shared) if shared else self._comparison(condition, negated=negated)
        if isinstance(condition, Not):
            return ast.UnaryOp(ast.Not(), self._expression(condition.child, negated=not negated))
        if isinstance(condition, (All, Any)):
            parts = [self._expression(child, negated=negated) for child in condition.children]
            return (
                parts[0]
                if len(parts) == 1
                else ast.BoolOp(ast.And() if isinstance(condition, All) else ast.Or(), parts)
            )
        total: ast.expr | None = None
        for weight, child in condition.items:
            term: ast.expr = ast.IfExp(self._expression(child, negated=negated), ast.Constant(weight), ast.Constant(0))
            total = term if total is None else ast.BinOp(total, ast.Add(), term)
        return ast.Compare(total or ast.Constant(0), [ast.GtE()], [ast.Constant(condition.at_least)])

    def _comparison(self, leaf: Leaf, *, negated: bool) -> ast.expr:
        name = self._read(leaf.signal, negated=negated)
        if leaf.op == "in":
            values = self._constant(frozenset(leaf.value) if isinstance(leaf.value, tuple) else leaf.value)
            if self.types[leaf.signal] == "strs":
                apart = ast.Call(ast.Attribute(_name(values), "isdisjoint", ast.Load()), [_name(name)], [])
                inside: ast.expr = ast.UnaryOp(ast.Not(), apart)
            else:
                inside = ast.Compare(_name(name), [ast.In()], [_name(values)])
            return ast.BoolOp(ast.Or(), [ast.Compare(_name(name), [ast.Is()], [_name("ALWAYS")]), inside])
        value = self._operand(leaf)
        if leaf.op == "!=":
            known = ast.Compare(_name(name), [ast.Eq()], [_name(name)])
            return ast.BoolOp(ast.And(), [known, ast.Compare(_name(name), [ast.NotEq()], [value])])
        return ast.Compare(_name(name), [_OPS[leaf.op]()], [value])

    def _operand(self, leaf: Leaf) -> ast.expr:
        if isinstance(leaf.value, Threshold):
            number = self.thresholds.setdefault(leaf.value.name, len(self.thresholds))
            return _name(f"t{number}")
        if isinstance(leaf.value, (bool, int, float)):
            return ast.Constant(leaf.value)
        return _name(self._constant(leaf.value))

    def _constant(self, value: object) -> str:
        name = self._constant_names.setdefault(value, f"c{len(self._constant_names)}")
        self.constants[name] = value
        return name

    def _read(self, signal: str, *, negated: bool) -> str:
        self._reads[signal, negated] = None
        return self._variable(signal, negated=negated)

    def _variable(self, signal: str, *, negated: bool) -> str:
        number = self.signals.setdefault(signal, len(self.signals))
        return f"n{number}" if negated else f"s{number}"
