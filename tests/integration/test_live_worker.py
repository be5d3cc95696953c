"""A real worker on real Kafka while people edit its policies: swaps, broken edits, kill -9, a known picture."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from ops.bench.worker_process import WorkerProcess
from ops.local.kafka import RealKafka
from ops.local.process import free_ports
from ops.local.topics import create_topics, standard_topics
from policies import load_bundle
from policies.engine.verdict import Verdict
from streams.adapters.hash_bank_files import bank_path, write_bank
from streams.adapters.prints import take_prints
from streams.app import catalogue
from streams.core.bank_rows import BankEntry
from streams.core.events import Author, ContentEvent, ImagePart, TextPart
from streams.core.wire import decode_verdict, encode_event
from tests.factories import SOME_TIME_S
from tests.pictures import a_scene, as_file

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SWAPS = 40
EVENTS = 1_500
AUTHORS = 10
_POLICY = """\
policy: live
version: "{number}"
owner: tests@example.com
rules:
  - id: live.everything
    category: spam_scam
    severity: 1
    mode: enforce
    when: {{all: ["{signal} < 1000000"]}}
    then: {{action: label, reason: R{number}}}
    evidence: "{{velocity.posts_1h}}"
  - id: live.known
    category: violence.extremism
    severity: 6
    mode: enforce
    floor: true
    when: {{all: [hash.known.hits >= 1]}}
    then: {{action: block, review: high, reason: KNOWN}}
tests:
  - {{name: any post, signals: {{velocity.posts_1h: 3}}, expect: {{action: label, reasons: [R{number}]}}}}
"""
_BANK = "bank: known\nversion: '1'\nowner: tests@example.com\n"


def write_policy(folder: Path, number: int, *, broken: bool = False) -> str:
    """Put version `number` into the folder as an editor does; the label of its bundle, empty when it is broken."""
    text = _POLICY.format(number=number, signal="velocity.post_1h" if broken else "velocity.posts_1h")
    (folder / "banks").mkdir(parents=True, exist_ok=True)
    (folder / "banks" / "known.yaml").write_text(_BANK, encoding="utf-8")
    part = folder / ".live.yaml.part"
    part.write_text(text, encoding="utf-8")
    part.replace(folder / "live.yaml")
    return "" if broken else load_bundle(folder, catalogue()).label


def event(number: int, *, picture: bytes | None = None) -> ContentEvent:
    """Event `number`, by one of the authors in turn."""
    parts: tuple[TextPart | ImagePart, ...] = (TextPart(text=f"post {number}"),)
    if picture is not None:
        parts = (*parts, ImagePart(data=picture, media_type="image/jpeg"))
    return ContentEvent(
        event_id=f"event-{number:05}",
        content_id=f"content-{number:05}",
        kind="post",
        created_at=SOME_TIME_S + number,
        parts=parts,
        author=Author(id=f"author-{number % AUTHORS}"),
        locale="en",
    )


async def publish(bootstrap: str, topic: str, events: list[ContentEvent], *, pause_s: float) -> None:
    """One after another, in the order of their numbers."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        for one in events:
            await producer.send(topic, encode_event(one), key=one.key.encode())
            await asyncio.sleep(pause_s)
        await producer.flush()


async def verdicts(bootstrap: str, topic: str, count: int) -> dict[str, list[Verdict]]:
    """Every verdict by event, once `count` events have one."""
    found: dict[str, list[Verdict]] = {}
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    async with asyncio.timeout(240), consumer:
        while len(found) < count:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    verdict = decode_verdict(record.value or b"")
                    found.setdefault(verdict.event_id, []).append(verdict)
    return found


async def page(address: str, path: str) -> str:
    """A page of the worker; asked again while the worker restarts."""

    def ask() -> str:
        with urlopen(f"http://{address}{path}", timeout=30) as answer:
            return str(answer.read().decode())

    async with asyncio.timeout(60):
        while True:
            try:
                return await asyncio.to_thread(ask)
            except OSError:
                await asyncio.sleep(0.2)


async def until(address: str, holds: Callable[[dict[str, Any]], bool]) -> None:
    """Wait until the page's word about policies is right."""
    async with asyncio.timeout(60):
        while not holds(json.loads(await page(address, "/status"))["policy"]):  # noqa: ASYNC110
            await asyncio.sleep(0.2)


async def test_kill_9_in_the_middle_of_swaps_and_counters(real_kafka: RealKafka, tmp_path: Path) -> None:
    """Forty edits, a third broken, and two kills: nothing lost, every hash tells the truth, counters are exact."""
    prefix, folder = f"live-{uuid.uuid4().hex[:8]}.", tmp_path / "policies"
    create_topics(real_kafka.bootstrap, standard_topics(prefix))
    reason_of = {write_policy(folder, 0): "R0"}
    known = as_file(a_scene(1), "JPEG", quality=80)
    look = take_prints(as_file(a_scene(1)), True, 40_000_000).look
    assert look is not None
    write_bank(bank_path(tmp_path / "banks", "known"), [BankEntry("pdq", look.variants[0], "4711")])
    no_triton, status_port = free_ports(2)
    env = {
        "WEIR_KAFKA_BOOTSTRAP": real_kafka.bootstrap,
        "WEIR_TRITON_URL": f"127.0.0.1:{no_triton}",
        "WEIR_TOPIC_PREFIX": prefix,
        "WEIR_GROUP": prefix,
        "WEIR_POLICIES": str(folder),
        "WEIR_BANKS": str(tmp_path / "banks"),
        "WEIR_SESSION_TIMEOUT_S": "6",
        "WEIR_STATUS_ADDRESS": f"127.0.0.1:{status_port}",
    }
    events = [event(n, picture=known if n % 500 == 499 else None) for n in range(EVENTS)]
    with WorkerProcess(tmp_path / "worker", env) as worker:
        await page(f"127.0.0.1:{status_port}", "/healthz")
        sending = asyncio.create_task(publish(real_kafka.bootstrap, f"{prefix}incoming", events, pause_s=0.03))
        for number in range(1, SWAPS + 1):
            broken = number % 3 == 1
            label = write_policy(folder, number, broken=broken)
            if label:
                reason_of[label] = f"R{number}"
            if number in (SWAPS // 3, 2 * SWAPS // 3):
                await asyncio.to_thread(worker.kill_child)
            await asyncio.sleep(1.2)
        await sending
        found = await verdicts(real_kafka.bootstrap, f"{prefix}verdicts", EVENTS)
        last = write_policy(folder, SWAPS + 1)
        await until(f"127.0.0.1:{status_port}", lambda policy: policy["bundle"] == last)
        write_policy(folder, SWAPS + 2, broken=True)
        await until(f"127.0.0.1:{status_port}", lambda policy: policy["refused"] is not None)
        status = json.loads(await page(f"127.0.0.1:{status_port}", "/status"))
        metrics = await page(f"127.0.0.1:{status_port}", "/metrics")
    assert len(found) == EVENTS
    used = set()
    for number in range(EVENTS):
        for verdict in found[f"event-{number:05}"]:
            used.add(verdict.versions.policy)
            assert reason_of[verdict.versions.policy] in verdict.reasons, verdict.versions.policy
            told = [match.text for match in verdict.matches if match.rule == "live.everything"]
            assert told == [str(number // AUTHORS)], f"event {number}"
            assert verdict.action == ("block" if number % 500 == 499 else "label")
    assert len(used) > 3
    assert status["policy"]["bundle"] == last
    assert "did you mean 'velocity.posts_1h'" in status["policy"]["refused"]["problems"][0]
    assert (status["counters"], status["banks"]["known"]["pdq"], status["model"]) == ("ready", 1, "down")
    assert "weir_policy_refused 1" in metrics
    assert f'weir_policy_info{{bundle="{status["policy"]["bundle"]}"}} 1' in metrics
