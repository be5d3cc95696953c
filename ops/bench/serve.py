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


def in_process(version: Path, posts: Sequence[Post], cores: int) -> float:
    """Posts a second of the ensemble alone, one process per core."""
    with multiprocessing.get_context("spawn").Pool(cores) as pool:
        shares = [(str(version), posts[core::cores]) for core in range(cores)]
        took = pool.map(_judge_share, shares)
    return len(posts) / max(took)


def _judge_share(share: tuple[str, Sequence[Post]]) -> float:
    """Seconds for the share, batches of MAX_BATCH, after a warm-up."""
    os.environ["OMP_NUM_THREADS"] = "1"
    from triton_models.pixels import decode_image
    from triton_models.serving.ensemble import Ensemble
    from triton_models.serving.items import Item

    version, posts = share
    ensemble = Ensemble.load(Path(version))
    items = [Item(text=post.text, image=decode_image(post.picture) if post.picture else None) for post in posts]
    ensemble.infer(items[:8])
    started = time.monotonic()
    for first in range(0, len(items), MAX_BATCH):
        ensemble.infer(items[first : first + MAX_BATCH])
    return time.monotonic() - started


async def through_everything(bootstrap: str, triton_url: str, posts: Sequence[Post], home: Path) -> tuple[float, int]:
    """Posts a second from Kafka to verdicts on Kafka, and how many verdicts were degraded."""
    prefix = f"serve-{uuid.uuid4().hex[:8]}."
    await asyncio.to_thread(create_topics, bootstrap, standard_topics(prefix))
    env = {
        "WEIR_KAFKA_BOOTSTRAP": bootstrap,
        "WEIR_TRITON_URL": triton_url,
        "WEIR_TOPIC_PREFIX": prefix,
        "WEIR_GROUP": prefix,
    }
    with WorkerProcess(home / "worker", env):
        async with Collector(bootstrap, f"{prefix}verdicts", f"{prefix}deadletter") as collector:
            warm = [_record(number, post) for number, post in enumerate(posts[:WARM_UP])]
            await publish_records(bootstrap, f"{prefix}incoming", warm)
            if not await collector.reached(len(warm), timeout_s=TIMEOUT_S):
                raise TimeoutError("the warm-up was not judged in time")
            started = time.monotonic()
            rest = [_record(WARM_UP + number, post) for number, post in enumerate(posts)]
            await publish_records(bootstrap, f"{prefix}incoming", rest)
            if not await collector.reached(len(warm) + len(rest), timeout_s=TIMEOUT_S):
                raise TimeoutError("the posts were not judged in time")
            return len(posts) / (time.monotonic() - started), collector.ledger.degraded


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
    repository = Path(assemble(Settings().home))
    version = max((p for p in (repository / "clip_safety").iterdir() if p.name.isdigit()), key=lambda p: int(p.name))
    console.print(f"[dim]{posts} posts in process, {cores} processes …[/dim]")
    reference = in_process(version, made, cores)
    with TemporaryDirectory(prefix="weir-serve-") as folder:
        home = Path(folder)
        with EmbeddedTriton(home / "triton", repository) as triton, RealKafka(home / "kafka") as kafka:
            console.print(f"[dim]{posts} posts through Kafka and Triton …[/dim]")
            ours, degraded = asyncio.run(through_everything(kafka.bootstrap, triton.grpc_url, made, home))
    return {
        "name": "serve",
        "ratio": round(ours / reference, 3),
        "ours": round(ours, 1),
        "reference": round(reference, 1),
        "unit": "posts per second",
        "posts": posts,
        "image_share": 1 / IMAGE_EVERY,
        "cores": cores,
        "degraded": degraded,
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
