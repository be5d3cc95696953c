"""The promises of the ports: every fake and its real twin pass the same suite."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import faust
import pytest

from ops.local.broker import EmbeddedBroker
from ops.local.kafka import RealKafka
from ops.local.topics import TopicSpec
from streams.adapters.clock import SystemClock
from streams.adapters.media import FileMedia
from streams.adapters.policy_library import FixedPolicies
from streams.adapters.triton import TritonModel
from streams.agents.runtime import FaustOutbox
from streams.ports import (
    Clock,
    MediaFetcher,
    MediaUnavailableError,
    ModelClient,
    ModelItem,
    ModelUnavailableError,
    Outbox,
    PolicySource,
    TooLargeError,
)
from tests.factories import a_bundle
from tests.fakes import FakeClock, FakeMedia, FakeModel, FakeOutbox, FakePolicies
from tests.stub_triton import StubTriton
from triton_models.contract import LABELS, ROWS

pytestmark = pytest.mark.integration

LIMIT_BYTES = 100_000


@pytest.fixture(params=["fake", "real"])
def clock(request: pytest.FixtureRequest) -> Clock:
    """A clock."""
    return FakeClock() if request.param == "fake" else SystemClock()


def test_durations_never_go_back(clock: Clock) -> None:
    """And the time of day is in seconds since the epoch."""
    first = clock.monotonic()
    assert clock.monotonic() >= first
    assert 1.6e9 < clock.time() < 1e11


@pytest.fixture(params=["fake", "real"])
def media(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[MediaFetcher, str]]:
    """Media with one file in it, and the beginning of its URIs."""
    if request.param == "fake":
        yield FakeMedia({"file:///media/a.png": b"picture"}), "file:///media"
        return
    (tmp_path / "a.png").write_bytes(b"picture")
    with ThreadPoolExecutor(1) as threads:
        yield FileMedia([tmp_path], max_bytes=1_000, threads=threads), f"file://{tmp_path}"


async def test_media_are_bytes_or_a_reason(media: tuple[MediaFetcher, str]) -> None:
    """What is there comes back; what is not is an error with a code, and no other exception."""
    fetcher, root = media
    assert await fetcher.fetch(f"{root}/a.png") == b"picture"
    with pytest.raises(MediaUnavailableError) as caught:
        await fetcher.fetch(f"{root}/b.png")
    assert caught.value.code == "media.missing"
    assert "b.png" not in caught.value.why


@pytest.fixture(params=["fake", "real"])
def policies(request: pytest.FixtureRequest) -> PolicySource:
    """A source of policies."""
    return FakePolicies(a_bundle()) if request.param == "fake" else FixedPolicies(a_bundle())


def test_policies_in_force_are_a_bundle(policies: PolicySource) -> None:
    """Asked twice without a change, it is the same one."""
    assert policies.current() is policies.current()


@pytest.fixture(scope="module")
def stub() -> Iterator[StubTriton]:
    """Something that speaks Triton's protocol."""
    with StubTriton() as running:
        yield running


@pytest.fixture(params=["fake", "real"])
async def model(request: pytest.FixtureRequest, stub: StubTriton) -> AsyncIterator[ModelClient]:
    """A model that answers."""
    if request.param == "fake":
        yield FakeModel()
        return
    client = TritonModel(stub.grpc_url, in_flight=2)
    yield client
    await client.close()


@pytest.fixture(params=["fake", "real"])
async def dead_model(request: pytest.FixtureRequest) -> AsyncIterator[ModelClient]:
    """A model that does not answer."""
    if request.param == "fake":
        yield FakeModel(gate=asyncio.Event())
        return
    client = TritonModel("127.0.0.1:9", in_flight=2)
    yield client
    await client.close()


async def test_there_is_one_opinion_per_item(model: ModelClient) -> None:
    """In the contract's shape: every row, every label, a probability or None."""
    opinions = await model.infer([ModelItem(f"text {n}", None) for n in range(70)], timeout_s=10)
    assert len(opinions) == 70
    for opinion in opinions:
        assert set(opinion.scores) == set(ROWS)
        assert all(len(scores) == len(LABELS) for scores in opinion.scores.values())
        assert all(score is None or 0 <= score <= 1 for scores in opinion.scores.values() for score in scores)
        assert len(opinion.severity) == len(LABELS)
        assert opinion.release


async def test_no_items_are_no_opinions(model: ModelClient) -> None:
    """Nothing is asked."""
    assert await model.infer([], timeout_s=1) == []


async def test_a_model_that_does_not_answer_is_a_timeout(dead_model: ModelClient) -> None:
    """Within the time, and as the error that detectors know."""
    async with asyncio.timeout(20):
        with pytest.raises(ModelUnavailableError) as caught:
            await dead_model.infer([ModelItem("text", None)], timeout_s=0.2)
    assert caught.value.timeout


@pytest.fixture(params=["fake", "embedded", "real"])
async def outbox(request: pytest.FixtureRequest, unique_topic: str) -> AsyncIterator[tuple[Outbox, str]]:
    """An outbox and a topic that takes records of up to LIMIT_BYTES."""
    if request.param == "fake":
        yield FakeOutbox(refuse_above=LIMIT_BYTES), unique_topic
        return
    if request.param == "embedded":
        broker: EmbeddedBroker = request.getfixturevalue("embedded_broker")
        bootstrap = broker.bootstrap
    else:
        kafka: RealKafka = request.getfixturevalue("real_kafka")
        kafka.create_topics([TopicSpec(unique_topic)])
        bootstrap = kafka.bootstrap
    app = faust.App(
        unique_topic, broker=f"kafka://{bootstrap}", producer_max_request_size=LIMIT_BYTES, producer_acks=-1
    )
    await app.producer.start()
    yield FaustOutbox(app), unique_topic
    await app.producer.stop()


async def test_a_record_is_acknowledged(outbox: tuple[Outbox, str]) -> None:
    """Also one without key, value or headers."""
    box, topic = outbox
    acks = [
        await box.send(topic, b"k", b"value", (("schema", b"x"),)),
        await box.send(topic, None, None, ()),
    ]
    for ack in acks:
        async with asyncio.timeout(30):
            await ack


async def test_a_record_that_is_too_large_says_so(outbox: tuple[Outbox, str]) -> None:
    """From the call or from the ack, and the outbox works on."""
    box, topic = outbox
    with pytest.raises(TooLargeError):
        await (await box.send(topic, b"k", b"x" * (LIMIT_BYTES + 1), ()))
    await (await box.send(topic, b"k", b"x", ()))


async def test_the_brokers_own_limit_is_the_same_error(real_kafka: RealKafka, unique_topic: str) -> None:
    """A topic that takes less than the producer sends."""
    real_kafka.create_topics([TopicSpec(unique_topic, max_message_bytes=10_000)])
    app = faust.App(unique_topic, broker=f"kafka://{real_kafka.bootstrap}", producer_acks=-1)
    await app.producer.start()
    try:
        box = FaustOutbox(app)
        with pytest.raises(TooLargeError):
            await (await box.send(unique_topic, b"k", b"x" * 20_000, ()))
        await (await box.send(unique_topic, b"k", b"x", ()))
    finally:
        await app.producer.stop()
