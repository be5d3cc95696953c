"""A training run's state on disk: whole or not there, through kill -9. What is in it is the run's own business."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import torch


def save_checkpoint(path: Path, state: Mapping[str, object]) -> None:
    """Writes `state` aside, through to the disk, and renames it to `path`."""
    aside = path.with_suffix(".part")
    with aside.open("wb") as file:
        torch.save(dict(state), file)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
