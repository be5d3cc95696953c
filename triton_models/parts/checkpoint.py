"""A PyTorch checkpoint of the old (pre-1.6) format, read with numpy and without running anything that it says.

Layout: pickled magic, protocol and system info; the pickled state, whose tensors name storages; the pickled list of
storage keys; then each storage as an i64 count and raw values. The unpickler knows four names and refuses the rest.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt

MAGIC: Final = 0x1950A86A20F9469CFC6C
PROTOCOL: Final = 1001
_DTYPES: Final = {"FloatStorage": "<f4", "LongStorage": "<i8"}

Array = npt.NDArray[Any]


class CheckpointFormatError(ValueError):
    """The file is not a checkpoint that this reader knows, or asks for more than tensors."""


@dataclass(frozen=True, slots=True)
class _Storage:
    key: str
    dtype: str


@dataclass(frozen=True, slots=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def read_checkpoint(path: Path) -> dict[str, Array]:
    """Name -> array, in the checkpoint's order; CheckpointFormatError when it holds anything but plain tensors."""
    try:
        with path.open("rb") as file:
            if (_load(file), _load(file)) != (MAGIC, PROTOCOL):
                raise CheckpointFormatError(f"{path}: no checkpoint of the old format")
            _load(file)  # byte order and sizes of the writer: always little-endian here
            state, keys = _load(file), _load(file)
            storages = {key: _read_storage(file, _dtype_of(state, key)) for key in keys}
    except (pickle.UnpicklingError, EOFError, AttributeError, IndexError, TypeError) as exc:
        raise CheckpointFormatError(f"{path}: not readable as a checkpoint: {exc}") from exc
    return {name: _array(tensor, storages) for name, tensor in state.items()}


def _load(file: IO[bytes]) -> Any:
    return _TensorsOnly(file).load()


class _TensorsOnly(pickle.Unpickler):
    """An unpickler that can build records of tensors and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for one of the four known names."""
        known: dict[tuple[str, str], Callable[..., Any] | str] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild,
            ("torch", "FloatStorage"): "FloatStorage",
            ("torch", "LongStorage"): "LongStorage",
        }
        try:
            return known[module, name]
        except KeyError as exc:
            raise CheckpointFormatError(f"the checkpoint asks for {module}.{name}: refused") from exc

    def persistent_load(self, pid: Any) -> _Storage:
        """The record of a storage: ("storage", type, key, location, count, view)."""
        kind, dtype, key, *_ = pid
        if kind != "storage":
            raise CheckpointFormatError(f"the checkpoint refers to a {kind!r}: refused")
        return _Storage(key, _DTYPES[dtype])


def _rebuild(storage: _Storage, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: object) -> _Tensor:
    return _Tensor(storage, offset, shape, stride)


def _dtype_of(state: dict[str, _Tensor], key: str) -> str:
    for tensor in state.values():
        if tensor.storage.key == key:
            return tensor.storage.dtype
    raise CheckpointFormatError(f"storage {key} belongs to no tensor")


def _read_storage(file: IO[bytes], dtype: str) -> Array:
    count = int(np.frombuffer(file.read(8), "<i8")[0])
    values = np.frombuffer(file.read(count * np.dtype(dtype).itemsize), dtype)
    if len(values) != count:
        raise CheckpointFormatError("a storage is cut short")
    return values


def _array(tensor: _Tensor, storages: dict[str, Array]) -> Array:
    """A copy of the tensor, row by row whatever its strides in the storage are."""
    values = storages[tensor.storage.key][tensor.offset :]
    reach = sum((side - 1) * step for side, step in zip(tensor.shape, tensor.stride, strict=True))
    if tensor.offset < 0 or min((*tensor.stride, 0)) < 0 or reach >= len(values):
        raise CheckpointFormatError("a tensor reaches beyond its storage")
    strides = [step * values.itemsize for step in tensor.stride]
    return np.lib.stride_tricks.as_strided(values, tensor.shape, strides, writeable=False).copy()
