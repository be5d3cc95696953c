"""Promotion against a fake server: what fails leaves what served before serving."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from tests.integration.tiny_safety_model import write_tiny_repository, write_tiny_version
from triton_models.contract import LABELS, MODEL_NAME
from triton_models.release_store import CANARY_NAME, ReleaseStore
from triton_models.training.gates import Gate, GateFile
from triton_models.training.promote import Answer, Plan, ServerError, compare_answers, promote, rollback

GATES = GateFile(
    gates=(
        Gate(name="figure", why="w", value=("auroc",), at_least=0.5),
        Gate(name="answers", why="w", value=("canary", "failed_share"), at_most=0.0, stage="canary"),
    )
)
PLAN = Plan(GATES, watch_s=0.0)


@dataclass
class FakeServer:
    """Serves what the store pins, unless told to fail."""

    store: ReleaseStore
    refuses: set[str] = field(default_factory=set)  # models whose next load fails
    breaks_after_switch: bool = False
    loaded: list[str] = field(default_factory=list)
    unloaded: list[str] = field(default_factory=list)
    serving: int = 1
    batches: int = 2

    def load(self, model: str) -> None:
        """As Triton: a load that fails leaves the old version."""
        if model in self.refuses:
            self.refuses.discard(model)
            raise ServerError("refused on purpose")
        self.loaded.append(model)
        if model == MODEL_NAME:
            self.serving = self.store.current()

    def unload(self, model: str) -> None:
        """Remembers it."""
        self.unloaded.append(model)

    def score(self, model: str, batch: int) -> Answer:
        """The same for every batch."""
        if self.breaks_after_switch and model == MODEL_NAME and self.serving != 1 and batch == 1:
            raise ServerError("broken")
        version = 1 if model == CANARY_NAME else self.serving
        return Answer(np.full((4, len(LABELS)), 0.5, np.float32), "r", version, 0.01)


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    """A store with version 1."""
    return ReleaseStore(write_tiny_repository(tmp_path / "repository"))


def test_promotes(store: ReleaseStore, tmp_path: Path) -> None:
    """A candidate that passes is pinned, loaded, journalled; the canary is gone and production never unloaded."""
    server = FakeServer(store)
    outcome = promote(write_tiny_version(tmp_path / "new", score=0.9), store, server, PLAN)
    assert (outcome.done, outcome.serving, server.serving, store.current()) == (True, 2, 2, 2)
    assert server.unloaded == [CANARY_NAME]
    assert store.journal()[-1]["event"] == "served"
    assert [result.passed for result in outcome.gates] == [True, True]


def test_a_gate_refuses_before_the_server_is_asked(store: ReleaseStore, tmp_path: Path) -> None:
    """Bad figures end it early, with the gate's name as the reason, and the candidate is not kept."""
    server = FakeServer(store)
    outcome = promote(write_tiny_version(tmp_path / "new", score=0.3), store, server, PLAN)
    assert (outcome.done, outcome.reason) == (False, "refused by 1 of 1 gates: figure")
    assert server.loaded == []
    assert [version.number for version in store.versions()] == [1]
    assert store.journal()[-1]["event"] == "refused"


def test_a_canary_that_does_not_load(store: ReleaseStore, tmp_path: Path) -> None:
    """Production is not touched by a candidate that cannot be loaded."""
    server = FakeServer(store, refuses={CANARY_NAME})
    outcome = promote(write_tiny_version(tmp_path / "new", score=0.9), store, server, PLAN)
    assert "does not load" in outcome.reason
    assert MODEL_NAME not in server.loaded
    assert store.current() == 1


def test_a_load_that_fails_is_undone(store: ReleaseStore, tmp_path: Path) -> None:
    """When production cannot load the version, the old one is pinned and loaded again, and the new one is kept."""
    server = FakeServer(store, refuses={MODEL_NAME})
    outcome = promote(write_tiny_version(tmp_path / "new", score=0.9), store, server, PLAN)
    assert outcome.reason.startswith("rolled back")
    assert (store.current(), server.serving) == (1, 1)
    assert [version.number for version in store.versions()] == [1, 2]


def test_failures_after_the_switch_are_undone(store: ReleaseStore, tmp_path: Path) -> None:
    """A request that fails while production is watched brings the old version back."""
    server = FakeServer(store, breaks_after_switch=True)
    plan = Plan(GATES, watch_s=1.0)
    outcome = promote(write_tiny_version(tmp_path / "new", score=0.9), store, server, plan)
    assert "failed after the switch" in outcome.reason
    assert (store.current(), server.serving) == (1, 1)


def test_without_a_server_the_version_is_pinned(store: ReleaseStore, tmp_path: Path) -> None:
    """With nothing running, the figures decide and the next start loads it."""
    outcome = promote(write_tiny_version(tmp_path / "new", score=0.9), store, None, PLAN)
    assert (outcome.done, store.current()) == (True, 2)


def test_rollback_and_back_again(store: ReleaseStore, tmp_path: Path) -> None:
    """Rolling back serves what was served before; rolling back again returns to where one was."""
    server = FakeServer(store)
    assert not rollback(store, server).done
    promote(write_tiny_version(tmp_path / "new", score=0.9), store, server, PLAN)
    assert rollback(store, server).serving == 1
    assert rollback(store, server).serving == 2
    assert rollback(store, server, to=1).serving == 1


def test_a_rollback_that_fails_keeps_what_serves(store: ReleaseStore, tmp_path: Path) -> None:
    """When the old version does not load any more, the current one stays pinned."""
    server = FakeServer(store)
    promote(write_tiny_version(tmp_path / "new", score=0.9), store, server, PLAN)
    server.refuses.add(MODEL_NAME)
    outcome = rollback(store, server)
    assert (outcome.done, outcome.serving, store.current(), server.serving) == (False, 2, 2, 2)


def test_comparison_counts_flips_and_silence() -> None:
    """Pairs on the other side of a half are flips; pairs that production judged and the candidate does not are lost."""
    old = Answer(np.array([[0.9, 0.1, np.nan, 0.2]], np.float32), "a", 1, 0.01)
    new = Answer(np.array([[0.4, 0.2, 0.7, np.nan]], np.float32), "b", 1, 0.03)
    figures = compare_answers([old, old], [new, None])
    assert figures["failed_share"] == 0.5
    assert figures["flipped_share"] == 0.5
    assert figures["lost_share"] == pytest.approx(1 / 3)
    assert figures["latency_ratio"] == pytest.approx(3.0)
