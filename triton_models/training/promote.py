"""Promotion: gates, a version written whole, a canary beside production, the switch, a watch, and the way back.

    figures' gates -> add the version -> load it as a canary -> score the same items with both -> canary's gates
                   -> pin and load it -> watch production -> done, or pinned and loaded back

Production's name is only ever *loaded*: Triton brings the new version up before it lets the old one go, and a version
that fails to load leaves the old one serving. Unloading it would fail requests (FACTS), so nothing here does.
The server is a protocol; this module opens no connection.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from triton_models.contract import MODEL_NAME
from triton_models.release_store import CANARY_NAME, ReleaseStore, StoredVersion
from triton_models.training.gates import GateFile, GateResult, check_gates

FloatArray = npt.NDArray[np.float32]

THRESHOLD: Final = 0.5
WATCH_PAUSE_S: Final = 0.2
MOST_WATCH_FAILURES: Final = 0
"""One request that production fails after the switch is one too many: it answered all of them before."""


class ServerError(Exception):
    """The server refused, failed, or did not answer; the message is for people."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said about one batch of items."""

    scores: FloatArray  # [N, C] fused probabilities, NaN where it abstained
    release: str
    version: int
    seconds: float


class ModelServer(Protocol):
    """A running Triton: explicit model control and inference."""

    def load(self, model: str) -> None:
        """Loads `model` as the repository now has it and waits until it is ready; ServerError otherwise."""

    def unload(self, model: str) -> None:
        """Unloads a canary."""

    def score(self, model: str, batch: int) -> Answer:
        """The opinions of `model` on the probe batch of that number; ServerError when the request fails."""

    @property
    def batches(self) -> int:
        """How many probe batches there are."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a promotion or a rollback ended."""

    done: bool
    serving: int
    reason: str
    version: int | None = None  # the candidate's number, when it got one
    gates: tuple[GateResult, ...] = ()
    canary: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How to promote."""

    gates: GateFile
    watch_s: float = 5.0
    standby: bool = True  # what served before stays loaded, so that going back takes no loading
    tell: Callable[[str], None] = lambda _: None


def promote(candidate: Path | int, store: ReleaseStore, server: ModelServer | None, plan: Plan) -> Outcome:
    """Serves `candidate` (a folder, or the number of a version in the store) if every gate lets it.

    Without a server only the figures' gates are asked, and the version is pinned for the next start. Whatever fails,
    what was served before is served still. StoreError when the candidate is no version.
    """
    started = time.monotonic()
    before = store.version(store.current())
    number = candidate if isinstance(candidate, int) else store.add(candidate)
    added = not isinstance(candidate, int)
    made = store.version(number)

    def ended(outcome: Outcome) -> Outcome:
        if not outcome.done and added and not outcome.reason.startswith("rolled back"):
            store.discard(number)
        return _noted(store, outcome, made, started)

    if number == before.number:
        return Outcome(False, before.number, f"version {number} is already being served", number)
    plan.tell("asking the gates")
    results = check_gates(plan.gates, figures_of(made), figures_of(before))
    refused = _refusal(results)
    if refused:
        return ended(Outcome(False, before.number, refused, number, tuple(results)))
    if server is None:
        store.switch(number, standby=before.number if plan.standby else None)
        return ended(Outcome(True, number, "pinned; no server runs, the next start loads it", number, tuple(results)))
    canary, failure = _canary(store, server, number, plan)
    results += check_gates(plan.gates, {"canary": canary}, stage="canary")
    refused = failure or _refusal(results)
    if refused:
        return ended(Outcome(False, before.number, refused, number, tuple(results), canary))
    plan.tell("switching")
    failure = _switch(store, server, number, plan)
    if failure:
        _switch_back(store, server, before.number)
        return ended(Outcome(False, before.number, f"rolled back: {failure}", number, tuple(results), canary))
    return ended(Outcome(True, number, "promoted", number, tuple(results), canary))


def rollback(store: ReleaseStore, server: ModelServer | None, *, to: int | None = None) -> Outcome:
    """Serves the version before the current one again, or the version `to`. No gate is asked: it was served before."""
    started = time.monotonic()
    current = store.current()
    target = to if to is not None else store.previous()
    if target is None:
        return Outcome(False, current, "there is no earlier version to go back to")
    version = store.version(target)
    store.switch(target)
    if server is not None:
        try:
            server.load(MODEL_NAME)
            _expect(server.score(MODEL_NAME, 0), target)
        except ServerError as exc:
            _switch_back(store, server, current)
            reason = f"version {target} did not come back: {exc}; version {current} is still served"
            return _noted(store, Outcome(False, current, reason, target), version, started)
    reason = f"rolled back from {current} to {target}"
    return _noted(store, Outcome(True, target, reason, target), version, started)


def figures_of(version: StoredVersion) -> dict[str, Any]:
    """What gates may ask of a version before it runs: its card's figures, and what its files weigh."""
    figures = dict(version.card.get("quality", {}))
    figures["files"] = {"bytes": version.size_bytes}
    return figures


def compare_answers(production: Sequence[Answer | None], candidate: Sequence[Answer | None]) -> dict[str, float]:
    """How the candidate differs from production on the same batches; None is a request that failed."""
    pairs = [(a, b) for a, b in zip(production, candidate, strict=True) if a is not None and b is not None]
    figures = {"failed_share": sum(b is None for b in candidate) / max(len(candidate), 1)}
    if not pairs:
        return figures
    old = np.concatenate([a.scores for a, _ in pairs])
    new = np.concatenate([b.scores for _, b in pairs])
    judged = ~np.isnan(old)
    both = judged & ~np.isnan(new)
    flipped = (old[both] >= THRESHOLD) != (new[both] >= THRESHOLD)
    figures["items"] = float(len(old))
    figures["flipped_share"] = float(flipped.mean()) if flipped.size else 0.0
    figures["lost_share"] = float((judged & np.isnan(new)).sum() / max(int(judged.sum()), 1))
    figures["mean_difference"] = float(np.abs(old[both] - new[both]).mean()) if both.any() else 0.0
    medians = [statistics.median(one.seconds for one in side) for side in zip(*pairs, strict=True)]
    figures["latency_ratio"] = medians[1] / max(medians[0], 1e-6)
    return figures


def _canary(store: ReleaseStore, server: ModelServer, number: int, plan: Plan) -> tuple[dict[str, float], str]:
    """The canary's figures, and why it could not be had (empty when it could)."""
    store.open_canary(number)
    try:
        plan.tell("loading the canary")
        server.load(CANARY_NAME)
        plan.tell("scoring the same items with both")
        _attempt(server, CANARY_NAME, 0)  # both warm: the first request pays for its buffers
        _attempt(server, MODEL_NAME, 0)
        pairs = [(_attempt(server, MODEL_NAME, i), _attempt(server, CANARY_NAME, i)) for i in range(server.batches)]
        return compare_answers([a for a, _ in pairs], [b for _, b in pairs]), ""
    except ServerError as exc:
        return {"failed_share": 1.0}, f"the candidate does not load: {exc}"
    finally:
        _drop_canary(store, server)


def _drop_canary(store: ReleaseStore, server: ModelServer) -> None:
    try:
        server.unload(CANARY_NAME)
    except ServerError:
        pass  # it never loaded, or the server is gone; either way nothing of it is left to unload
    finally:
        store.close_canary()


def _switch(store: ReleaseStore, server: ModelServer, number: int, plan: Plan) -> str:
    """Pins, loads and watches; why it must be undone, or empty."""
    store.switch(number, standby=store.current() if plan.standby else None)
    try:
        server.load(MODEL_NAME)
        _expect(server.score(MODEL_NAME, 0), number)
    except ServerError as exc:
        return f"it does not load for production: {exc}"
    plan.tell("watching production")
    deadline, failures, batch = time.monotonic() + plan.watch_s, 0, 0
    while time.monotonic() < deadline and failures <= MOST_WATCH_FAILURES:
        failures += _attempt(server, MODEL_NAME, batch % server.batches) is None
        batch += 1
        time.sleep(min(WATCH_PAUSE_S, max(0.0, deadline - time.monotonic())))
    return f"{failures} of {batch} requests failed after the switch" if failures > MOST_WATCH_FAILURES else ""


def _switch_back(store: ReleaseStore, server: ModelServer, number: int) -> None:
    store.switch(number)
    try:
        server.load(MODEL_NAME)
    except ServerError as exc:
        # The pin is right, so a restart of the server mends it; say so rather than hide it.
        store.note(event="problem", serving=number, reason=f"loading version {number} back failed: {exc}")


def _expect(answer: Answer, number: int) -> None:
    if answer.version != number:
        raise ServerError(f"the server answers with version {answer.version} where {number} was loaded")


def _attempt(server: ModelServer, model: str, batch: int) -> Answer | None:
    try:
        answer = server.score(model, batch)
    except ServerError:
        return None
    return None if math.isnan(answer.seconds) else answer


def _refusal(results: Sequence[GateResult]) -> str:
    failed = [result.name for result in results if not result.passed]
    return f"refused by {len(failed)} of {len(results)} gates: {', '.join(failed)}" if failed else ""


def _noted(store: ReleaseStore, outcome: Outcome, version: StoredVersion, started: float) -> Outcome:
    seconds = round(time.monotonic() - started, 2)
    store.note(
        event="served" if outcome.done else "refused",
        serving=outcome.serving,
        version=version.number,
        release=version.release,
        reason=outcome.reason,
        seconds=seconds,
    )
    return Outcome(
        outcome.done, outcome.serving, outcome.reason, outcome.version, outcome.gates, outcome.canary, seconds
    )
