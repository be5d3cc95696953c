"""The client of the ensemble against the real server: answers, refusals, and coming back after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from ops.local.triton import EmbeddedTriton, TritonOptions, TritonPorts
from streams.adapters.triton import TritonModel
from streams.ports import ModelItem, ModelUnavailableError
from triton_models.contract import IMAGE_BYTES, LABELS

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture
async def model(embedded_triton: EmbeddedTriton) -> AsyncIterator[TritonModel]:
    """A client of the assembled ensemble."""
    client = TritonModel(embedded_triton.grpc_url, in_flight=4)
    yield client
    await client.close()


async def test_texts_and_pictures_are_judged_in_one_call(model: TritonModel) -> None:
    """More items than a batch: each gets its own opinion, from what it has."""
    picture = bytes(IMAGE_BYTES)
    items = [ModelItem("good morning", None), ModelItem(None, picture), ModelItem("a caption", picture)] * 12
    opinions = await model.infer(items, timeout_s=60)
    assert len(opinions) == 36
    text, image, both = opinions[:3]
    hate = LABELS.index("hate")
    assert text.scores["text"][hate] is not None
    assert text.scores["image"] == (None,) * len(LABELS)
    assert image.scores["text"] == (None,) * len(LABELS)
    assert text.joint == image.joint == (None, None, None)
    assert both.scores["text"][hate] is not None
    assert text.tier == "reference"


async def test_a_category_that_nothing_judges_abstains(model: TritonModel) -> None:
    """`sexual_minors` is never a model's guess."""
    (opinion,) = await model.infer([ModelItem("good morning", bytes(IMAGE_BYTES))], timeout_s=60)
    minors = LABELS.index("sexual_minors")
    assert all(scores[minors] is None for scores in opinion.scores.values())
    assert opinion.severity[minors] is None


async def test_the_same_item_gets_the_same_opinion(model: TritonModel) -> None:
    """Asked again, the scores are the same."""
    first = await model.infer([ModelItem("some words to judge", None)], timeout_s=60)
    second = await model.infer([ModelItem("some words to judge", None)], timeout_s=60)
    assert first == second


async def test_hostile_texts_are_judged_or_refused_but_never_hang(model: TritonModel) -> None:
    """Empty, endless, control characters, one symbol ten thousand times."""
    texts = ["", " ", "\x00" * 100, "a" * 10_000, "\u202e\u200b" * 500, "👨‍👩‍👧‍👦" * 300, "\ufffd" * 1_000]
    opinions = await model.infer([ModelItem(text, None) for text in texts], timeout_s=60)
    assert len(opinions) == len(texts)


async def test_health_is_a_real_inference(model: TritonModel) -> None:
    """The running server is healthy; an address without one is not."""
    assert await model.healthy(timeout_s=30)
    nobody = TritonModel("127.0.0.1:9", in_flight=1)
    assert not await nobody.healthy(timeout_s=0.3)
    await nobody.close()


async def test_calls_go_on_after_the_server_was_killed(model_repository: Path, tmp_path: Path) -> None:
    """A call that is under way when the server dies is answered by the next one at the same address."""
    options = TritonOptions(ports=TritonPorts().chosen())
    server = EmbeddedTriton(tmp_path, model_repository, options)
    client = TritonModel(server.grpc_url, in_flight=2)
    try:
        await client.infer([ModelItem("before", None)], timeout_s=60)
        await asyncio.to_thread(server.server.kill)
        with pytest.raises(ModelUnavailableError):
            await client.infer([ModelItem("while it is away", None)], timeout_s=0.5)
        server = await asyncio.to_thread(EmbeddedTriton, tmp_path, model_repository, replace(options))
        (opinion,) = await client.infer([ModelItem("after", None)], timeout_s=60)
        assert opinion.release
    finally:
        await client.close()
        server.stop()
