"""Compare two conditions by meaning: how their answers differ over all signals.

A truth only changes at the numbers and words that the conditions name, so it is enough to try one value on each side
of each: exact when the combinations are few, a seeded sample of them otherwise.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from math import prod
from typing import Final

from policies.engine.conditions import walk
from policies.engine.leaves import Condition, Threshold
from policies.engine.reference import truth
from policies.engine.signals import SignalSet, SignalSpec, SignalType, SignalValue

MAX_CASES: Final = 4_096


@dataclass(frozen=True, slots=True)
class Comparison:
    """In how many of the tried cases only the one, only the other, or both hold."""

    cases: int
    exact: bool  # every case there is was tried
    only_old: int
    only_new: int
    both: int

    @property
    def verdict(self) -> str:
        """Same | wider | narrower | different: the new condition beside the old one."""
        if not self.only_old and not self.only_new:
            return "same"
        if not self.only_old:
            return "wider"
        return "narrower" if not self.only_new else "different"


def compare_conditions(
    old: tuple[Condition, Mapping[str, float]],
    new: tuple[Condition, Mapping[str, float]],
    specs: Mapping[str, SignalSpec],
) -> Comparison:
    """How the new condition differs from the old one; each comes with its thresholds."""
    values = _values([old, new], specs)
    names = sorted(values)
    total = prod(len(values[name]) for name in names)
    exact = total <= MAX_CASES
    only_old = only_new = both = 0
    cases = 0
    for case in _every(values, names) if exact else _sample(values, names):
        signals = SignalSet({n: v for n, v in zip(names, case, strict=True) if v is not None})
        was = truth(old[0], signals, old[1]) is True
        is_ = truth(new[0], signals, new[1]) is True
        cases += 1
        only_old += was and not is_
        only_new += is_ and not was
        both += was and is_
    return Comparison(cases, exact, only_old, only_new, both)


def _every(
    values: Mapping[str, Sequence[SignalValue | None]], names: Sequence[str]
) -> Iterator[tuple[SignalValue | None, ...]]:
    yield from product(*(values[name] for name in names))


def _sample(
    values: Mapping[str, Sequence[SignalValue | None]], names: Sequence[str]
) -> Iterator[tuple[SignalValue | None, ...]]:
    dice = random.Random(0)  # noqa: S311  # a fixed sample: the same question gets the same answer
    for _ in range(MAX_CASES):
        yield tuple(dice.choice(values[name]) for name in names)


def _values(
    sides: Sequence[tuple[Condition, Mapping[str, float]]], specs: Mapping[str, SignalSpec]
) -> dict[str, list[SignalValue | None]]:
    """For each signal one value in every stretch on which nothing can change, and no value at all."""
    wanted: dict[str, set[object]] = {}
    for condition, thresholds in sides:
        for leaf, _ in walk(condition):
            value = thresholds[leaf.value.name] if isinstance(leaf.value, Threshold) else leaf.value
            named = wanted.setdefault(leaf.signal, set())
            named.update(value if isinstance(value, tuple) else (value,))
    return {
        name: [None, *_stretches(named, specs[name].type if name in specs else "float")]
        for name, named in wanted.items()
    }


def _stretches(named: set[object], kind: SignalType) -> list[SignalValue]:
    if kind == "bool":
        return [True, False]
    if kind in ("str", "strs"):
        words = [*sorted(str(w) for w in named), "\0other"]
        return [(w,) for w in words] if kind == "strs" else [*words]
    cuts = sorted({float(n) for n in named if isinstance(n, (int, float))})
    if kind == "int":
        return sorted({int(v) for c in cuts for v in (c - 1, c, c + 1)})
    between = [(a + b) / 2 for a, b in pairwise(cuts)]
    return sorted([cuts[0] - 0.01, *cuts, *between, cuts[-1] + 0.01]) if cuts else []
