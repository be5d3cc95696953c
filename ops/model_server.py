"""A running Triton as promotion needs it: explicit load and unload, and scoring probe items with a named model.

The probes are sample events by default; a folder of recorded traffic does as well. Nothing of their content is shown.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, Final, Self

import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from ops.samples.sample import Sample
from streams.adapters.triton import request_inputs, status_of
from streams.core.events import ImagePart, TextPart
from streams.core.outcome import EventDecodeError
from streams.core.wire import decode_event
from streams.ports import ModelItem
from triton_models import contract
from triton_models.pixels import ImageRejected, decode_image
from triton_models.training.promote import Answer, ServerError

BATCH: Final = 8
LOAD_TIMEOUT_S: Final = 120.0
INFER_TIMEOUT_S: Final = 30.0


class TritonServer:
    """`ModelServer` over gRPC, blocking; use as a context manager or call `close`."""

    def __init__(self, url: str, items: Sequence[ModelItem]) -> None:
        if not items:
            raise ValueError("no probe items: nothing to compare a candidate on")
        self._url = url
        self._client: Any = triton.InferenceServerClient(url)
        self._inputs = [request_inputs(items[at : at + BATCH]) for at in range(0, len(items), BATCH)]
        self._wanted = [triton.InferRequestedOutput(name) for name in (contract.SCORES, contract.RELEASE)]

    def close(self) -> None:
        """Close the channel."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def batches(self) -> int:
        """How many probe batches there are."""
        return len(self._inputs)

    def load(self, model: str) -> None:
        """Loads `model` as the repository has it now; blocks until it is ready; ServerError with the server's words."""
        try:
            self._client.load_model(model, client_timeout=LOAD_TIMEOUT_S)
        except InferenceServerException as exc:
            raise ServerError(f"{model} on {self._url}: {_words(exc)}") from exc

    def unload(self, model: str) -> None:
        """Unloads a model; ServerError when the server refuses."""
        try:
            self._client.unload_model(model, client_timeout=LOAD_TIMEOUT_S)
        except InferenceServerException as exc:
            raise ServerError(f"{model} on {self._url}: {_words(exc)}") from exc

    def score(self, model: str, batch: int) -> Answer:
        """The fused scores of `model` on probe batch `batch`; ServerError when the request fails."""
        started = time.perf_counter()
        try:
            result = self._client.infer(
                model, self._inputs[batch], outputs=self._wanted, client_timeout=INFER_TIMEOUT_S
            )
        except InferenceServerException as exc:
            raise ServerError(f"{model} on {self._url}: {_words(exc)}") from exc
        seconds = time.perf_counter() - started
        scores = result.as_numpy(contract.SCORES)[:, contract.ROWS.index("fused")]
        release = result.as_numpy(contract.RELEASE)[0, 0].decode("utf-8", "replace")
        return Answer(scores.astype(np.float32), release, int(result.get_response().model_version), seconds)


def probe_items(samples: Iterable[Sample], *, most: int) -> list[ModelItem]:
    """Model items of the sample events that can be read, at most `most`; pictures by reference are left out."""
    items: list[ModelItem] = []
    for sample in samples:
        if len(items) >= most:
            break
        try:
            event = decode_event(sample.record())
        except EventDecodeError:
            continue
        texts = "\n".join(part.text for part in event.parts if isinstance(part, TextPart))[: contract.MAX_TEXT_CHARS]
        picture = next((part.data for part in event.parts if isinstance(part, ImagePart) and part.data), None)
        pixels = _pixels(picture)
        if texts or pixels is not None:
            items.append(ModelItem(texts or None, pixels))
    return items


def _pixels(data: bytes | None) -> bytes | None:
    if data is None:
        return None
    try:
        return decode_image(data)
    except ImageRejected:
        return None


def _words(exc: InferenceServerException) -> str:
    """The status and the message on one line, cut."""
    return f"{status_of(exc)}: {' '.join((exc.message() or 'no message').split())}"[:400]
