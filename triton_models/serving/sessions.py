"""ONNX Runtime sessions as Weir runs them: one thread, no spinning, no arena that only grows; on the CPU unless told.

Instances, not threads, use the cores: one instance with two threads was measured at .73 of two with one. Which device
is a matter of whoever loads a release (`on_device`); members only open their graphs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import onnxruntime as ort

CPU: Final = "CPUExecutionProvider"
CUDA: Final = "CUDAExecutionProvider"
Provider = str | tuple[str, dict[str, str]]


class DeviceError(RuntimeError):
    """A GPU was asked for and cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Device:
    """Where graphs shall run."""

    name: Literal["cpu", "cuda"] = "cpu"
    number: int = 0  # which GPU
    allow_cpu: bool = False  # go on without the GPU rather than fail


@dataclass(slots=True)
class Opened:
    """The sessions that were opened on a device: graph -> the provider that comes first in it."""

    device: Device
    providers: dict[str, str] = field(default_factory=dict)

    def sentence(self) -> str:
        """What a log shall say: what was asked for and what runs."""
        used = ", ".join(sorted(set(self.providers.values()))) or "no graph"
        return f"device {self.device.name} asked for, running on {used}"


_OPENED: ContextVar[Opened | None] = ContextVar("opened", default=None)


@contextmanager
def on_device(device: Device) -> Iterator[Opened]:
    """Sessions opened inside run on `device`; DeviceError where it cannot be used and the CPU is not allowed."""
    opened = Opened(device)
    token = _OPENED.set(opened)
    try:
        yield opened
    finally:
        _OPENED.reset(token)


def device_of(parameters: Mapping[str, Mapping[str, str]], number: str) -> Device:
    """The device that the parameters of a `config.pbtxt` ask for; ValueError for one that does not exist."""
    values = {name: entry.get("string_value", "") for name, entry in parameters.items()}
    name = values.get("device", "cpu")
    if name == "cpu":
        return Device()
    if name != "cuda":
        raise ValueError(f"config.pbtxt: parameter device is {name!r}; expected cpu or cuda")
    return Device("cuda", int(number or 0), values.get("allow_cpu") == "true")


def providers_for(device: Device, available: Sequence[str]) -> list[Provider]:
    """The execution providers to ask for, first choice first; DeviceError when CUDA is wanted and not installed."""
    if device.name == "cpu":
        return [CPU]
    if CUDA not in available:
        if device.allow_cpu:
            return [CPU]
        raise DeviceError(
            f"device cuda was asked for, but this onnxruntime has only {', '.join(available)}; "
            "hint: install onnxruntime-gpu in place of onnxruntime, or assemble with --allow-cpu or --device cpu"
        )
    # A search for the best convolution at every new batch size would cost seconds each.
    return [(CUDA, {"device_id": str(device.number), "cudnn_conv_algo_search": "HEURISTIC"}), CPU]


def open_session(path: Path) -> ort.InferenceSession:
    """A session over the graph in `path`, whose external weights lie beside it; onnxruntime's exceptions pass."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Without VNNI, uint8 times int8 overflows 16 bits: the weights are then rewritten to uint8, as exact but slower.
    options.add_session_config_entry("session.x64quantprecision", "1")
    options.log_severity_level = 3
    opened = _OPENED.get()
    if opened is None:
        return ort.InferenceSession(str(path), options, providers=[CPU])
    providers = providers_for(opened.device, ort.get_available_providers())
    session: Any = ort.InferenceSession(str(path), options, providers=providers)
    first = session.get_providers()[0]
    if opened.device.name == "cuda" and first != CUDA and not opened.device.allow_cpu:
        # onnxruntime goes on with the CPU, and says so only in its own log, when CUDA's libraries do not load.
        raise DeviceError(
            f"{path.name}: CUDA did not start, onnxruntime fell back to {first}; hint: are the driver and the CUDA "
            "and cuDNN libraries of this onnxruntime-gpu there? --allow-cpu accepts the CPU"
        )
    opened.providers[path.name] = first
    return session
