"""The client of the served ensemble: what is sent, what is retried, how long it waits, what comes back."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from tritonclient.grpc import aio as grpc_client
from tritonclient.utils import InferenceServerException

from streams.adapters import breaker, triton
from streams.adapters.triton import TritonModel, retriable
from streams.ports import ModelItem, ModelUnavailableError
from triton_models import contract

COUNT = len(contract.LABELS)


def error(status: str, message: str = "") -> InferenceServerException:
    """A gRPC error as tritonclient wraps it."""
    return InferenceServerException(message, status=f"StatusCode.{status}")


class Answer:
    """The arrays of one response."""

    def __init__(self, arrays: dict[str, Any]) -> None:
        self._arrays = arrays

    def as_numpy(self, name: str) -> Any:
        """The array, or None when the response lacks it."""
        return self._arrays.get(name)


def answer_for(count: int) -> dict[str, Any]:
    """The arrays for `count` items; the hate score of item n is n / 100, everything else abstained."""
    scores = np.full((count, len(contract.ROWS), COUNT), np.nan, np.float32)
    scores[:, -1, 0] = np.arange(count) / 100
    return {
        contract.SCORES: scores,
        contract.SEVERITY: np.full((count, COUNT), -1, np.int32),
        contract.JOINT: np.full((count, 3), np.nan, np.float32),
        contract.DISAGREEMENT: np.full((count, COUNT), np.nan, np.float32),
        contract.MEMBER_STATUS: np.full((count, len(contract.MEMBERS)), 3, np.uint8),
        contract.RELEASE: np.full((count, 1), b"starter-1 reference", np.object_),
    }


@dataclass
class FakeGrpc:
    """tritonclient's client: gives what is scripted, then good answers."""

    script: list[Exception | dict[str, Any]] = field(default_factory=list)
    gate: asyncio.Event | None = None
    requests: list[dict[str, Any]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def infer(self, _model: str, inputs: list[Any], **_options: Any) -> Answer:
        """One answer."""
        self.requests.append({one.name(): one for one in inputs})
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.gate is not None:
                await self.gate.wait()
            await asyncio.sleep(0)
        finally:
            self.at_once -= 1
        step = self.script.pop(0) if self.script else answer_for(inputs[0].shape()[0])
        if isinstance(step, Exception):
            raise step
        return Answer(step)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting between attempts."""
    monkeypatch.setattr(triton, "_PAUSE_S", 0.0)


@pytest.fixture
def no_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    """No real gRPC channel is opened."""
    monkeypatch.setattr(grpc_client, "InferenceServerClient", lambda *_a, **_k: FakeGrpc())


@pytest.fixture
def model(no_channel: None, quick: None) -> TritonModel:
    """A model over a fake channel that answers well."""
    return TritonModel("nowhere:1", in_flight=2, max_batch=4)


def script(model: TritonModel, *steps: Exception | dict[str, Any]) -> FakeGrpc:
    """Give the model's channel a script."""
    channel = FakeGrpc(list(steps))
    model._client = channel
    return channel


def items(count: int) -> list[ModelItem]:
    """Text items."""
    return [ModelItem(f"text {n}", None) for n in range(count)]


async def test_items_are_cut_into_requests_and_answers_stay_in_order(model: TritonModel) -> None:
    """Nine items with a batch limit of four are three requests and nine opinions in order."""
    channel = script(model)
    opinions = await model.infer(items(9), timeout_s=30)
    assert [request[contract.TEXT].shape()[0] for request in channel.requests] == [4, 4, 1]
    assert [o.scores["fused"][0] for o in opinions] == pytest.approx([0, 0.01, 0.02, 0.03, 0, 0.01, 0.02, 0.03, 0])


async def test_no_items_ask_nothing(model: TritonModel) -> None:
    """An empty list is an empty list."""
    channel = script(model)
    assert await model.infer([], timeout_s=30) == []
    assert channel.requests == []


async def test_requests_in_flight_are_capped(model: TritonModel) -> None:
    """The backlog waits here, not in Triton's queue."""
    channel = script(model)
    await model.infer(items(40), timeout_s=30)
    assert channel.most_at_once == 2


@pytest.mark.parametrize(
    ("exc", "expected"),
    [
        (error("UNAVAILABLE", "connection refused"), True),
        (error("DEADLINE_EXCEEDED"), True),
        (error("NOT_FOUND", "Request for unknown model: 'clip_safety' has no available versions"), True),
        (error("INTERNAL", "Stub process 'clip_safety_0_0' is not healthy."), True),
        (error("NOT_FOUND", "Request for unknown model: 'x' is not found"), False),
        (error("INTERNAL", "something else"), False),
        (error("INVALID_ARGUMENT", "unexpected shape"), False),
        (error("UNIMPLEMENTED"), False),
        (InferenceServerException("no status"), False),
    ],
)
def test_what_is_retried(exc: InferenceServerException, expected: bool) -> None:  # noqa: FBT001  # a parameter
    """The table of what may succeed later."""
    assert retriable(exc) is expected


async def test_a_server_that_comes_back_is_asked_again(model: TritonModel) -> None:
    """The caller sees one answer."""
    channel = script(model, error("UNAVAILABLE"), error("INTERNAL", "Stub process died"))
    assert len(await model.infer(items(1), timeout_s=30)) == 1
    assert len(channel.requests) == 3


async def test_a_refusal_is_not_repeated(model: TritonModel) -> None:
    """A request that is wrong stays wrong; the reason names the status, never the content."""
    channel = script(model, error("INVALID_ARGUMENT", "text 0"))
    with pytest.raises(ModelUnavailableError) as caught:
        await model.infer(items(1), timeout_s=30)
    assert caught.value.why == "Triton refused: INVALID_ARGUMENT"
    assert not caught.value.timeout
    assert len(channel.requests) == 1


async def test_a_dead_server_is_a_timeout(model: TritonModel) -> None:
    """Retries end with the deadline."""
    script(model, *[error("UNAVAILABLE")] * 100_000)
    with pytest.raises(ModelUnavailableError) as caught:
        await model.infer(items(1), timeout_s=0.05)
    assert caught.value.timeout


async def test_patience_with_a_dead_server_is_shorter_than_with_a_slow_one(
    model: TritonModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting for an answer may take the whole deadline; waiting for a server that refuses may not."""
    monkeypatch.setattr(triton, "PATIENCE_S", 0.02)
    script(model, *[error("UNAVAILABLE")] * 100_000)
    async with asyncio.timeout(30):
        with pytest.raises(ModelUnavailableError, match="cannot be asked: UNAVAILABLE") as caught:
            await model.infer(items(1), timeout_s=60)
    assert caught.value.timeout


async def test_while_the_breaker_is_open_a_probe_asks_once(model: TritonModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """During an outage nobody waits: most calls fail at once, and the probe does not repeat itself."""
    monkeypatch.setattr(triton, "PATIENCE_S", 0.0)
    monkeypatch.setattr(breaker, "PROBE_S", 0.0)
    channel = script(model, *[error("UNAVAILABLE")] * 100)
    for _ in range(breaker.THRESHOLD):
        with pytest.raises(ModelUnavailableError):
            await model.infer(items(1), timeout_s=30)
    asked = len(channel.requests)
    monkeypatch.setattr(triton, "PATIENCE_S", 60.0)
    with pytest.raises(ModelUnavailableError):
        await model.infer(items(1), timeout_s=60)
    assert len(channel.requests) == asked + 1


async def test_a_silent_server_is_a_timeout_and_frees_its_slot(model: TritonModel) -> None:
    """After a call that hung, the next one gets through."""
    channel = script(model)
    channel.gate = asyncio.Event()
    for _ in range(2):  # one more and the breaker opens
        with pytest.raises(ModelUnavailableError) as caught:
            await model.infer(items(1), timeout_s=0.02)
        assert caught.value.timeout
    channel.gate = None
    assert len(await model.infer(items(1), timeout_s=30)) == 1


async def test_the_clients_own_deadline_is_the_shorter_one(no_channel: None, quick: None) -> None:
    """A deployment caps the time of one inference below the time of the whole event."""
    model = TritonModel("nowhere:1", in_flight=2, deadline_s=0.02)
    channel = script(model)
    channel.gate = asyncio.Event()
    async with asyncio.timeout(30):
        with pytest.raises(ModelUnavailableError, match="no answer in time"):
            await model.infer(items(1), timeout_s=60)


@pytest.mark.parametrize("missing", [contract.SCORES, contract.RELEASE])
async def test_an_answer_without_a_tensor_is_refused(model: TritonModel, missing: str) -> None:
    """A model of another release must not be half understood."""
    arrays = answer_for(1)
    del arrays[missing]
    script(model, arrays)
    with pytest.raises(ModelUnavailableError, match=missing):
        await model.infer(items(1), timeout_s=30)


async def test_an_answer_with_too_few_rows_is_refused(model: TritonModel) -> None:
    """An answer for one item is none for two."""
    script(model, answer_for(1))
    with pytest.raises(ModelUnavailableError, match="lacks"):
        await model.infer(items(2), timeout_s=30)


async def test_inputs_follow_the_contract(model: TritonModel) -> None:
    """Names, types and shapes; absent is zero bytes and a zero bit; pixels are sent byte for byte."""
    channel = script(model)
    black = bytes(contract.IMAGE_BYTES)  # zeros at the end must survive
    await model.infer([ModelItem("héllo", None), ModelItem(None, black), ModelItem("x", black, b"ocr")], timeout_s=30)
    (request,) = channel.requests
    assert list(request) == list(contract.INPUTS)
    for name, tensor in request.items():
        kind, dims = contract.INPUTS[name]
        assert tensor.datatype() == kind.removeprefix("TYPE_").replace("STRING", "BYTES")
        assert tensor.shape() == [3, *dims]
    assert _unpacked(request[contract.TEXT]) == ["héllo".encode(), b"", b"x"]
    assert _unpacked(request[contract.IMAGE]) == [b"", black, black]
    assert _unpacked(request[contract.OCR_IMAGE]) == [b"", b"", b"ocr"]
    assert request[contract.MASK]._get_content() == bytes([1, 2, 7])


def _unpacked(tensor: Any) -> list[bytes]:
    """The elements of a BYTES tensor as they go over the wire: each with its length before it."""
    raw, found = tensor._get_content(), []
    while raw:
        size = int.from_bytes(raw[:4], "little")
        found.append(raw[4 : 4 + size])
        raw = raw[4 + size :]
    return found


async def test_nan_and_minus_one_are_abstentions(model: TritonModel) -> None:
    """What nothing judged is None, never a number."""
    script(model)
    (opinion,) = await model.infer(items(1), timeout_s=30)
    assert opinion.scores["text"] == (None,) * COUNT
    assert opinion.severity == (None,) * COUNT
    assert opinion.joint == (None, None, None)
    assert set(opinion.member_status.values()) == {"failed"}
    assert (opinion.release, opinion.tier) == ("starter-1", "reference")
    assert not any(isinstance(score, float) and math.isnan(score) for score in opinion.scores["fused"])


async def test_health_is_an_inference(model: TritonModel) -> None:
    """A server that answers is healthy; one that says it is ready and fails to infer is not."""
    script(model)
    assert await model.healthy()
    script(model, error("INVALID_ARGUMENT"))
    assert not await model.healthy()
