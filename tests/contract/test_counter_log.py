"""The counters' log on the embedded broker and on real Kafka: what was written is read back before it is ready."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaProducer

from ops.local.broker import EmbeddedBroker
from ops.local.kafka import RealKafka
from ops.local.topics import create_topics, standard_topics
from policies.engine.taxonomy import Action
from streams.adapters.counter_log import CounterLog, CounterTopics
from streams.core.counters import Tally
from streams.core.facts import Fact, encode_facts, key_of
from streams.core.strikes import Strikes

pytestmark = pytest.mark.integration


@pytest.fixture(params=["embedded", "real"])
def broker(request: pytest.FixtureRequest) -> EmbeddedBroker | RealKafka:
    """Each kind of broker in turn."""
    made: EmbeddedBroker | RealKafka = request.getfixturevalue(f"{request.param}_{_SECOND[request.param]}")
    return made


_SECOND = {"embedded": "broker", "real": "kafka"}


@pytest.fixture
async def topics(broker: EmbeddedBroker | RealKafka) -> CounterTopics:
    """Topics that no other test uses, and that are there."""
    prefix = f"log-{uuid.uuid4().hex[:8]}."
    made = CounterTopics(f"{prefix}policy.facts", f"{prefix}policy.strikes")
    if isinstance(broker, RealKafka):
        await asyncio.to_thread(create_topics, broker.bootstrap, standard_topics(prefix))
    else:
        await _publish(broker.bootstrap, made.facts, [])  # there, a topic appears when somebody asks for it
        await _publish(broker.bootstrap, made.strikes, [])
    return made


async def _publish(bootstrap: str, topic: str, records: list[tuple[bytes, bytes]]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        await producer.partitions_for(topic)
        for key, value in records:
            await producer.send_and_wait(topic, value, key=key)


@asynccontextmanager
async def following(bootstrap: str, topics: CounterTopics) -> AsyncIterator[tuple[CounterLog, Tally, Strikes]]:
    """A log that runs."""
    tally, strikes = Tally(1_000), Strikes()
    log = CounterLog([bootstrap], topics, tally, strikes)
    running = asyncio.create_task(log.run())
    try:
        yield log, tally, strikes
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def facts(*numbers: int) -> bytes:
    """A record of facts."""
    return encode_facts([Fact(id=n, at=1_700_000_000.0 + n, author=n % 3) for n in numbers])


async def test_nothing_written_is_ready_at_once(broker: EmbeddedBroker | RealKafka, topics: CounterTopics) -> None:
    """A first start has nothing to read and does not wait for it."""
    async with following(broker.bootstrap, topics) as (log, tally, _):
        assert not log.ready
        log.assigned()
        assert await log.wait_ready(30)
        assert (len(tally), log.problem, log.writable) == (0, "", True)


async def test_what_was_written_is_there_when_it_is_ready(
    broker: EmbeddedBroker | RealKafka, topics: CounterTopics
) -> None:
    """Facts of all partitions and strikes, bad records passed over; and what is written later arrives too."""
    struck = Fact(id=1, at=1_700_000_001.0, author=1, strike=int(Action.BLOCK))
    packed = Strikes().add(struck)
    assert packed is not None
    await _publish(broker.bootstrap, topics.strikes, [(key_of(1), packed), (key_of(2), b"\xc1 no strikes")])
    records = [(b"%d" % n, facts(n * 10, n * 10 + 1)) for n in range(20)]
    await _publish(broker.bootstrap, topics.facts, [*records, (b"1", b"no facts"), (b"2", facts(0))])
    async with following(broker.bootstrap, topics) as (log, tally, strikes):
        log.assigned()
        assert await log.wait_ready(30)
        assert (len(tally), len(strikes)) == (40, 1)
        await _publish(broker.bootstrap, topics.facts, [(b"9", facts(900, 901))])
        log.assigned()
        assert not log.ready
        assert await log.wait_ready(30)
        assert len(tally) == 42


async def test_topics_that_are_missing_are_a_problem_in_words(real_kafka: RealKafka) -> None:
    """Nothing is created by asking, nothing is written, and the operator is told the command."""
    missing = CounterTopics(f"no-{uuid.uuid4().hex}.facts", f"no-{uuid.uuid4().hex}.strikes")
    async with following(real_kafka.bootstrap, missing) as (log, _, __):
        log.assigned()
        assert not await log.wait_ready(3)
        assert "weir kafka topics" in log.problem
        assert not log.writable
