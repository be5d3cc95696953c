"""The two loops that `ops/bench/flow.py` compares, each in a process of its own: `raw` and `weir`.

`raw` is the least that consuming and producing with aiokafka costs: no decoding, no decision, same delivery promise
(every record acknowledged by all replicas before its offset is committed). `weir` is the worker as deployed, without
detectors. Both run until SIGTERM; the parent counts records and CPU seconds from outside.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer


async def raw(bootstrap: str, source: str, sink: str) -> None:
    """Copy records from `source` to `sink` until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    consumer = AIOKafkaConsumer(
        source,
        bootstrap_servers=bootstrap,
        group_id=f"raw-{source}",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_poll_records=500,
        max_partition_fetch_bytes=8 * 1024 * 1024,
    )
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_request_size=64 * 1024 * 1024)
    await consumer.start()
    await producer.start()
    try:
        while not stop.is_set():
            fetched = await consumer.getmany(timeout_ms=200)
            sent = [
                await producer.send(sink, message.value, key=message.key)
                for messages in fetched.values()
                for message in messages
            ]
            if sent:
                await asyncio.gather(*sent)
                await consumer.commit()
    finally:
        await consumer.stop()
        await producer.stop()


def weir() -> int:
    """The worker, with the settings of the environment and the bundled policies, and no detectors."""
    from streams.adapters.clock import SystemClock
    from streams.agents.moderate import Crash, Moderator
    from streams.app import build_policies, moderator_of
    from streams.pipeline import Deps
    from streams.settings import Settings
    from streams.worker import run

    async def bare(settings: Settings, app: Any, crash: Crash) -> Moderator:
        deps = Deps([], build_policies(settings), SystemClock(), settings.deadline_s)
        return moderator_of(settings, deps, app, crash)

    return run(Settings(), moderator=bare)


def main(argv: list[str]) -> int:
    """Run one of the loops."""
    parser = argparse.ArgumentParser(prog="python -m ops.bench.flow_loops")
    parser.add_argument("loop", choices=["raw", "weir"])
    parser.add_argument("--bootstrap", default="")
    parser.add_argument("--source", default="")
    parser.add_argument("--sink", default="")
    options = parser.parse_args(argv)
    if options.loop == "weir":
        return weir()
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(raw(options.bootstrap, options.source, options.sink))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
