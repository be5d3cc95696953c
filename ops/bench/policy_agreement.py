"""Random rules on random signals: the compiled program must answer as the slow reference evaluator does.

`python -m ops.bench.policy_agreement --evaluations 1000000 --seed 1 --json`. A quarter of the signals is missing, in
every way there is. Seeded: the same seed gives the same rules and signals.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Final

from rich.console import Console
from rich.progress import Progress

from policies.engine.compiler import ALWAYS, Program, compile_conditions
from policies.engine.leaves import All, Any, Condition, Leaf, Not, Op, Points, Threshold
from policies.engine.reference import Truth, truth
from policies.engine.signals import BROKEN, MissingSignal, SignalSet, SignalStatus, SignalType, SignalValue

TYPES: Final[dict[str, SignalType]] = {
    **{f"score.{n}": "float" for n in range(8)},
    **{f"count.{n}": "int" for n in range(5)},
    **{f"flag.{n}": "bool" for n in range(4)},
    **{f"word.{n}": "str" for n in range(4)},
    **{f"words.{n}": "strs" for n in range(3)},
}
THRESHOLDS: Final = {f"p/t.{n}": n / 6 for n in range(6)}
WORDS: Final = ("news", "bot", "person", "", "ß", "nan")
MISSING: Final = 0.25
_ORDERED: Final[tuple[Op, ...]] = ("<", "<=", ">", ">=")
_EQUAL: Final[tuple[Op, ...]] = ("==", "!=")
_GONE: Final = tuple(MissingSignal(s, "random") for s in SignalStatus if s is not SignalStatus.OK)


@dataclass
class Agreement:
    """What came out."""

    name: str = "rules"
    ratio: float = 0.0  # the share that agrees
    ours: int = 0  # answers that agree
    reference: int = 0  # answers of the reference
    unit: str = "rule evaluations"
    evaluations: int = 0
    seed: int = 0
    disagreements: int = 0
    truths: dict[str, int] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)
    seconds: float = 0.0


def random_leaf(dice: random.Random) -> Leaf:
    """Any comparison that a checked policy may hold."""
    signal = dice.choice(list(TYPES))
    kind = TYPES[signal]
    if kind == "float":
        value = Threshold(dice.choice(list(THRESHOLDS))) if dice.random() < 0.5 else dice.choice((0.0, 0.5, 1.0))
        return Leaf(signal, dice.choice(_ORDERED), value)
    if kind == "int":
        if dice.random() < 0.2:
            return Leaf(signal, "in", tuple(float(n) for n in dice.sample(range(5), 2)))
        return Leaf(signal, dice.choice(_ORDERED + _EQUAL), dice.randrange(4))
    if kind == "bool":
        return Leaf(signal, dice.choice(_EQUAL), dice.random() < 0.5)
    if kind == "strs" or dice.random() < 0.5:
        return Leaf(signal, "in", tuple(dice.sample(WORDS, dice.randint(1, 3))))
    return Leaf(signal, dice.choice(_EQUAL), dice.choice(WORDS))


def random_condition(dice: random.Random, depth: int = 3) -> Condition:
    """Any tree that a checked policy may hold; points stand at the top only."""
    kind = dice.random()
    if depth == 0 or kind < 0.25:
        return random_leaf(dice)
    if kind < 0.45:
        return Not(random_condition(dice, depth - 1))
    children = tuple(random_condition(dice, depth - 1) for _ in range(dice.randint(1, 4)))
    return All(children) if kind < 0.75 else Any(children)


def random_rule(dice: random.Random) -> Condition:
    """A tree, or one time in five a weighted sum."""
    if dice.random() < 0.8:
        return random_condition(dice)
    items = tuple((float(dice.randint(1, 4)), random_condition(dice, 1)) for _ in range(dice.randint(2, 6)))
    return Points(items, float(dice.randint(1, 9)))


def random_signals(dice: random.Random) -> SignalSet:
    """A value or a reason for every signal; some are not mentioned at all."""
    made = SignalSet()
    for name, kind in TYPES.items():
        if dice.random() < MISSING:
            if dice.random() < 0.9:
                made.missing[name] = dice.choice(_GONE)
            continue
        made.values[name] = _random_value(dice, kind)
    return made


def _random_value(dice: random.Random, kind: SignalType) -> SignalValue:
    if kind == "float":
        return dice.choice((0.0, 0.5, 1.0, float("nan"), dice.random(), dice.choice(list(THRESHOLDS.values()))))
    if kind == "int":
        return dice.randrange(5)
    if kind == "bool":
        return dice.random() < 0.5
    if kind == "str":
        return dice.choice(WORDS)
    return tuple(dice.sample(WORDS, dice.randint(0, 3)))


def compiled_truths(program: Program, count: int, signals: SignalSet) -> list[Truth]:
    """What the compiled program says of each of its conditions."""
    points = tuple(THRESHOLDS[t] for t in program.thresholds)
    broken = {n for n, gone in signals.missing.items() if gone.status in BROKEN}
    no: dict[str, object] = dict(signals.values)
    yes: dict[str, object] = no | dict.fromkeys(broken, ALWAYS)
    sure = set(program.decide(no.get, yes.get, points))
    possible = set(program.decide(yes.get, no.get, points))
    return [True if n in sure else None if n in possible else False for n in range(count)]


def measure(evaluations: int, seed: int, *, progress: Progress | None = None) -> Agreement:
    """Compare until `evaluations` rule evaluations are done."""
    dice = random.Random(seed)  # noqa: S311  # a seeded bench, no secret
    made = Agreement(seed=seed)
    counts: Counter[str] = Counter()
    started = time.perf_counter()
    task = progress.add_task("rule evaluations", total=evaluations) if progress else None
    while made.evaluations < evaluations:
        rules = [random_rule(dice) for _ in range(100)]
        program = compile_conditions(rules, TYPES)
        for _ in range(50):
            signals = random_signals(dice)
            answers = compiled_truths(program, len(rules), signals)
            for rule, got in zip(rules, answers, strict=True):
                wanted = truth(rule, signals, THRESHOLDS)
                counts[str(wanted)] += 1
                if got is not wanted:
                    made.disagreements += 1
                    if len(made.examples) < 5:
                        made.examples.append(f"{rule}: compiled {got}, reference {wanted}, {signals}")
            made.evaluations += len(rules)
        if progress is not None and task is not None:
            progress.update(task, completed=made.evaluations)
    made.truths = dict(sorted(counts.items()))
    made.reference, made.ours = made.evaluations, made.evaluations - made.disagreements
    made.ratio = made.ours / made.reference
    made.seconds = round(time.perf_counter() - started, 1)
    return made


def main() -> int:
    """Run from the command line; 1 when anything disagrees."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--evaluations", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as progress:
        made = measure(given.evaluations, given.seed, progress=progress)
    print(json.dumps(asdict(made), indent=2 if not given.json else None))
    return 1 if made.disagreements else 0


if __name__ == "__main__":
    sys.exit(main())
