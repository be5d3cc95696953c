"""What deciding costs: 500 rules of 5 comparisons, compiled by us, beside the same rules by hand in Python.

`weir bench policy --json`, or `python -m ops.bench.policy`. One thread. Both sides see the same events: four in five
signals present, a hit now and then. By hand means one Python function a rule, as an engineer would write it, with
`.get` for what may be missing and two truth values; ours keeps three, and ends with the list of findings (`judge`) or
with the whole verdict and its evidence (`evaluate`). cel-cpp (the package `cel-expr-python`) and simpleeval join when
they are installed, as they are with the extra `dev`; their side is `ops.bench.policy_others`.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from ops.bench.policy_others import cel_us, simpleeval_us
from policies import MODEL_SIGNALS, PolicyBundle, evaluate, load_files
from policies.engine.judgement import judge
from policies.engine.signals import Catalogue, MissingSignal, SignalSet, SignalSpec, SignalStatus, SignalValue
from policies.engine.subject import Subject

RULES: Final = 500
LEAVES: Final = 5
NUMBERS: Final = 60  # distinct number signals, 20 of words, 20 of true and false
EVENTS: Final = 200
SECONDS: Final = 1.0
ROUNDS: Final = 5

SPECS: Final = (
    *(SignalSpec(f"bench.n{n}", "float", "a number", "bench", 0.0, 1.0) for n in range(NUMBERS)),
    *(SignalSpec(f"bench.w{n}", "str", "a word", "bench") for n in range(20)),
    *(SignalSpec(f"bench.b{n}", "bool", "true or false", "bench") for n in range(20)),
)


@dataclass
class PolicyBench:
    """The figures; microseconds an event."""

    name: str = "policy"
    ratio: float = 0.0  # by hand / ours: above 1 we are quicker
    ours: float = 0.0  # judge: every rule's finding
    reference: float = 0.0  # the same rules by hand
    unit: str = "us/event"
    rules: int = RULES
    comparisons: int = RULES * LEAVES
    decide_us: float = 0.0  # the generated function alone
    evaluate_us: float = 0.0  # to the finished verdict
    broken_us: float = 0.0  # judge, while a detector is down: three truth values
    cel_us: float | None = None  # cel-cpp; None: not installed
    simpleeval_us: float | None = None
    hits_per_event: float = 0.0
    goal_us: float = 40.0
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Leaf:
    """One comparison, in YAML's words (which are CEL's, too) and in Python's."""

    yaml: str
    python: str
    holds: float  # about how often


def _leaf(dice: random.Random) -> _Leaf:
    kind = dice.random()
    if kind < 0.7:
        name, number = f"bench.n{dice.randrange(NUMBERS)}", round(dice.uniform(0.4, 0.95), 2)
        return _Leaf(f"{name} >= {number}", f's.get("{name}", 0.0) >= {number}', 1 - number)
    if kind < 0.85:
        name, word = f"bench.w{dice.randrange(20)}", dice.choice("abcdefgh")
        return _Leaf(f'{name} == "{word}"', f's.get("{name}") == "{word}"', 1 / 8)
    name = f"bench.b{dice.randrange(20)}"
    return _Leaf(f"{name} == true", f's.get("{name}") is True', 0.5)


def make_rules(count: int, seed: int) -> tuple[bytes, str, list[str], list[str]]:
    """The rules as a policy file, as Python source, and as expressions of Python and of CEL."""
    dice = random.Random(seed)  # noqa: S311  # a seeded bench, no secret
    lines = ["policy: bench", 'version: "1"', "owner: bench", "rules:"]
    source: list[str] = []
    in_python: list[str] = []
    in_cel: list[str] = []
    for n in range(count):
        leaves = [_leaf(dice) for _ in range(LEAVES)]
        head, tail = leaves[:3], leaves[3:]
        tree = ", ".join(f"'{leaf.yaml}'" for leaf in head)
        inner = ", ".join(f"'{leaf.yaml}'" for leaf in tail)
        lines += [
            f"  - id: bench.r{n}",
            f"    title: rule {n}",
            "    category: hate",
            f"    severity: {n % 8}",
            "    mode: enforce",
            f"    when: {{all: [{tree}, {{any: [{inner}]}}]}}",
            "    then: {action: label, reason: BENCH}",
        ]
        test = " and ".join(leaf.python for leaf in head) + f" and ({' or '.join(leaf.python for leaf in tail)})"
        source.append(f"def r{n}(s):\n    return {test}\n")
        in_python.append(test)
        in_cel.append(" && ".join(leaf.yaml for leaf in head) + f" && ({' || '.join(leaf.yaml for leaf in tail)})")
    source.append(f"RULES = [{', '.join(f'r{n}' for n in range(count))}]\n")
    return "\n".join(lines).encode(), "".join(source), in_python, in_cel


def make_events(count: int, seed: int) -> list[SignalSet]:
    """Events with four in five signals present."""
    dice = random.Random(seed)  # noqa: S311  # a seeded bench, no secret
    made: list[SignalSet] = []
    for _ in range(count):
        values: dict[str, SignalValue] = {}
        for spec in SPECS:
            if dice.random() < 0.8:
                values[spec.name] = (
                    dice.betavariate(1, 2)
                    if spec.type == "float"
                    else dice.choice("abcdefgh")
                    if spec.type == "str"
                    else dice.random() < 0.5
                )
        made.append(SignalSet(values))
    return made


def microseconds(work: Callable[[SignalSet], object], events: Sequence[SignalSet]) -> float:
    """The best round's CPU microseconds an event, so that a busy machine does not look slow."""
    best = float("inf")
    for _ in range(ROUNDS):
        done, started = 0, time.thread_time()
        while time.thread_time() - started < SECONDS / ROUNDS:
            for event in events:
                work(event)
            done += len(events)
        best = min(best, (time.thread_time() - started) / done)
    return round(best * 1e6, 2)


def run() -> PolicyBench:
    """Measure everything, one after the other, in this process."""
    policy, source, in_python, in_cel = make_rules(RULES, seed=5)
    bundle = load_files({"bench.yaml": policy}, Catalogue.of(MODEL_SIGNALS, SPECS))
    events = make_events(EVENTS, seed=6)
    subject = Subject("e", "c", surface="feed", locale="en", created_at=1_795_521_600.0, author_id="a")
    by_hand = _by_hand(source)
    made = PolicyBench()
    made.hits_per_event = round(sum(len(by_hand(e)) for e in events) / len(events), 2)
    _compare(bundle, subject, events, by_hand)
    points: tuple[float, ...] = ()
    made.reference = microseconds(by_hand, events)
    made.ours = microseconds(lambda e: judge(bundle, subject, e), events)
    made.decide_us = microseconds(lambda e: bundle.program.decide(e.values.get, e.values.get, points), events)
    made.evaluate_us = microseconds(lambda e: evaluate(bundle, subject, e), events)
    made.broken_us = microseconds(lambda e: judge(bundle, subject, e), [_broken(e) for e in events])
    found = [by_hand(e) for e in events]
    made.cel_us = cel_us(in_cel, SPECS, events, found)
    made.simpleeval_us = simpleeval_us(in_python, events, found)
    made.ratio = round(made.reference / made.ours, 3)
    for name, value in (("cel-expr-python", made.cel_us), ("simpleeval", made.simpleeval_us)):
        if value is None:
            made.notes.append(f"{name} is not installed")
    return made


def _by_hand(source: str) -> Callable[[SignalSet], list[int]]:
    scope: dict[str, Any] = {}
    exec(compile(source, "<by hand>", "exec"), scope)  # noqa: S102  # our own text, made above
    rules = scope["RULES"]

    def work(event: SignalSet) -> list[int]:
        values = event.values
        return [n for n, rule in enumerate(rules) if rule(values)]

    return work


def _compare(
    bundle: PolicyBundle, subject: Subject, events: Sequence[SignalSet], by_hand: Callable[[SignalSet], list[int]]
) -> None:
    """Both sides must find the same rules, or the figures mean nothing."""
    for event in events:
        ours = {f.rule.id for f in judge(bundle, subject, event).findings}
        if ours != {f"bench.r{n}" for n in by_hand(event)}:
            raise RuntimeError("the compiled rules and those by hand disagree")


def _broken(event: SignalSet) -> SignalSet:
    """The event while a detector with five signals is down."""
    names = [f"bench.n{n}" for n in range(5)]
    gone = MissingSignal(SignalStatus.FAILED, "down")
    return SignalSet({n: v for n, v in event.values.items() if n not in names}, dict.fromkeys(names, gone))


def main() -> int:
    """Run from the command line; 1 when the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    made = run()
    if given.json:
        print(json.dumps(asdict(made)))
    else:
        print(
            f"{made.rules} rules of {LEAVES} comparisons, {made.hits_per_event} hits an event, microseconds an event:"
        )
        print(f"  judge {made.ours}   (generated function {made.decide_us}, whole verdict {made.evaluate_us},")
        print(f"  a detector down {made.broken_us})   by hand {made.reference}   ratio {made.ratio}")
        print(f"  cel-cpp {made.cel_us}   simpleeval {made.simpleeval_us}")
    return 0 if made.ours <= made.goal_us else 1


if __name__ == "__main__":
    sys.exit(main())
