"""Counters as values: what a policy may ask about earlier events. Declarations only; counting is the worker's.

Every counter is about *earlier* events and leaves out the one that is judged: a first post has 0 duplicates. A bundle
without `counters.yaml` has BUILT_IN.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from policies.engine.errors import Problem
from policies.engine.event_signals import EVENT_SIGNALS
from policies.engine.loader import Folder
from policies.engine.schema_counters import CounterFile
from policies.engine.signals import SignalSpec
from policies.engine.taxonomy import Action
from policies.engine.yaml_nodes import Document, Path

COUNTERS_OWNER: Final = "counters"

Count = Literal["events", "authors", "threads", "strikes"]
By = Literal["author", "text"]


@dataclass(frozen=True, slots=True)
class Counter:
    """One declared counter; `name` is its signal."""

    name: str
    description: str
    count: Count
    by: By
    window_s: float = 0.0  # 0 for strikes
    half_life_s: float = 0.0  # strikes only
    at_least: Action = Action.LIMIT  # strikes only


HOUR_S: Final = 3_600.0
DAY_S: Final = 86_400.0

BUILT_IN: Final[tuple[Counter, ...]] = (
    Counter("author.strikes", "recent matches of the author, fading", "strikes", "author", 0.0, 30 * DAY_S),
    Counter("velocity.author_10m", "earlier events of the author in ten minutes", "events", "author", 600.0),
    Counter("velocity.posts_1h", "earlier events of the author in an hour", "events", "author", HOUR_S),
    Counter("velocity.recipients_1h", "threads that the author wrote to in an hour", "threads", "author", HOUR_S),
    Counter("velocity.duplicates_1h", "earlier events with the same text in an hour", "events", "text", HOUR_S),
    Counter("velocity.copiers_1h", "authors who wrote the same text in an hour", "authors", "text", HOUR_S),
)  # fmt: skip


def read_counters(folder: Folder) -> tuple[tuple[Counter, ...], list[Problem]]:
    """The folder's counters and what is wrong with them."""
    written = folder.counters
    if written is None:
        return BUILT_IN, []
    made: dict[str, Counter] = {}
    for n, item in enumerate(written.file.counters):
        path: Path = ("counters", n)
        if item.counter in made:
            written.doc.report((*path, "counter"), "DUPLICATE-COUNTER", f"counter {item.counter!r} is there twice")
        elif item.counter in {spec.name for spec in EVENT_SIGNALS}:
            written.doc.report((*path, "counter"), "TAKEN-NAME", f"{item.counter!r} is a signal of the event itself")
        elif _fits(item, written.doc, path):
            made[item.counter] = _counter(item)
    problems, written.doc.problems = written.doc.problems, []
    return tuple(made[name] for name in sorted(made)), problems


def _fits(item: CounterFile, doc: Document, path: Path) -> bool:
    strikes = item.count == "strikes"
    wrong = ""
    if strikes and item.by != "author":
        wrong = "strikes are counted by author"
    elif strikes and (item.half_life_days is None or item.minutes is not None):
        wrong = "strikes need half_life_days and no minutes"
    elif not strikes and (item.minutes is None or item.half_life_days is not None or item.at_least is not None):
        wrong = f"{item.count} need minutes, and neither half_life_days nor at_least"
    elif (item.count, item.by) in {("authors", "author"), ("threads", "text")}:
        wrong = f"{item.count} by {item.by} is not counted"
    if wrong:
        doc.report(path, "BAD-COUNTER", f"{item.counter}: {wrong}")
    return not wrong


def _counter(item: CounterFile) -> Counter:
    return Counter(
        name=item.counter,
        description=item.description or f"{item.count} by {item.by}",
        count=item.count,
        by=item.by,
        window_s=(item.minutes or 0) * 60.0,
        half_life_s=(item.half_life_days or 0.0) * DAY_S,
        at_least=Action.parse(item.at_least or "limit"),
    )


def counter_signal_specs(counters: Iterable[Counter]) -> tuple[SignalSpec, ...]:
    """The signals that counting provides."""
    return tuple(
        SignalSpec(c.name, "float" if c.count == "strikes" else "int", c.description, COUNTERS_OWNER, 0)
        for c in counters
    )
