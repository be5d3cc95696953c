"""A second oracle: the same random rules in CEL (cel-cpp), where the two languages mean the same.

`python -m ops.bench.policy_cel --evaluations 20000`. Coincides where every signal is present, for trees (CEL has no
weighted sums). The package is `cel-expr-python`, of the extra `dev`; without it this exits with 3.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import random
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from ops.bench.policy_agreement import THRESHOLDS, TYPES, compiled_truths, random_condition
from ops.exits import MISSING
from policies.engine.compiler import compile_conditions
from policies.engine.leaves import All, Condition, Leaf, Not, Points, Threshold
from policies.engine.signals import SignalSet, SignalValue

NAMES: Final = {signal: f"v{n}" for n, signal in enumerate(TYPES)}
_CEL_TYPES: Final = {"float": "DOUBLE", "int": "DOUBLE", "str": "STRING", "bool": "BOOL"}


@dataclass
class CelAgreement:
    """What came out."""

    name: str = "policy-cel"
    evaluations: int = 0
    disagreements: int = 0
    true_share: float = 0.0
    cel_us: float = 0.0  # microseconds for one rule in CEL
    examples: list[str] = field(default_factory=list)


def to_cel(condition: Condition) -> str:
    """The condition in CEL."""
    if isinstance(condition, Leaf):
        return _leaf(condition)
    if isinstance(condition, Not):
        return f"!({to_cel(condition.child)})"
    if isinstance(condition, Points):
        raise TypeError("CEL has no weighted sums")
    join = " && " if isinstance(condition, All) else " || "
    return "(" + join.join(to_cel(child) for child in condition.children) + ")"


def _leaf(leaf: Leaf) -> str:
    name = NAMES[leaf.signal]
    value = THRESHOLDS[leaf.value.name] if isinstance(leaf.value, Threshold) else leaf.value
    if leaf.op == "in" and isinstance(value, tuple):
        items = ", ".join(_literal(v) for v in value)
        if TYPES[leaf.signal] == "strs":
            return f"{name}.exists(w, w in [{items}])"
        return f"({name} in [{items}])"
    return f"({name} {leaf.op} {_literal(value)})"


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(float(value))  # all numbers travel as doubles, as they compare in Weir
    return json.dumps(value, ensure_ascii=False)


def full_signals(dice: random.Random) -> SignalSet:
    """Signals with nothing missing and no NaN."""
    words = ("news", "bot", "person", "", "ß", "nan")
    values: dict[str, SignalValue] = {}
    for name, kind in TYPES.items():
        if kind == "float":
            values[name] = dice.choice((0.0, 0.5, 1.0, dice.random(), dice.choice(list(THRESHOLDS.values()))))
        elif kind == "int":
            values[name] = dice.randrange(5)
        elif kind == "bool":
            values[name] = dice.random() < 0.5
        else:
            values[name] = dice.choice(words) if kind == "str" else tuple(dice.sample(words, dice.randint(0, 3)))
    return SignalSet(values)


def measure(evaluations: int, seed: int) -> CelAgreement:
    """Compare until that many rules were evaluated."""
    cel: Any = importlib.import_module("cel_expr_python.cel")
    dice = random.Random(seed)  # noqa: S311  # a seeded bench, no secret
    words = cel.Type.List(cel.Type.STRING)
    kinds = {name: getattr(cel.Type, _CEL_TYPES[k]) if k in _CEL_TYPES else words for name, k in TYPES.items()}
    environment = cel.NewEnv(variables={NAMES[name]: kind for name, kind in kinds.items()})
    made = CelAgreement()
    spent = 0.0
    held = 0
    while made.evaluations < evaluations:
        rules = [random_condition(dice) for _ in range(20)]
        program = compile_conditions(rules, TYPES)
        in_cel = [environment.compile(to_cel(rule)) for rule in rules]
        for _ in range(20):
            signals = full_signals(dice)
            ours = compiled_truths(program, len(rules), signals)
            activation = environment.Activation({NAMES[n]: _plain(v) for n, v in signals.values.items()})
            started = time.thread_time()
            theirs = [one.eval(activation).value() for one in in_cel]
            spent += time.thread_time() - started
            held += theirs.count(True)
            made.evaluations += len(rules)
            for rule, a, b in zip(rules, ours, theirs, strict=True):
                if a is not b:
                    made.disagreements += 1
                    if len(made.examples) < 5:
                        made.examples.append(f"{to_cel(rule)}: ours {a}, CEL {b}")
    made.true_share = round(held / made.evaluations, 3)
    made.cel_us = round(spent / made.evaluations * 1e6, 1)
    return made


def _plain(value: SignalValue) -> object:
    if isinstance(value, (bool, str)):
        return value
    return list(value) if isinstance(value, tuple) else float(value)


def main() -> int:
    """Run from the command line; 1 when anything disagrees, 3 without cel-expr-python."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--evaluations", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if importlib.util.find_spec("cel_expr_python") is None:
        print("cel-expr-python is not installed: pip install weir[dev]", file=sys.stderr)
        return MISSING
    made = measure(given.evaluations, given.seed)
    print(json.dumps(asdict(made)))
    return 1 if made.disagreements else 0


if __name__ == "__main__":
    sys.exit(main())
