"""Filling an exported graph with weights: numpy only, no onnx, no torch.

The repository ships graphs whose weights lie outside ("external data") beside a plan that says, for every weight, from
which tensors of a part or of our own training it is made, by which step, and where in the data file it goes. Exporting
writes plans (`training/export.py`); this module carries them out. It knows no model.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float32]
Source = Callable[[str], FloatArray]
"""Name -> the tensor in its own shape; KeyError when there is none."""

ALIGN_BYTES: Final = 64
"""Where a weight may start, so that it can be mapped and read with wide loads."""


@dataclass(frozen=True, slots=True)
class Weight:
    """One weight of a graph: what it is made of, how, and where its bytes go."""

    name: str
    step: str  # a key of STEPS
    sources: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    offset: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class FillPlan:
    """All weights of one graph, in the order of their offsets."""

    graph: str  # file names, side by side
    data: str
    weights: tuple[Weight, ...]

    def save(self, path: Path) -> None:
        """Writes the plan as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> FillPlan:
        """The plan in `path`; KeyError, TypeError or ValueError when it is not one."""
        raw = json.loads(path.read_text())
        weights = tuple(
            Weight(**{**entry, "sources": tuple(entry["sources"]), "shape": tuple(entry["shape"])})
            for entry in raw["weights"]
        )
        return cls(raw["graph"], raw["data"], weights)


class FillError(Exception):
    """A plan and the tensors it was given do not fit together."""


def fill(plan: FillPlan, source: Source, target: Path) -> None:
    """Writes the data file of `plan` to `target`; FillError names the weight that could not be made."""
    with target.open("wb") as file:
        for weight in plan.weights:
            made = make(weight, source)
            file.seek(weight.offset)
            file.write(made.tobytes())
        file.flush()
        os.fsync(file.fileno())


def make(weight: Weight, source: Source) -> Array:
    """The values of one weight, in its dtype and shape."""
    try:
        made = STEPS[weight.step]([source(name) for name in weight.sources])
    except (KeyError, ValueError, TypeError) as exc:
        raise FillError(f"{weight.name}: {weight.step} of {', '.join(weight.sources)} failed: {exc!r}") from exc
    if made.shape != weight.shape or made.dtype != np.dtype(weight.dtype):
        raise FillError(
            f"{weight.name}: got {made.dtype}{list(made.shape)}, the graph wants {weight.dtype}{list(weight.shape)}"
        )
    return made


def _as_is(tensors: Sequence[FloatArray]) -> Array:
    """The tensors below each other, float32."""
    return np.concatenate(tensors).astype(np.float32)


def _transposed(tensors: Sequence[FloatArray]) -> Array:
    """`[outputs, inputs]` matrices below each other, then `[inputs, outputs]`."""
    return np.ascontiguousarray(_as_is(tensors).T)


def _int8(tensors: Sequence[FloatArray]) -> Array:
    """`[inputs, outputs]` int8, each output with its own scale (`_int8_scale`)."""
    rows = _as_is(tensors)
    return np.ascontiguousarray(np.rint(rows / _row_scale(rows)[:, None]).astype(np.int8).T)


def _int8_scale(tensors: Sequence[FloatArray]) -> Array:
    """What one step of each output's int8 weights is worth."""
    return _row_scale(_as_is(tensors))


def _row_scale(rows: FloatArray) -> FloatArray:
    scale: FloatArray = np.maximum(np.abs(rows).max(axis=1) / 127.0, 1e-12).astype(np.float32)
    return scale


def _bn_weight(tensors: Sequence[FloatArray]) -> Array:
    """A convolution's weight with the batch norm behind it folded in: W * gamma / sqrt(var + eps)."""
    weight, gamma, _beta, _mean, var = tensors
    factor = gamma / np.sqrt(var + TF_BN_EPSILON)
    folded: FloatArray = (weight * factor[:, None, None, None]).astype(np.float32)
    return folded


def _bn_bias(tensors: Sequence[FloatArray]) -> Array:
    """The bias that the folded batch norm leaves: beta - mean * gamma / sqrt(var + eps)."""
    _weight, gamma, beta, mean, var = tensors
    folded: FloatArray = (beta - mean * gamma / np.sqrt(var + TF_BN_EPSILON)).astype(np.float32)
    return folded


TF_BN_EPSILON: Final = 1e-3
"""Models that came from TensorFlow use it where PyTorch uses 1e-5."""

STEPS: Final[dict[str, Callable[[Sequence[FloatArray]], Array]]] = {
    "as_is": _as_is,
    "transposed": _transposed,
    "int8": _int8,
    "int8_scale": _int8_scale,
    "bn_weight": _bn_weight,
    "bn_bias": _bn_bias,
}
