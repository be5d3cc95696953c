"""What every reader gives: a row as its file has it, with the part of the set that it is in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from policies.engine.taxonomy import Category
from triton_models.training.datasets.rows import Split

Part = Split | Literal["train/dev", "dev/test", "train/test", "any", "small"]
"""The part that the set itself gives a row; all but the three splits are still to be drawn (`small`: more held out)."""


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row as a reader found it."""

    number: str  # unique within the set
    text: str
    locale: str
    labels: Mapping[Category, float]
    split: Part = "any"
    family: str = ""  # rows of one family (a post and its counterpart) must stay on one side of a split
