"""The one type that every training set becomes, and the error for data that cannot be read. No file is opened here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from policies.engine.taxonomy import Category

Split = Literal["train", "dev", "test"]
"""train: members learn from it. dev: stackers and calibration are fitted on it. test: only reported."""


class Row(msgspec.Struct, frozen=True):
    """One labelled text.

    `labels` holds what the set says: 1 or 0, or a share in between where only most rows of that label are (such a row
    teaches and never measures). A category that is not in it was never asked, which is not the same as 0.
    """

    id: str  # `set:number`
    text: str
    locale: str  # BCP-47
    source: str  # the set's name in the catalog
    split: Split
    labels: Mapping[Category, float]


class DataError(ValueError):
    """A data file is missing or is not what the catalog says: where, what was found, what to do."""

    def __init__(self, path: Path, problem: str, hint: str) -> None:
        self.path = path
        super().__init__(f"{path}: {problem}; {hint}")
