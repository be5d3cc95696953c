"""What a bundle must pass before it may judge: its size, its cost, and its own tests. Blocking; call it in a thread.

Raises `PolicyErrors`, like loading does: to the one who asks, a bundle is usable or it is a list of problems.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from policies import PolicyBundle, PolicyErrors, Problem, evaluate, scan_lists
from policies.engine.load import Loaded, load
from policies.engine.loader import read_bundle_files
from policies.engine.selftest import failing_examples
from policies.engine.signals import Catalogue, SignalSet, SignalValue
from policies.engine.subject import Subject, TextPart

#: A post of ordinary length in several scripts, so that every language's lists are walked.
_TEXT: Final = (
    "a post of ordinary length, with a link https://shop.example/offer and 42 words; " * 3
) + "grüße 你好 привет"
_ROUNDS: Final = 200
_TRIES: Final = 3


def load_gated(files: Mapping[str, bytes], catalogue: Catalogue, *, name: str) -> PolicyBundle:
    """The bundle of these files; PolicyErrors when it does not load or does not pass."""
    loaded = load(read_bundle_files(dict(files), folder=Path(name)), catalogue)
    problems = gate(loaded)
    if problems:
        raise PolicyErrors(problems)
    return loaded.bundle


def gate(loaded: Loaded) -> list[Problem]:
    """Why the bundle may not judge; empty when it may."""
    return [*_size_and_cost(loaded), *failing_examples(loaded.bundle, now=time.time())]


def _size_and_cost(loaded: Loaded) -> list[Problem]:
    written = loaded.folder.bundle
    if written is None:
        return []
    limits, shown = written.file.limits, str(loaded.folder.path / "bundle.yaml")
    found: list[Problem] = []
    if loaded.bundle.size_bytes > limits.size_bytes:
        text = f"the bundle has {loaded.bundle.size_bytes} bytes, more than limits.size_bytes {limits.size_bytes}"
        found.append(Problem(shown, 1, 1, "BUNDLE-SIZE", text))
    cost = cost_us(loaded.bundle)
    if cost > limits.cost_us:
        text = f"an event costs {cost:.0f} µs, more than limits.cost_us {limits.cost_us:.0f}"
        found.append(Problem(shown, 1, 1, "BUNDLE-COST", text, "shorten lists and rules, or raise the limit"))
    return found


def cost_us(bundle: PolicyBundle) -> float:
    """CPU microseconds that lists and rules take for an ordinary post on which half of the scores are high.

    The best of a few tries in this thread's own CPU time, so that a busy machine does not refuse a good bundle.
    """
    subject = Subject("gate", "gate", locale="en", created_at=1.0, texts=(TextPart(0, _TEXT),), image_count=1)
    values: dict[str, SignalValue] = {}
    for number, spec in enumerate(bundle.catalogue.values()):
        if spec.type == "float" and spec.owner != "event":
            values[spec.name] = float(number % 2)
    best = float("inf")
    for _ in range(_TRIES):
        started = time.thread_time()
        for _ in range(_ROUNDS):
            signals = SignalSet(dict(values))
            signals.merge(scan_lists(bundle, subject.texts, subject.locale))
            evaluate(bundle, subject, signals)
        best = min(best, time.thread_time() - started)
    return best / _ROUNDS * 1e6
