"""Promotion on the real server: no request fails, whether it succeeds, is refused, or is undone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import tritonclient.grpc as grpc_client

from ops.local.triton import EmbeddedTriton
from ops.model_server import TritonServer
from streams.adapters.triton import request_inputs
from streams.ports import ModelItem
from tests.integration.tiny_safety_model import write_tiny_repository, write_tiny_version
from triton_models.contract import MODEL_NAME, RELEASE, SCORES
from triton_models.release_store import CANARY_NAME, ReleaseStore
from triton_models.training.gates import Gate, GateFile
from triton_models.training.promote import Outcome, Plan, promote, rollback

pytestmark = pytest.mark.integration

CLIENTS = 32
ITEMS = [ModelItem(f"text {n}", None) for n in range(12)]
GATES = GateFile(
    gates=(
        Gate(name="figure", why="w", value=("auroc",), at_least=0.6),
        Gate(name="answers", why="w", value=("canary", "failed_share"), at_most=0.0, stage="canary"),
        Gate(name="agrees", why="w", value=("canary", "flipped_share"), at_most=0.1, stage="canary"),
    )
)
PLAN = Plan(GATES, watch_s=1.0)


@dataclass
class Crowd:
    """Clients that ask without a pause and without a retry; who failed and who was answered by what."""

    url: str
    stop: threading.Event = field(default_factory=threading.Event)
    failures: list[str] = field(default_factory=list)
    answered: dict[int, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self) -> None:
        """One client's life."""
        client: Any = grpc_client.InferenceServerClient(self.url)
        inputs = request_inputs(ITEMS[:2])
        wanted = [grpc_client.InferRequestedOutput(name) for name in (SCORES, RELEASE)]
        while not self.stop.is_set():
            try:
                result = client.infer(MODEL_NAME, inputs, outputs=wanted, client_timeout=30)
            except Exception as exc:  # noqa: BLE001 - whatever it is, the request failed
                with self.lock:
                    self.failures.append(repr(exc)[:200])
                continue
            version = int(result.get_response().model_version)
            with self.lock:
                self.answered[version] = self.answered.get(version, 0) + 1
        client.close()


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    """A store whose version 1 answers 0.9."""
    return ReleaseStore(write_tiny_repository(tmp_path / "repository"))


@pytest.fixture
def triton(tmp_path: Path, store: ReleaseStore) -> Iterator[EmbeddedTriton]:
    """The server over that store."""
    with EmbeddedTriton(tmp_path / "home", store.repository) as server:
        yield server


@pytest.fixture
def crowd(triton: EmbeddedTriton) -> Iterator[Crowd]:
    """32 clients that ask during the test."""
    crowd = Crowd(triton.grpc_url)
    threads = [threading.Thread(target=crowd.ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    yield crowd
    crowd.stop.set()
    for thread in threads:
        thread.join()


def run(triton: EmbeddedTriton, store: ReleaseStore, candidate: Path | int | None) -> Outcome:
    """Promotes, or rolls back when there is no candidate."""
    with TritonServer(triton.grpc_url, ITEMS) as server:
        return rollback(store, server) if candidate is None else promote(candidate, store, server, PLAN)


def test_promote_and_roll_back_lose_nothing(
    tmp_path: Path, triton: EmbeddedTriton, store: ReleaseStore, crowd: Crowd
) -> None:
    """Under 32 clients no request fails in promote, refused promotes and rollback, and the right version answers."""
    good = run(triton, store, write_tiny_version(tmp_path / "good", score=0.8, release="tiny-2"))
    assert (good.done, good.serving) == (True, 2), good.reason

    broken = run(triton, store, write_tiny_version(tmp_path / "broken", score=0.8, fails="load"))
    assert (broken.done, broken.serving) == (False, 2)
    assert "does not load" in broken.reason
    assert "on purpose" in broken.reason

    different = run(triton, store, write_tiny_version(tmp_path / "different", score=0.1))
    assert different.reason == "refused by 1 of 1 gates: figure"

    late = run(triton, store, write_tiny_version(tmp_path / "late", score=0.8, fails="production"))
    assert (late.done, late.serving) == (False, 2)
    assert late.reason.startswith("rolled back: it does not load for production")

    back = run(triton, store, None)
    assert (back.done, back.serving) == (True, 1), back.reason
    crowd.stop.set()
    assert crowd.failures == []
    assert set(crowd.answered) == {1, 2}


def test_canary_that_disagrees_or_fails_is_refused(tmp_path: Path, triton: EmbeddedTriton, store: ReleaseStore) -> None:
    """A candidate that judges otherwise, or fails requests, is refused, leaves no canary and no version behind."""
    other = write_tiny_version(tmp_path / "other", score=0.2)
    (other / "card.json").write_text('{"release": "other", "quality": {"auroc": 0.99}}', encoding="utf-8")
    assert run(triton, store, other).reason == "refused by 1 of 3 gates: agrees"
    failing = run(triton, store, write_tiny_version(tmp_path / "failing", score=0.9, fails="infer"))
    assert "answers" in failing.reason
    assert [version.number for version in store.versions()] == [1]
    assert not (store.repository / CANARY_NAME).exists()
    assert run(triton, store, 1).reason == "version 1 is already being served"


def test_restart_serves_what_was_pinned(tmp_path: Path, store: ReleaseStore) -> None:
    """A server that starts while a newer version lies in the store serves the pinned one."""
    store.switch(1)
    store.add(write_tiny_version(tmp_path / "newer", score=0.2))
    with (
        EmbeddedTriton(tmp_path / "home", store.repository) as triton,
        TritonServer(triton.grpc_url, ITEMS) as server,
    ):
        assert server.score(MODEL_NAME, 0).version == 1
