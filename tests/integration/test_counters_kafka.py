"""Counters on real Kafka: exact through kill -9, taken over by another worker, read back after all were down."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from ops.bench.worker_process import WorkerProcess
from ops.local.kafka import RealKafka
from ops.local.process import free_ports
from ops.local.topics import create_topics, standard_topics
from policies.engine.verdict import Verdict
from streams.core.events import Author, ContentEvent, TextPart
from streams.core.wire import decode_verdict, encode_event
from tests.factories import SOME_TIME_S

pytestmark = [pytest.mark.integration, pytest.mark.slow]

AUTHORS = 12
_RULE = """\
  - id: count.{name}
    category: spam_scam
    severity: 1
    mode: enforce
    when: {{all: ["{signal} < 1000000"]}}
    then: {{action: {action}, reason: {reason}}}
    evidence: "{{{signal}}}"
"""
_POLICY = 'policy: count\nversion: "1"\nowner: tests@example.com\nrules:\n' + "".join(
    _RULE.format(name=name, signal=signal, action=action, reason=name.upper())
    for name, signal, action in (
        ("posts", "velocity.posts_1h", "label"),
        ("copies", "velocity.duplicates_1h", "label"),
        ("strikes", "author.strikes", "label"),
    )
) + """\
  - id: count.struck
    category: spam_scam
    severity: 3
    mode: enforce
    when: {all: ["surface == 'bad'"]}
    then: {action: limit, reason: BAD}
    evidence: "bad"
"""  # fmt: skip


class Scene:
    """Topics of its own, a folder of policies that show every counter, and events in the order of their numbers."""

    def __init__(self, kafka: RealKafka, home: Path) -> None:
        self.bootstrap = kafka.bootstrap
        self.home = home
        self.prefix = f"count-{uuid.uuid4().hex[:8]}."
        create_topics(self.bootstrap, standard_topics(self.prefix))
        policies = home / "policies"
        policies.mkdir(parents=True)
        (policies / "count.yaml").write_text(_POLICY, encoding="utf-8")
        (no_triton,) = free_ports(1)
        self.env = {
            "WEIR_KAFKA_BOOTSTRAP": self.bootstrap,
            "WEIR_TRITON_URL": f"127.0.0.1:{no_triton}",
            "WEIR_TOPIC_PREFIX": self.prefix,
            "WEIR_POLICIES": str(policies),
            "WEIR_GROUP": self.prefix,
            "WEIR_SESSION_TIMEOUT_S": "6",
        }

    @contextmanager
    def worker(self, name: str) -> Iterator[WorkerProcess]:
        """A real worker under its supervisor."""
        with WorkerProcess(self.home / name, self.env) as running:
            yield running

    async def publish(self, events: list[ContentEvent]) -> None:
        """Publish them in order; one author's events share a partition."""
        async with AIOKafkaProducer(bootstrap_servers=self.bootstrap, acks="all") as producer:
            for event in events:
                await producer.send(f"{self.prefix}incoming", encode_event(event), key=event.key.encode())
            await producer.flush()

    async def verdicts(self, count: int, *, timeout_s: float = 150.0) -> dict[str, list[Verdict]]:
        """Every verdict by event, as soon as `count` events have one, and a moment later for repeats."""
        found: dict[str, list[Verdict]] = {}
        async with asyncio.timeout(timeout_s), self._consumer("verdicts") as consumer:
            quiet = 0
            while len(found) < count or quiet < 4:
                records = [r for batch in (await consumer.getmany(timeout_ms=500)).values() for r in batch]
                quiet = 0 if records else quiet + 1
                for record in records:
                    verdict = decode_verdict(record.value or b"")
                    found.setdefault(verdict.event_id, []).append(verdict)
        return found

    @contextlib.asynccontextmanager
    async def _consumer(self, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = AIOKafkaConsumer(
            f"{self.prefix}{topic}", bootstrap_servers=self.bootstrap, auto_offset_reset="earliest"
        )
        async with consumer:
            yield consumer


@pytest.fixture
def scene(real_kafka: RealKafka, tmp_path: Path) -> Scene:
    """A scene on the session's broker."""
    return Scene(real_kafka, tmp_path)


def event(number: int, *, surface: str = "feed", text: str = "") -> ContentEvent:
    """Event `number`, by one of the authors in turn, a second after the one before."""
    return ContentEvent(
        event_id=f"event-{number:05}",
        content_id=f"content-{number:05}",
        kind="post",
        created_at=SOME_TIME_S + number,
        parts=(TextPart(text=text or f"a text that only author {number % AUTHORS} writes".replace(
            str(number % AUTHORS), "abcdefghijkl"[number % AUTHORS])),),
        author=Author(id=f"author-{number % AUTHORS}"),
        surface=surface,
        locale="en",
    )  # fmt: skip


def shown(verdict: Verdict) -> Mapping[str, float]:
    """The counters that the verdict was made from."""
    return {
        match.rule.removeprefix("count."): float(match.text)
        for match in verdict.matches
        if match.rule != "count.struck"
    }


def wrong(found: Mapping[str, list[Verdict]], numbers: range) -> list[str]:
    """The events whose counters are not what they must be, in words."""
    made = []
    for number in numbers:
        for verdict in found[f"event-{number:05}"]:
            before = number // AUTHORS  # earlier events of the author; all have the same text
            told = shown(verdict)
            if (told.get("posts"), told.get("copies")) != (before, before):
                made.append(f"{verdict.event_id}: {dict(told)}, expected {before}")
    return made


async def test_counts_are_exact_through_kill_9(scene: Scene) -> None:
    """Killed three times while it judges: every verdict, of events judged twice as well, has the right counts."""
    events = [event(n, surface="bad" if n % 50 == 0 else "feed") for n in range(1_200)]
    with scene.worker("w") as worker:
        for start in range(0, 1_200, 300):
            publishing = asyncio.create_task(scene.publish(events[start : start + 300]))
            if start:
                await asyncio.sleep(0.3)
                await asyncio.to_thread(worker.kill_child)
            await publishing
            await scene.verdicts(start + 300)
        await scene.publish([event(n) for n in range(1_200, 1_200 + AUTHORS)])
        found = await scene.verdicts(1_200 + AUTHORS)
    assert len(found) == 1_200 + AUTHORS
    assert wrong(found, range(1_200 + AUTHORS)) == []
    for number in range(1_200, 1_200 + AUTHORS):  # strikes count once their verdict is out: ask when all are
        bad = [n for n in range(0, 1_200, 50) if n % AUTHORS == number % AUTHORS]
        expected = sum(0.5 ** ((number - n) / (30 * 86_400)) for n in bad)
        assert shown(found[f"event-{number:05}"][0])["strikes"] == pytest.approx(expected, abs=1e-3)


async def test_another_worker_takes_the_counters_over(scene: Scene) -> None:
    """One worker is killed for good: the other one goes on counting where it stopped."""
    events = [event(n) for n in range(600)]
    with scene.worker("one") as one, scene.worker("two"):
        await scene.publish(events[:300])
        await scene.verdicts(300)
        await asyncio.to_thread(one.kill)
        await scene.publish(events[300:])
        found = await scene.verdicts(600)
    assert wrong(found, range(600)) == []


async def test_counters_are_read_back_after_all_workers_were_down(scene: Scene) -> None:
    """Stopped and started: no counter is zero that was not, and the first event already has the right one."""
    with scene.worker("w") as worker:
        await scene.publish([event(n) for n in range(120)])
        await scene.verdicts(120)
        assert await asyncio.to_thread(worker.stop) == 0
        worker.start_again()
        await scene.publish([event(n) for n in range(120, 180)])
        found = await scene.verdicts(180)
    assert wrong(found, range(180)) == []
