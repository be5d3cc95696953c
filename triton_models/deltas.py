"""What a release has of its own beside heads: the layers that fine-tuning changed, and the figures on its card.

Read by assembling (numpy only); written by fine-tuning and by training.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from triton_models.fill import Source

FILE: Final = "deltas.npz"
CARD: Final = "card.json"
JOINT: Final = "joint.json"


def with_deltas(release: Path, source: Source) -> Source:
    """`source`, with the release's own values in place of those that it changed; `source` itself without `deltas.npz`.

    The source raises ValueError when a changed tensor does not have the shape of the part's.
    """
    path = release / FILE
    if not path.is_file():
        return source
    with np.load(path, allow_pickle=False) as saved:
        changed: dict[str, npt.NDArray[np.float32]] = {name: saved[name].astype(np.float32) for name in saved.files}

    def overlaid(name: str) -> npt.NDArray[np.float32]:
        own, original = changed.get(name), source(name)
        if own is None:
            return original
        if own.shape != original.shape:
            raise ValueError(f"{path}: {name} is {list(own.shape)} where the part has {list(original.shape)}")
        return own

    return overlaid


def save_deltas(changed: Mapping[str, npt.NDArray[np.float32]], release: Path) -> Path:
    """Writes `release/deltas.npz`, fp16."""
    release.mkdir(parents=True, exist_ok=True)
    arrays = {name: value.astype(np.float16) for name, value in changed.items()}
    np.savez_compressed(release / FILE, **arrays)
    return release / FILE


def read_quality(release: Path) -> dict[str, Any]:
    """The figures that gates ask for: those on the release's card, and of its joint head on held-out pairs."""
    found = dict(_read(release / CARD).get("quality", {}))
    joint = _read(release / JOINT)
    if "test" in joint:
        found["pairs"] = joint["test"]
    return found


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
