"""Events per CPU-second of the stream alone: consume, decode, decide, publish, with no model; beside a raw copy loop.

Both run as processes of their own on the same broker in the same run, on a backlog that is there before they start.
CPU time (not wall time) is compared, so that the broker and the machine's other work do not count. The count starts
after a warm-up of records and ends when the last record's answer is in the sink.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import psutil
from aiokafka import AIOKafkaConsumer
from rich.console import Console

from ops.bench.worker_process import PROJECT_ROOT
from ops.local.broker import EmbeddedBroker
from ops.local.errors import LocalStackError
from ops.local.kafka import RealKafka
from ops.local.topics import TopicSpec, create_topics, standard_topics
from streams.adapters.kafka import OutRecord, publish_records
from streams.core.events import Author, ContentEvent, TextPart
from streams.core.wire import encode_event

WARM_UP_SHARE: Final = 0.2
POLL_S: Final = 0.02
TIMEOUT_S: Final = 300.0
#: Size of a record -> how many: enough for some CPU seconds each.
SIZES: Final = {1_000: 30_000, 50_000: 3_000}


@dataclass(frozen=True, slots=True)
class Pace:
    """One loop's figures at one size."""

    events: int
    cpu_s: float
    wall_s: float

    @property
    def per_cpu_s(self) -> float:
        """Events per CPU-second."""
        return self.events / self.cpu_s


def records(count: int, size_bytes: int) -> Iterator[OutRecord]:
    """`count` posts of about `size_bytes`, from a thousand authors."""
    words = "A walk by the lake before breakfast, and then coffee with friends at the old station. "
    for number in range(count):
        event = ContentEvent(
            event_id=f"event-{number:08}",
            content_id=f"content-{number:08}",
            kind="post",
            created_at=1_700_000_000.0 + number,
            parts=(TextPart(text=(words * (size_bytes // len(words) + 1))[: size_bytes - 170]),),
            author=Author(id=f"author-{number % 1_000}"),
            surface="feed",
            locale="en",
        )
        yield OutRecord(encode_event(event), event.key.encode())


@contextmanager
def _process(arguments: list[str], env: dict[str, str], log: Path) -> Iterator[psutil.Process]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WEIR_")}
    argv = [sys.executable, "-m", "ops.bench.flow_loops", *arguments]
    with log.open("ab") as out:
        process = subprocess.Popen(
            argv, env={**kept, **env, "PYTHONPATH": str(PROJECT_ROOT)}, cwd=PROJECT_ROOT, stdout=out, stderr=out
        )
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def _measure(process: psutil.Process, consumer: AIOKafkaConsumer, total: int) -> Pace:
    """The CPU time of `process` from the warm-up's end to the last of `total` records in the sink."""
    partitions = list(consumer.assignment())
    first, started, cpu_before = 0, 0.0, 0.0
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline and process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        done = sum((await consumer.end_offsets(partitions)).values())
        times = process.cpu_times()
        cpu, now = times.user + times.system, time.monotonic()
        if not first and done >= total * WARM_UP_SHARE:
            first, started, cpu_before = done, now, cpu
        if done >= total:
            return Pace(done - first, cpu - cpu_before, now - started)
        await asyncio.sleep(POLL_S)
    raise LocalStackError(f"a loop of the flow bench did not get through {total} records in {TIMEOUT_S:.0f} s")


async def _both(bootstrap: str, size: int, count: int, *, home: Path, consumer: str) -> tuple[Pace, Pace]:
    """Ours and the raw loop's pace on the same records."""
    prefix = f"flow-{uuid.uuid4().hex[:8]}."
    source, raw_sink = f"{prefix}incoming", f"{prefix}raw"
    await asyncio.to_thread(create_topics, bootstrap, [*standard_topics(prefix), TopicSpec(raw_sink)])
    await publish_records(bootstrap, source, records(count, size))
    found: list[Pace] = []
    env = {
        "WEIR_KAFKA_BOOTSTRAP": bootstrap,
        "WEIR_TRITON_URL": "127.0.0.1:1",
        "WEIR_TOPIC_PREFIX": prefix,
        "WEIR_GROUP": prefix,
        "WEIR_HOME": str(home),
        "WEIR_LOG_FORMAT": "json",
        "WEIR_CONSUMER": consumer,
    }
    raw_arguments = ["raw", "--bootstrap", bootstrap, "--source", source, "--sink", raw_sink]
    for sink, arguments in ((f"{prefix}verdicts", ["weir"]), (raw_sink, raw_arguments)):
        reader = AIOKafkaConsumer(sink, bootstrap_servers=bootstrap, enable_auto_commit=False)
        await reader.start()
        try:
            with _process(arguments, env, home / f"{arguments[0]}.log") as process:
                found.append(await _measure(process, reader, count))
        finally:
            await reader.stop()
    return found[0], found[1]


@contextmanager
def _broker(kind: str, home: Path) -> Iterator[str]:
    if kind == "embedded":
        with EmbeddedBroker(home) as broker:
            yield broker.bootstrap
        return
    with RealKafka(home) as kafka:
        yield kafka.bootstrap


def measure(*, broker: str = "real", scale: float = 1.0, consumer: str = "direct") -> dict[str, Any]:
    """The bench's answer: the ratio at 1 KB, and every size's figures."""
    console = Console(stderr=True)
    sizes: dict[str, dict[str, float]] = {}
    with TemporaryDirectory(prefix="weir-flow-") as folder, _broker(broker, Path(folder)) as bootstrap:
        for size, count in SIZES.items():
            console.print(f"[dim]{round(count * scale)} records of {size} bytes …[/dim]")
            both = _both(bootstrap, size, round(count * scale), home=Path(folder), consumer=consumer)
            ours, reference = asyncio.run(both)
            sizes[f"{size // 1000} KB"] = {
                "ratio": round(ours.per_cpu_s / reference.per_cpu_s, 3),
                "ours": round(ours.per_cpu_s),
                "reference": round(reference.per_cpu_s),
                "ours_wall_s": round(ours.wall_s, 2),
                "ours_cpu_s": round(ours.cpu_s, 2),
                "reference_cpu_s": round(reference.cpu_s, 2),
            }
    first = sizes["1 KB"]
    return {
        "name": "flow",
        "ratio": first["ratio"],
        "ours": first["ours"],
        "reference": first["reference"],
        "unit": "events per CPU-second at 1 KB",
        "broker": broker,
        "consumer": consumer,
        "sizes": sizes,
    }


def main(argv: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="weir bench flow", description=__doc__)
    parser.add_argument("--broker", choices=["real", "embedded"], default="real")
    parser.add_argument("--scale", type=float, default=1.0, help="more or fewer records than usual")
    parser.add_argument("--consumer", choices=["direct", "agent"], default="direct", help="as WEIR_CONSUMER")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    told = measure(broker=options.broker, scale=options.scale, consumer=options.consumer)
    if options.json:
        print(json.dumps(told))
        return 0
    for size, figures in told["sizes"].items():
        print(f"{size:>6}  ratio {figures['ratio']}  ours {figures['ours']}  raw {figures['reference']} events/CPU-s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
