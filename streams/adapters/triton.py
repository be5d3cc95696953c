"""The served ensemble over gRPC: the only place that imports tritonclient.

Back-pressure is a cap on requests in flight (a full queue inside Triton collapses its goodput). Every call has a
deadline that covers its retries. Health is a canary inference: after its Python stub dies, Triton goes on saying that
it is ready (all measured, FACTS).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from typing import Any

import grpc
import numpy as np
import structlog
from tritonclient.grpc import aio as triton
from tritonclient.utils import InferenceServerException

from streams.adapters.breaker import Breaker
from streams.ports import ModelItem, ModelOpinion, ModelUnavailableError
from triton_models import contract

log = structlog.get_logger(__name__)

#: The server comes back within its restart plus these, instead of gRPC's own seconds (FACTS: 0.15 s against 4.2 s).
_CHANNEL = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
]
#: How long a server that is not reachable is asked again: a restart takes less. A slow answer is waited for longer.
PATIENCE_S = 8.0
_PAUSE_S = 0.05
_MAX_PAUSE_S = 1.0
_OUTPUTS = (
    contract.SCORES,
    contract.SEVERITY,
    contract.JOINT,
    contract.DISAGREEMENT,
    contract.MEMBER_STATUS,
    contract.RELEASE,
)
_STATUS_NAMES = {status.value: status.name.lower() for status in contract.Status}


class _UnreachableError(ModelUnavailableError):
    """The server cannot be asked now, or not yet."""


class TritonModel:
    """`clip_safety` on a Triton server; no call takes longer than `deadline_s`, retries included."""

    def __init__(
        self, url: str, *, in_flight: int, deadline_s: float = math.inf, max_batch: int = contract.MAX_BATCH
    ) -> None:
        self._client = triton.InferenceServerClient(url, channel_args=_CHANNEL)
        self._slots = asyncio.Semaphore(in_flight)
        self._deadline_s = deadline_s
        self._max_batch = max_batch
        self._wanted = [triton.InferRequestedOutput(name) for name in _OUTPUTS]
        self._breaker = Breaker()

    @property
    def down(self) -> bool:
        """Whether the server is taken for down: calls fail at once, but for a probe now and then."""
        return self._breaker.open

    async def close(self) -> None:
        """Close the channel."""
        await self._client.close()

    async def healthy(self, *, timeout_s: float = 5.0) -> bool:
        """Whether a real inference comes back in time."""
        try:
            await self.infer([ModelItem("canary", None)], timeout_s=timeout_s)
        except ModelUnavailableError as exc:
            log.warning("triton.unhealthy", why=exc.why)
            return False
        return True

    async def infer(self, items: Sequence[ModelItem], *, timeout_s: float) -> list[ModelOpinion]:
        """One opinion per item, in order; requests of at most `max_batch` items, sent together."""
        timeout_s = min(timeout_s, self._deadline_s)
        if not self._breaker.admits(time.monotonic()):
            raise ModelUnavailableError("Triton is down; trying it again every second")
        starts = range(0, len(items), self._max_batch)
        chunks = [items[start : start + self._max_batch] for start in starts]
        try:
            async with asyncio.timeout(timeout_s):
                answers = await asyncio.gather(*(self._infer_chunk(chunk, timeout_s) for chunk in chunks))
        except TimeoutError as exc:
            self._breaker.failed(time.monotonic())
            raise ModelUnavailableError("no answer in time", timeout=True) from exc
        except _UnreachableError:
            self._breaker.failed(time.monotonic())
            raise
        self._breaker.succeeded()
        return [opinion for answer in answers for opinion in answer]

    async def _infer_chunk(self, items: Sequence[ModelItem], timeout_s: float) -> list[ModelOpinion]:
        inputs = request_inputs(items)
        pause_s = _PAUSE_S
        give_up_at = time.monotonic() + (0.0 if self._breaker.open else PATIENCE_S)  # a probe asks once
        async with self._slots:
            while True:
                try:
                    result = await self._client.infer(
                        contract.MODEL_NAME, inputs, outputs=self._wanted, client_timeout=timeout_s
                    )
                    return _opinions(result, len(items))
                except InferenceServerException as exc:
                    if not retriable(exc):
                        raise ModelUnavailableError(f"Triton refused: {status_of(exc)}") from exc
                    if time.monotonic() >= give_up_at:
                        raise _UnreachableError(f"Triton cannot be asked: {status_of(exc)}", timeout=True) from exc
                    log.debug("triton.retried", status=status_of(exc))
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _MAX_PAUSE_S)


def status_of(exc: InferenceServerException) -> str:
    """The gRPC status word of the error: `UNAVAILABLE`."""
    return str(exc.status() or "UNKNOWN").removeprefix("StatusCode.")


def retriable(exc: InferenceServerException) -> bool:
    """Whether the same request may succeed later (the table of FACTS)."""
    status = status_of(exc)
    message = (exc.message() or "").lower()
    if status in {grpc.StatusCode.UNAVAILABLE.name, grpc.StatusCode.DEADLINE_EXCEEDED.name}:
        return True
    if status == grpc.StatusCode.NOT_FOUND.name:
        return "no available versions" in message
    if status == grpc.StatusCode.INTERNAL.name:
        return "stub process" in message
    return False


def request_inputs(items: Sequence[ModelItem]) -> list[Any]:
    """The contract's input tensors for a batch of items."""
    masks = [
        (contract.MASK_TEXT if item.text is not None else 0)
        | (contract.MASK_IMAGE if item.image is not None else 0)
        | (contract.MASK_OCR if item.ocr_image is not None else 0)
        for item in items
    ]
    columns: list[tuple[str, str, Any]] = [
        (contract.TEXT, "BYTES", _bytes_column([(item.text or "").encode("utf-8", "replace") for item in items])),
        (contract.IMAGE, "BYTES", _bytes_column([item.image or b"" for item in items])),
        (contract.OCR_IMAGE, "BYTES", _bytes_column([item.ocr_image or b"" for item in items])),
        (contract.MASK, "UINT8", np.array(masks, dtype=np.uint8).reshape(-1, 1)),
    ]
    made = []
    for name, kind, column in columns:
        tensor = triton.InferInput(name, list(column.shape), kind)
        tensor.set_data_from_numpy(column)
        made.append(tensor)
    return made


def _bytes_column(values: Sequence[bytes]) -> Any:
    column = np.empty((len(values), 1), dtype=np.object_)
    column[:, 0] = values
    return column


def _opinions(result: Any, count: int) -> list[ModelOpinion]:
    arrays = {name: result.as_numpy(name) for name in _OUTPUTS}
    wrong = [name for name, array in arrays.items() if array is None or len(array) != count]
    if wrong:
        raise ModelUnavailableError(f"Triton's answer lacks {', '.join(wrong)}; is the model of this release?")
    return [_opinion({name: array[row] for name, array in arrays.items()}) for row in range(count)]


def _opinion(row: dict[str, Any]) -> ModelOpinion:
    release, _, tier = row[contract.RELEASE][0].decode("utf-8", "replace").partition(" ")
    joint = _numbers(row[contract.JOINT])
    return ModelOpinion(
        scores={name: _numbers(scores) for name, scores in zip(contract.ROWS, row[contract.SCORES], strict=True)},
        severity=tuple(None if value < 0 else int(value) for value in row[contract.SEVERITY].tolist()),
        joint=(joint[0], joint[1], joint[2]),
        disagreement=_numbers(row[contract.DISAGREEMENT]),
        member_status={
            name: _STATUS_NAMES.get(int(code), "unknown")
            for name, code in zip(contract.MEMBERS, row[contract.MEMBER_STATUS], strict=True)
        },
        release=release,
        tier=tier or "reference",
    )


def _numbers(values: Any) -> tuple[float | None, ...]:
    return tuple(None if math.isnan(value) else value for value in values.tolist())
