"""Proof of delivery: events through a real worker on real Kafka while things are killed; every record is accounted for.

`python -m ops.bench.delivery --json` runs every scenario with the full numbers on real Kafka and the real Triton;
`weir bench delivery` is the same. Tests run scenarios with fewer events, some with a stand-in for Triton.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Protocol

from rich.console import Console

from ops.bench.traffic import Collector, Ledger, Tally, chunks, publish, read_all, tally
from ops.bench.worker_process import WorkerProcess
from ops.local.kafka import RealKafka
from ops.local.topics import create_topics, standard_topics

QUIET_S: Final = 2.0  # after the last answer: a repeat that is still on its way must be seen
MIN_SESSION_TIMEOUT_S: Final = 6.0  # what brokers allow by default; a killed worker's partitions are free after it


class Restartable(Protocol):
    """A server that can be killed and come back at the same address."""

    def kill(self) -> None:
        """Kill -9."""

    def start_again(self) -> None:
        """Start it at the same address."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a scenario plays."""

    home: Path
    bootstrap: str
    triton_url: str
    kafka: RealKafka | None = None
    triton: Restartable | None = None
    events: int = 2_000
    rate: float = 40.0  # events a second: the load must outlast the restarts
    times: int = 5  # how often the worker is killed or stopped
    timeout_s: float = 600.0
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Run:
    """A scenario that is being played: the worker, and what has come out so far."""

    scene: Scene
    worker: WorkerProcess
    collector: Collector
    another: Callable[[], WorkerProcess]
    exit_codes: list[int] = field(default_factory=list)

    async def at(self, answered: int) -> None:
        """Wait until so many records are answered, and some more than now: the worker is at work again."""
        wanted = max(answered, self.collector.ledger.sources + 20)
        await self.collector.reached(min(wanted, self.scene.events), timeout_s=self.scene.timeout_s)

    async def joined(self, before: int) -> None:
        """Wait until more than `before` workers have answered, or everything is answered."""

        def more(ledger: Ledger) -> bool:
            return len(ledger.workers) > before or ledger.sources >= self.scene.events

        await self.collector.seen(more, timeout_s=self.scene.timeout_s)


@dataclass(frozen=True, slots=True)
class Result:
    """How a scenario ended."""

    name: str
    tally: Tally
    seconds: float
    complete: bool  # within the time
    exit_codes: tuple[int, ...]
    repeats_allowed: bool
    times: int

    @property
    def passed(self) -> bool:
        """Nothing lost, nothing wrong, and no repeat where none is allowed."""
        clean = self.repeats_allowed or not self.tally.repeated
        return self.complete and self.tally.sound and clean and not any(self.exit_codes)

    def as_json(self) -> dict[str, Any]:
        """The result as a flat map."""
        return {
            "scenario": self.name,
            "times": self.times,
            "passed": self.passed,
            "seconds": round(self.seconds, 1),
            **asdict(self.tally),
        }


Disturbance = Callable[[Run], Awaitable[None]]


async def undisturbed(_run: Run) -> None:
    """Nothing happens."""


async def kill_worker(run: Run) -> None:
    """Kill -9 the judging process again and again under load."""
    for milestone in chunks(run.scene.events, run.scene.times):
        await run.at(milestone)
        await asyncio.to_thread(run.worker.kill_child)


async def terminate_worker(run: Run) -> None:
    """SIGTERM again and again under load, each time starting the worker again."""
    for milestone in chunks(run.scene.events, run.scene.times):
        await run.at(milestone)
        run.exit_codes.append(await asyncio.to_thread(run.worker.stop))
        run.worker.start_again()


async def come_and_go(run: Run) -> None:
    """A second worker joins the group and is stopped again, under load: partitions move there and back."""
    for milestone in chunks(run.scene.events, run.scene.times):
        await run.at(milestone)
        before = len(run.collector.ledger.workers)
        second = await asyncio.to_thread(run.another)
        try:
            await run.joined(before)
            run.exit_codes.append(await asyncio.to_thread(second.stop))
        finally:
            second.kill()


async def kill_triton(run: Run) -> None:
    """Kill -9 the model's server twice under load; each time it is away for a while."""
    if run.scene.triton is None:
        raise ValueError("this scenario needs a Triton that it may kill")
    for milestone in chunks(run.scene.events, 2):
        await run.at(milestone)
        await asyncio.to_thread(run.scene.triton.kill)
        await asyncio.sleep(2)
        await asyncio.to_thread(run.scene.triton.start_again)


async def restart_broker(run: Run) -> None:
    """Kill -9 the broker under load and start it again."""
    if run.scene.kafka is None:
        raise ValueError("this scenario needs a Kafka that it may kill")
    await run.at(run.scene.events // 2)
    await asyncio.to_thread(run.scene.kafka.kill, 1)
    await asyncio.sleep(1)
    await asyncio.to_thread(run.scene.kafka.restart, 1)


#: Name -> (what happens, whether repeats are allowed: at least once means that a crash may repeat, a stop may not).
SCENARIOS: Final[dict[str, tuple[Disturbance, bool]]] = {
    "undisturbed": (undisturbed, False),
    "kill -9 of the worker": (kill_worker, True),
    "SIGTERM of the worker": (terminate_worker, False),
    "a second worker comes and goes": (come_and_go, True),
    "kill -9 of Triton": (kill_triton, False),
    "kill -9 of the broker": (restart_broker, True),
}


async def play(name: str, scene: Scene) -> Result:
    """Play a scenario on topics of its own."""
    disturb, repeats_allowed = SCENARIOS[name]
    prefix = f"proof-{uuid.uuid4().hex[:8]}."
    await asyncio.to_thread(create_topics, scene.bootstrap, standard_topics(prefix))
    env = {
        "WEIR_KAFKA_BOOTSTRAP": scene.bootstrap,
        "WEIR_TRITON_URL": scene.triton_url,
        "WEIR_TOPIC_PREFIX": prefix,
        "WEIR_GROUP": prefix,
        "WEIR_SESSION_TIMEOUT_S": str(MIN_SESSION_TIMEOUT_S),
        **scene.env,
    }
    started = time.monotonic()

    def start() -> WorkerProcess:
        return WorkerProcess(scene.home / prefix, env)

    with start() as worker:
        async with Collector(scene.bootstrap, f"{prefix}verdicts", f"{prefix}deadletter") as collector:
            run = Run(scene, worker, collector, start)
            sending = asyncio.create_task(publish(scene.bootstrap, f"{prefix}incoming", scene.events, rate=scene.rate))
            await disturb(run)
            await sending
            published = await read_all(scene.bootstrap, f"{prefix}incoming")
            complete = await collector.reached(len(published), timeout_s=scene.timeout_s)
            seconds = time.monotonic() - started
            await asyncio.sleep(QUIET_S)
            result = tally(published, collector.ledger)
        run.exit_codes.append(await asyncio.to_thread(worker.stop))
    return Result(name, result, seconds, complete, tuple(run.exit_codes), repeats_allowed, scene.times)


class _Triton:
    """The real Triton at a fixed address, to be killed and started again."""

    def __init__(self, home: Path) -> None:
        from ops.local.triton import EmbeddedTriton, TritonOptions, TritonPorts
        from streams.settings import Settings
        from triton_models.assemble import assemble

        self._repository = Path(assemble(Settings().home))
        self._home = home
        self._options = TritonOptions(ports=TritonPorts().chosen())
        self._make = EmbeddedTriton
        self._server = self._make(self._home, self._repository, self._options)

    @property
    def url(self) -> str:
        return self._server.grpc_url

    def kill(self) -> None:
        self._server.server.kill()

    def start_again(self) -> None:
        self._server = self._make(self._home, self._repository, self._options)

    def stop(self) -> None:
        self._server.stop()


def run_all(events: int, *, rate: float, only: str = "", consumer: str = "direct") -> list[Result]:
    """Every scenario (or those whose name holds `only`) on real Kafka and the real Triton, started for this."""
    console = Console(stderr=True)
    results: list[Result] = []
    with TemporaryDirectory(prefix="weir-proof-") as folder:
        home = Path(folder)
        triton = _Triton(home / "triton")
        try:
            with RealKafka(home / "kafka") as kafka:
                for name in (name for name in SCENARIOS if only in name):
                    console.print(f"[dim]{name} …[/dim]")
                    env = {"WEIR_CONSUMER": consumer}
                    scene = Scene(home, kafka.bootstrap, triton.url, kafka, triton, events, rate, env=env)
                    results.append(asyncio.run(play(name, scene)))
        finally:
            triton.stop()
    return results


def summary(results: list[Result]) -> dict[str, Any]:
    """The bench's answer: the share of published records with exactly one answer after repeats are dropped."""
    published = sum(result.tally.published for result in results)
    bad = sum(r.tally.lost + r.tally.wrong for r in results)
    return {
        "name": "delivery",
        "ratio": round((published - bad) / max(1, published), 6),
        "ours": published - bad,
        "reference": published,
        "unit": "records answered exactly once after repeats are dropped",
        "passed": all(result.passed for result in results),
        "scenarios": [result.as_json() for result in results],
    }


def main(argv: list[str] | None = None) -> int:
    """The command; 1 when a scenario failed."""
    parser = argparse.ArgumentParser(prog="python -m ops.bench.delivery", description=__doc__)
    parser.add_argument("--events", type=int, default=2_000)
    parser.add_argument("--rate", type=float, default=40.0, help="events a second")
    parser.add_argument("--only", default="", help="scenarios whose name holds this")
    parser.add_argument("--consumer", choices=["direct", "agent"], default="direct")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    told = summary(run_all(options.events, rate=options.rate, only=options.only, consumer=options.consumer))
    if options.json:
        print(json.dumps(told))
    else:
        for scenario in told["scenarios"]:
            print("  ".join(f"{key}={value}" for key, value in scenario.items()))
    return 0 if told["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
