"""A server that speaks Triton's gRPC protocol and judges by nothing: for tests of delivery, which need no model.

`python -m tests.stub_triton --port 8001 [--delay-ms 5]`. Every text scores 0.01 for every category, so that verdicts
are complete and the same each time. What the real server does is tested on the real server.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc

from ops.local.process import free_ports, port_free, wait_until
from triton_models import contract

RELEASE = b"stub-1 reference"


class Servicer(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]  # generated code has no types
    """Answers ModelInfer."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s

    async def ModelInfer(self, request: Any, _context: Any) -> Any:  # noqa: N802  # the protocol's name
        """The same opinion of every item."""
        await asyncio.sleep(self._delay_s)
        count = request.inputs[0].shape[0]
        answer = service_pb2.ModelInferResponse(model_name=request.model_name, model_version="1")
        for name, array in _opinions(count).items():
            kind = contract.OUTPUTS[name][0].removeprefix("TYPE_").replace("STRING", "BYTES")
            answer.outputs.add(name=name, datatype=kind, shape=list(array.shape))
            answer.raw_output_contents.append(_packed(array))
        return answer


def _opinions(count: int) -> dict[str, Any]:
    labels = len(contract.LABELS)
    scores = np.full((count, len(contract.ROWS), labels), np.nan, np.float32)
    scores[:, [0, 3], :-1] = 0.01  # from the text, and fused; the last category is never a model's
    severity = np.zeros((count, labels), np.int32)
    severity[:, -1] = -1
    return {
        contract.SCORES: scores,
        contract.SEVERITY: severity,
        contract.JOINT: np.full((count, 3), np.nan, np.float32),
        contract.DISAGREEMENT: np.full((count, labels), np.nan, np.float32),
        contract.MEMBER_STATUS: np.zeros((count, len(contract.MEMBERS)), np.uint8),
        contract.RELEASE: np.full((count, 1), RELEASE, np.object_),
    }


def _packed(array: Any) -> bytes:
    if array.dtype == np.object_:
        return b"".join(struct.pack("<I", len(item)) + item for item in array.ravel())
    return bytes(array.tobytes())


class StubTriton:
    """The stub in a process of its own; `kill` and `start_again` keep its address."""

    def __init__(self, *, delay_ms: float = 2.0) -> None:
        self._port = free_ports(1)[0]
        self._delay_ms = delay_ms
        self.grpc_url = f"127.0.0.1:{self._port}"
        self.start_again()

    def start_again(self) -> None:
        """Start it; returns when it listens."""
        argv = [sys.executable, "-m", "tests.stub_triton", "--port", str(self._port), "--delay-ms", str(self._delay_ms)]
        root = str(Path(__file__).resolve().parents[1])
        self._process = subprocess.Popen(argv, env={**os.environ, "PYTHONPATH": root})
        if not wait_until(lambda: not port_free(self._port), 20):
            raise RuntimeError("the stub of Triton does not listen")

    def kill(self) -> None:
        """Kill -9."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


async def serve(port: int, delay_s: float) -> None:
    """Serve until SIGTERM."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1)])
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Servicer(delay_s), server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--delay-ms", type=float, default=2.0)
    options = parser.parse_args()
    asyncio.run(serve(options.port, options.delay_ms / 1e3))
