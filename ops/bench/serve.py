"""Posts per second through Kafka, the worker and Triton, beside the same ensemble called in process on the same cores.

The reference is one process per core, each with the version directory that Triton serves and one thread, on batches of
the same posts with their pictures decoded beforehand: what the models alone can do. Ours includes everything: broker,
decoding of events and pictures, gRPC, policies, verdicts. Both get the same posts in the same order.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import psutil
from rich.console import Console

from ops.bench.traffic import Collector
from ops.bench.worker_process import WorkerProcess
from ops.local.kafka import RealKafka
from ops.local.topics import create_topics, standard_topics
from ops.local.triton import EmbeddedTriton
from streams.adapters.kafka import OutRecord, publish_records
from streams.core.events import ContentEvent, ImagePart, TextPart
from streams.core.wire import encode_event
from triton_models.contract import MAX_BATCH

POSTS: Final = 600
WARM_UP: Final = 64
IMAGE_EVERY: Final = 4  # one post in so many has a picture
TIMEOUT_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Post:
    """A post of the bench."""

    text: str
    picture: bytes | None  # a JPEG file


def make_posts(count: int) -> list[Post]:
    """Posts of 5 to 60 words; every IMAGE_EVERYth has a 640 x 480 picture of its own."""
    words = ["lake", "coffee", "train", "friend", "music", "rain", "garden", "match", "recipe", "photo", "street"]
    return [
        Post(
            " ".join(words[(n * 7 + i * i) % len(words)] for i in range(5 + n * 13 % 56)),
            _picture(n) if n % IMAGE_EVERY == 0 else None,
        )
        for n in range(count)
    ]


def _picture(number: int) -> bytes:
    import io

    from PIL import Image

    small = Image.frombytes("RGB", (16, 12), bytes((number * 31 + i * 17) % 256 for i in range(16 * 12 * 3)))
    out = io.BytesIO()
    small.resize((640, 480)).save(out, "JPEG", quality=85)
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast one of the two was, by the clock and by CPU time (which other work on the machine does not touch)."""

    posts: int
    wall_s: float
    cpu_s: float
    degraded: int = 0


def in_process(version: Path, posts: Sequence[Post], cores: int, *, read_text: bool) -> Speed:
    """The ensemble alone, one process per core; `read_text` as the worker does."""
    with multiprocessing.get_context("spawn").Pool(cores) as pool:
        # Neighbours, not every second post: pictures come every fourth, and one process would get them all.
        ends = [len(posts) * core // cores for core in range(cores + 1)]
        shares = [(str(version), read_text, posts[ends[core] : ends[core + 1]]) for core in range(cores)]
        took = pool.map(_judge_share, shares)
    return Speed(len(posts), max(wall for wall, _ in took), sum(cpu for _, cpu in took))


def _judge_share(share: tuple[str, bool, Sequence[Post]]) -> tuple[float, float]:
    """Wall and CPU seconds for the share, batches of MAX_BATCH, after a warm-up."""
    os.environ["OMP_NUM_THREADS"] = "1"
    from triton_models.pixels import decode_image, decode_ocr_image
    from triton_models.serving.ensemble import Ensemble
    from triton_models.serving.items import Item

    version, read_text, posts = share
    ensemble = Ensemble.load(Path(version))
    items = [
        Item(post.text, decode_image(post.picture), decode_ocr_image(post.picture) if read_text else None)
        if post.picture
        else Item(post.text)
        for post in posts
    ]
    ensemble.infer(items[:8])
    started, cpu = time.monotonic(), time.process_time()
    for first in range(0, len(items), MAX_BATCH):
        ensemble.infer(items[first : first + MAX_BATCH])
    return time.monotonic() - started, time.process_time() - cpu


async def through_everything(bootstrap: str, triton: EmbeddedTriton, posts: Sequence[Post], home: Path) -> Speed:
    """From Kafka to verdicts on Kafka; the CPU time of worker and Triton together."""
    prefix = f"serve-{uuid.uuid4().hex[:8]}."
    await asyncio.to_thread(create_topics, bootstrap, standard_topics(prefix))
    env = {
        "WEIR_KAFKA_BOOTSTRAP": bootstrap,
        "WEIR_TRITON_URL": triton.grpc_url,
        "WEIR_TOPIC_PREFIX": prefix,
        "WEIR_GROUP": prefix,
    }
    with WorkerProcess(home / "worker", env) as worker:
        async with Collector(bootstrap, f"{prefix}verdicts", f"{prefix}deadletter") as collector:
            warm = [_record(number, post) for number, post in enumerate(posts[:WARM_UP])]
            await publish_records(bootstrap, f"{prefix}incoming", warm)
            if not await collector.reached(len(warm), timeout_s=TIMEOUT_S):
                raise TimeoutError("the warm-up was not judged in time")
            server = psutil.Process(triton.server.pid)
            started, cpu = time.monotonic(), worker.cpu_s() + _tree_cpu_s(server)
            rest = [_record(WARM_UP + number, post) for number, post in enumerate(posts)]
            await publish_records(bootstrap, f"{prefix}incoming", rest)
            if not await collector.reached(len(warm) + len(rest), timeout_s=TIMEOUT_S):
                raise TimeoutError("the posts were not judged in time")
            wall_s, cpu_s = time.monotonic() - started, worker.cpu_s() + _tree_cpu_s(server) - cpu
            return Speed(len(posts), wall_s, cpu_s, collector.ledger.degraded)


def _tree_cpu_s(process: psutil.Process) -> float:
    """CPU seconds of a process and its children so far."""
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return float(sum(one.user + one.system for one in times))


def _record(number: int, post: Post) -> OutRecord:
    parts: list[ImagePart | TextPart] = [TextPart(text=post.text)]
    if post.picture:
        parts.append(ImagePart(data=post.picture, media_type="image/jpeg"))
    event = ContentEvent(
        event_id=f"event-{number:06}",
        content_id=f"content-{number:06}",
        kind="post",
        created_at=1_700_000_000.0 + number,
        parts=tuple(parts),
        locale="en",
    )
    return OutRecord(encode_event(event), event.key.encode())


def measure(*, posts: int = POSTS) -> dict[str, Any]:
    """The bench's answer."""
    from streams.settings import Settings
    from triton_models.assemble import assemble

    console = Console(stderr=True)
    cores = len(os.sched_getaffinity(0))
    made = make_posts(posts)
    settings = Settings()
    repository = Path(assemble(settings.home))
    version = max((p for p in (repository / "clip_safety").iterdir() if p.name.isdigit()), key=lambda p: int(p.name))
    console.print(f"[dim]{posts} posts in process, {cores} processes …[/dim]")
    reference = in_process(version, made, cores, read_text=settings.image_text)
    with TemporaryDirectory(prefix="weir-serve-") as folder:
        home = Path(folder)
        with EmbeddedTriton(home / "triton", repository) as triton, RealKafka(home / "kafka") as kafka:
            console.print(f"[dim]{posts} posts through Kafka and Triton …[/dim]")
            ours = asyncio.run(through_everything(kafka.bootstrap, triton, made, home))
    return {
        "name": "serve",
        "ratio": round(reference.wall_s / ours.wall_s, 3),
        "ours": round(posts / ours.wall_s, 1),
        "reference": round(posts / reference.wall_s, 1),
        "unit": "posts per second",
        "cpu_ratio": round(reference.cpu_s / ours.cpu_s, 3),
        "ours_cpu_ms": round(ours.cpu_s / posts * 1e3, 1),
        "reference_cpu_ms": round(reference.cpu_s / posts * 1e3, 1),
        "posts": posts,
        "image_share": 1 / IMAGE_EVERY,
        "cores": cores,
        "degraded": ours.degraded,
    }


def main(argv: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="weir bench serve", description=__doc__)
    parser.add_argument("--posts", type=int, default=POSTS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    told = measure(posts=options.posts)
    print(json.dumps(told) if options.json else "\n".join(f"{name:>12}  {value}" for name, value in told.items()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
