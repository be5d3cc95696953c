"""The other sides of `weir bench policy`: the same rules in cel-cpp and in simpleeval, where those are installed.

Both must find what the rules by hand find, or the figures mean nothing. They are in the extra `dev`.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, Final

from policies.engine.signals import SignalSet, SignalSpec

CEL_SECONDS: Final = 1.0
SIMPLEEVAL_EVENTS: Final = 3
LEAST_PASS_S: Final = 0.002
_CEL_TYPES: Final = {"float": "DOUBLE", "str": "STRING", "bool": "BOOL"}

Find = Callable[[SignalSet], list[int]]
"""Which rules an event hits, by number."""


def cel_us(
    rules: Sequence[str], specs: Sequence[SignalSpec], events: Sequence[SignalSet], found: Sequence[list[int]]
) -> float | None:
    """Microseconds an event in cel-cpp, typed and compiled once, with one activation an event; None without it.

    A missing signal is an unset variable, whose error CEL's `&&` and `||` absorb as we do unknown. What stays an
    error is truthy, so a hit is what is `true` itself.
    """
    if find_spec("cel_expr_python") is None:
        return None
    cel: Any = importlib.import_module("cel_expr_python.cel")
    environment = cel.NewEnv(variables={s.name: getattr(cel.Type, _CEL_TYPES[s.type]) for s in specs})
    programs = [environment.compile(rule) for rule in rules]

    def find(event: SignalSet) -> list[int]:
        values: Mapping[str, object] = event.values
        activation = environment.Activation(values)
        return [n for n, program in enumerate(programs) if program.eval(activation).value() is True]

    return _timed(find, events, found, seconds=CEL_SECONDS)


def simpleeval_us(rules: Sequence[str], events: Sequence[SignalSet], found: Sequence[list[int]]) -> float | None:
    """Microseconds an event in simpleeval, parsed once; None without it. Some milliseconds: a few events do."""
    if find_spec("simpleeval") is None:
        return None
    evaluator: Any = importlib.import_module("simpleeval").EvalWithCompoundTypes()
    trees = [evaluator.parse(rule.replace(" is True", " == True")) for rule in rules]

    def find(event: SignalSet) -> list[int]:
        evaluator.names = {"s": event.values}
        return [n for n, tree in enumerate(trees) if evaluator.eval("", previously_parsed=tree)]

    return _timed(find, events[:SIMPLEEVAL_EVENTS], found, seconds=0.0)


def _timed(find: Find, events: Sequence[SignalSet], found: Sequence[list[int]], *, seconds: float) -> float:
    """The best pass's CPU microseconds an event, until that much time was spent."""
    for event, wanted in zip(events, found, strict=False):
        if find(event) != wanted:
            raise RuntimeError("the rules in another language and those by hand disagree")
    rounds, best, spent = 1, float("inf"), 0.0
    while best == float("inf") or spent < seconds:
        started = time.thread_time()
        for _ in range(rounds):
            for event in events:
                find(event)
        passed = time.thread_time() - started
        if passed < LEAST_PASS_S:  # some machines' CPU clocks stand still for milliseconds
            rounds *= 2
            continue
        best, spent = min(best, passed / (rounds * len(events))), spent + passed
    return round(best * 1e6, 1)
