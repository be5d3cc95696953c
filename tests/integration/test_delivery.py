"""Nothing is ever lost: a real worker on real Kafka while worker, Triton and broker are killed under load.

The full numbers (2,000 events, five times, real Triton) are `weir bench delivery`; here are fewer, and a stand-in for
Triton where the model does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ops.bench.delivery import Result, Scene, play
from ops.bench.traffic import BROKEN_EVERY
from ops.local.kafka import RealKafka
from ops.local.triton import EmbeddedTriton
from tests.stub_triton import StubTriton

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture(scope="module")
def stub() -> Iterator[StubTriton]:
    """A stand-in for Triton that a test may kill."""
    with StubTriton() as running:
        yield running


@pytest.fixture
def scene(real_kafka: RealKafka, stub: StubTriton, tmp_path: Path) -> Scene:
    """600 events at 60 a second."""
    return Scene(tmp_path, real_kafka.bootstrap, stub.grpc_url, triton=stub, events=600, rate=60, times=2)


def check(result: Result, events: int) -> None:
    """Every record is answered exactly once after repeats are dropped, and the worker ended well."""
    told = (result.as_json(), result.exit_codes)
    assert result.passed, told
    assert result.tally.published == events, told
    assert result.tally.dead_letters == events // BROKEN_EVERY, told
    assert result.tally.verdicts == events - events // BROKEN_EVERY, told


@pytest.mark.parametrize("consumer", ["direct", "agent"])
async def test_every_record_is_answered_once(scene: Scene, consumer: str) -> None:
    """Undisturbed: no loss, no repeat, events of one content in order, by either consumer."""
    result = await play("undisturbed", replace(scene, rate=300, env={"WEIR_CONSUMER": consumer}))
    check(result, 600)
    assert result.tally.repeated == 0
    assert result.tally.degraded == 0


@pytest.mark.parametrize("consumer", ["direct", "agent"])
async def test_kill_9_of_the_worker_loses_nothing(scene: Scene, consumer: str) -> None:
    """What was not acknowledged is judged again, by either consumer."""
    check(await play("kill -9 of the worker", replace(scene, env={"WEIR_CONSUMER": consumer})), 600)


async def test_sigterm_of_the_worker_loses_and_repeats_nothing(scene: Scene) -> None:
    """It finishes what is in flight, commits it and ends with exit code 0."""
    result = await play("SIGTERM of the worker", scene)
    check(result, 600)
    assert result.tally.repeated == 0
    assert result.exit_codes == (0, 0, 0)


async def test_a_second_worker_comes_and_goes(scene: Scene) -> None:
    """Partitions are finished and committed before they move: nothing is lost, order is kept."""
    result = await play("a second worker comes and goes", replace(scene, times=1, rate=20))
    check(result, 600)
    assert result.tally.workers == 2


async def test_kill_9_of_triton_loses_nothing(scene: Scene) -> None:
    """Events wait for it, or are judged without it and say so."""
    check(await play("kill -9 of Triton", scene), 600)


async def test_kill_9_of_the_broker_loses_nothing(scene: Scene, tmp_path: Path) -> None:
    """On a broker of its own, which is killed and comes back."""
    with RealKafka(tmp_path / "kafka") as kafka:
        own = replace(scene, bootstrap=kafka.bootstrap, kafka=kafka)
        check(await play("kill -9 of the broker", own), 600)


async def test_the_real_triton_judges_every_event(scene: Scene, embedded_triton: EmbeddedTriton) -> None:
    """Real Kafka and the real ensemble: every verdict is complete."""
    result = await play("undisturbed", replace(scene, triton_url=embedded_triton.grpc_url, events=100, rate=20))
    check(result, 100)
    assert result.tally.degraded == 0
