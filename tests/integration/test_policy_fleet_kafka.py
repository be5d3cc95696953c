"""A fleet's policies on real Kafka: publish, refuse, roll back, sign; a real worker judges by the pointer."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ops.bench.worker_process import WorkerProcess
from ops.local.kafka import RealKafka
from ops.local.process import free_ports
from ops.local.topics import create_topics, standard_topics
from policies import load_files
from policies.engine.loader import hash_files
from streams.adapters.kafka import OutRecord, publish_records, read_records
from streams.adapters.policy_shipping import Order, read_audit, ship
from streams.adapters.policy_topic import TopicPolicySource
from streams.app import catalogue
from streams.core.shipping import POINTER_KEY, Pointer, ShipmentError, encode_pointer
from streams.core.wire import decode_verdict, encode_event
from tests.factories import a_bundle, an_event

pytestmark = pytest.mark.integration

KEY = b"the fleet's key"
_POLICY = """\
policy: fleet
version: "{number}"
owner: tests@example.com
rules:
  - id: fleet.everything
    category: harassment
    severity: 2
    mode: enforce
    when: {{all: ["kind == 'post'"]}}
    then: {{action: label, reason: R{number}}}
tests:
  - {{name: a post, event: {{kind: post}}, expect: {{action: {expected}}}}}
"""


def files(number: int, *, expected: str = "label") -> dict[str, bytes]:
    """A bundle whose verdicts have the reason `R<number>`; another expectation makes it fail its own test."""
    return {"fleet.yaml": _POLICY.format(number=number, expected=expected).encode()}


class Fleet:
    """The topics of one test."""

    def __init__(self, kafka: RealKafka, prefix: str) -> None:
        self.bootstrap = [kafka.bootstrap]
        self.prefix = prefix
        create_topics(kafka.bootstrap, standard_topics(prefix))
        self.topics = (f"{prefix}policy.bundles", f"{prefix}policy.audit")

    async def publish(self, number: int, **options: str) -> str:
        """Publish a bundle; its hash."""
        made = files(number, **options)
        order = Order("publish", hash_files(made), made, "jo", f"number {number}", float(number))
        return (await ship(self.bootstrap, self.topics, order, key=KEY)).to

    async def rollback(self, hash_: str = "") -> str:
        """Go back; the hash that judges then."""
        order = Order("rollback", hash_, None, "jo", "back", 99.0)
        return (await ship(self.bootstrap, self.topics, order, key=KEY)).to

    @asynccontextmanager
    async def source(self, keep: Path) -> AsyncIterator[TopicPolicySource]:
        """A worker's source that follows the topic."""
        made = TopicPolicySource(self.bootstrap, self.topics[0], a_bundle(), catalogue(), key=KEY, keep=keep)
        watching = asyncio.create_task(made.watch())
        try:
            assert await made.settled(timeout_s=30)
            yield made
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


@pytest.fixture
def fleet(real_kafka: RealKafka, unique_topic: str) -> Fleet:
    """A fleet on the session's broker."""
    return Fleet(real_kafka, f"{unique_topic}.")


async def until(source: TopicPolicySource, *, hash_: str = "", refusals: int = 0) -> None:
    """Wait until the source judges by this bundle, or has refused so often."""
    async with asyncio.timeout(30):
        while source.status.hash != hash_ if hash_ else source.status.refusals < refusals:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_publish_refuse_and_roll_back(fleet: Fleet, tmp_path: Path) -> None:
    """The pointer moves a running source and finds a new one; what does not pass is refused; the audit knows it all."""
    async with fleet.source(tmp_path / "keep") as source:
        assert source.current() is a_bundle()
        first = await fleet.publish(1)
        await until(source, hash_=first)
        second = await fleet.publish(2)
        await until(source, hash_=second)
        bad = await fleet.publish(3, expected="block")
        await until(source, refusals=1)
        assert source.status.hash == second
        assert source.status.refused is not None
        assert "FAILING-TEST" in source.status.refused.problems[0]
        assert await fleet.rollback(first) == first
        await until(source, hash_=first)
        assert await fleet.rollback() == bad  # what judged before by the pointer, though no worker took it
        await until(source, refusals=2)
        assert await fleet.rollback(second) == second
        await until(source, hash_=second)
    async with fleet.source(tmp_path / "other") as fresh:
        assert fresh.status.hash == second
    entries = await read_audit(fleet.bootstrap, fleet.topics[1])
    assert [(e["what"], e["from"], e["to"]) for e in entries] == [
        ("publish", "", first),
        ("publish", first, second),
        ("publish", second, bad),
        ("rollback", bad, first),
        ("rollback", first, bad),
        ("rollback", bad, second),
    ]
    assert {(e["by"], bool(e["reason"]), bool(e["at"])) for e in entries} == {("jo", True, True)}


async def test_a_pointer_that_is_not_signed_moves_nothing(fleet: Fleet, tmp_path: Path) -> None:
    """Whoever may write to the topic still cannot decide what judges."""
    hash_ = await fleet.publish(1)
    async with fleet.source(tmp_path / "keep") as source:
        assert source.status.hash == hash_
        value, headers = encode_pointer(Pointer("0" * 32, 9, 0.0, "mallory", "", ""), b"")
        await publish_records(fleet.bootstrap[0], fleet.topics[0], [OutRecord(value, POINTER_KEY, headers)])
        await until(source, refusals=1)
        assert source.status.hash == hash_
        assert source.status.refused is not None
        assert "not signed" in source.status.refused.problems[0]


async def test_a_worker_starts_with_what_it_judged_by_when_the_pointer_is_bad(fleet: Fleet, tmp_path: Path) -> None:
    """A restart while the fleet's bundle is refused is no outage and no step back to the seed."""
    good = await fleet.publish(1)
    async with fleet.source(tmp_path / "keep"):
        pass
    await fleet.publish(2, expected="block")
    async with fleet.source(tmp_path / "keep") as source:
        assert source.status.hash == good
        assert source.status.refusals == 1


async def test_going_back_needs_somewhere_to_go(fleet: Fleet) -> None:
    """Before anything was published, and to a bundle that never was."""
    with pytest.raises(ShipmentError, match="no bundle to go back"):
        await fleet.rollback()
    await fleet.publish(1)
    with pytest.raises(ShipmentError, match="was ever published"):
        await fleet.rollback("0" * 32)


@pytest.mark.slow
async def test_a_real_worker_judges_by_the_pointer(fleet: Fleet, tmp_path: Path) -> None:
    """`WEIR_POLICY_SOURCE=topic`: from the first event on, and after a swap while it runs."""
    first = await fleet.publish(1)
    (no_triton,) = free_ports(1)
    env = {
        "WEIR_KAFKA_BOOTSTRAP": fleet.bootstrap[0],
        "WEIR_TRITON_URL": f"127.0.0.1:{no_triton}",
        "WEIR_TOPIC_PREFIX": fleet.prefix,
        "WEIR_GROUP": fleet.prefix,
        "WEIR_POLICY_SOURCE": "topic",
        "WEIR_POLICY_KEY": KEY.decode(),
    }
    with WorkerProcess(tmp_path / "worker", env):
        assert await _judged(fleet, 0) == (f"fleet@0#{first}", ["R1"])
        second = await fleet.publish(2)
        async with asyncio.timeout(60):
            number = 1
            while (found := await _judged(fleet, number))[0] != f"fleet@0#{second}":
                assert found == (f"fleet@0#{first}", ["R1"])
                number += 1
        assert found == (f"fleet@0#{second}", ["R2"])


async def _judged(fleet: Fleet, number: int) -> tuple[str, list[str]]:
    """Publish one event; the bundle and the reasons of its verdict."""
    event = an_event(event_id=f"event-{number}", content_id=f"content-{number}")
    record = OutRecord(encode_event(event), event.key.encode())
    await publish_records(fleet.bootstrap[0], f"{fleet.prefix}incoming", [record])
    async with asyncio.timeout(60):
        async for found in read_records(fleet.bootstrap[0], f"{fleet.prefix}verdicts", from_beginning=True):
            verdict = decode_verdict(found.value or b"")
            if verdict.event_id == event.event_id:
                return verdict.versions.policy, list(verdict.reasons)
    raise AssertionError("the topic ended")


def test_the_bundles_of_these_tests_load() -> None:
    """The refused one is refused for its test alone."""
    assert load_files(files(3, expected="block"), catalogue()).hash == hash_files(files(3, expected="block"))


def test_the_commands_publish_roll_back_and_tell(fleet: Fleet, tmp_path: Path) -> None:
    """Exit codes for scripts: 0 published, 1 it does not pass or there is nothing to go back to, 3 no broker."""
    env = {
        "WEIR_KAFKA_BOOTSTRAP": fleet.bootstrap[0],
        "WEIR_TOPIC_PREFIX": fleet.prefix,
        "WEIR_POLICY_KEY": KEY.decode(),
        "WEIR_HOME": str(tmp_path / "home"),
    }

    def weir(*words: str, bootstrap: str = fleet.bootstrap[0]) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-m", "ops.cli", "policy", *words],
            env={**os.environ, **env, "WEIR_KAFKA_BOOTSTRAP": bootstrap},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    folder = tmp_path / "policies"
    folder.mkdir()
    assert weir("rollback", "--reason", "none")[0] == 1
    (folder / "fleet.yaml").write_bytes(files(1)["fleet.yaml"])
    code, out, _ = weir("publish", str(folder), "--reason", "first", "--by", "jo", "--json")
    assert (code, json.loads(out)) == (0, {"from": "", "to": hash_files(files(1)), "sequence": 1, "signed": True})
    (folder / "fleet.yaml").write_bytes(files(2, expected="block")["fleet.yaml"])
    code, _, errors = weir("publish", str(folder), "--reason", "bad")
    assert code == 1
    assert "FAILING-TEST" in errors
    assert "nothing was published" in errors
    (folder / "fleet.yaml").write_bytes(files(2)["fleet.yaml"])
    assert weir("publish", str(folder), "--reason", "second")[0] == 0
    assert weir("rollback", "--reason", "back", "--by", "jo")[0] == 0
    told = json.loads(weir("history", "--json")[1])
    assert [(e["what"], e["to"]) for e in told] == [
        ("publish", hash_files(files(1))),
        ("publish", hash_files(files(2))),
        ("rollback", hash_files(files(1))),
    ]
    (nowhere,) = free_ports(1)
    assert weir("history", bootstrap=f"127.0.0.1:{nowhere}")[0] == 3
