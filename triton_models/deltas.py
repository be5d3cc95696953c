"""What a release has of its own beside heads: the layers that fine-tuning changed, and the figures on its card.

Read by assembling (numpy only); written by fine-tuning and by training.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from triton_models.fill import Source
from triton_models.parts import E5Model

FILE: Final = "deltas.npz"
DRAWINGS_FILE: Final = "drawings.npz"
"""What the second image tower, which sees drawings, has other than the first; a release without it has one tower."""
DRAWINGS: Final = "drawings.json"
ALIGNED: Final = "alignment.json"
"""Written by `weir model align`: a release that has it keeps its map when its graphs are exported again."""
CARD: Final = "card.json"
JOINT: Final = "joint.json"
PARITY: Final = "parity.json"
"""Written by `weir model export`: `max_difference` of float32 graphs to torch, `int8_cosine` of the served tower."""
SIZE: Final = ":step"
"""After a tensor's name: the size of one of its int8 steps, per row."""

Array = npt.NDArray[np.float32]


def with_deltas(release: Path, source: Source, *, file: str = FILE) -> Source:
    """`source`, with the release's own values in place of those that it changed; `source` itself without `file`.

    The source raises ValueError when a changed tensor does not have the shape of the part's.
    """
    path, stored = release / file, _stored(release / file)
    if not stored:
        return source

    def overlaid(name: str) -> Array:
        original, steps = source(name), stored.get(name)
        if steps is None:
            return original
        if steps.shape != original.shape:
            raise ValueError(f"{path}: {name} is {list(steps.shape)} where the part has {list(original.shape)}")
        moved: Array = original + steps.astype(np.float32) * stored[name + SIZE]
        return moved

    return overlaid


def tuned(release: Path, text: E5Model) -> E5Model:
    """`text` with the release's own tensors in place of those that it changed."""
    source = with_deltas(release, text.array)
    return replace(text, changed={name: source(name) for name in _stored(release / FILE) if not name.endswith(SIZE)})


def save_deltas(changed: Mapping[str, Array], start: Mapping[str, Array], release: Path, *, file: str = FILE) -> Path:
    """Writes `release/deltas.npz` (or `file`): what each tensor moved by, in int8 steps of a size per row.

    A row is what one output is made of: the last axis of a matrix, all but the first of a convolution.

    Fine-tuning moves weights by little, so a step is small beside the part's own 4-bit ones; half the bytes of fp16.
    """
    release.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    for name, value in changed.items():
        moved = value - start[name].reshape(value.shape)
        row = tuple(range(1, moved.ndim)) if moved.ndim > 2 else -1
        size = np.maximum(np.abs(moved).max(axis=row, keepdims=True) / 127.0, 1e-12).astype(np.float32)
        arrays[name] = np.rint(moved / size).astype(np.int8).reshape(start[name].shape)
        arrays[name + SIZE] = size
    np.savez_compressed(release / file, **arrays)
    return release / file


def read_quality(release: Path) -> dict[str, Any]:
    """The figures that gates ask for: those on the release's card, and of its joint head on held-out pairs."""
    found = dict(_read(release / CARD).get("quality", {}))
    parity = _read(release / PARITY)
    if parity:
        found["parity"] = parity
    joint = _read(release / JOINT)
    if "test" in joint:
        found["pairs"] = joint["test"]
    return found


def _stored(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a file of deltas; none without it."""
    if not path.is_file():
        return {}
    with np.load(path, allow_pickle=False) as saved:
        return {name: saved[name] for name in saved.files}


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
