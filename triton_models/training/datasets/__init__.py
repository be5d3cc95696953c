"""The data sets that training may read: `load_rows(root)` gives labelled rows with splits that share no near-duplicate.

Sets that are for evaluation only live behind `training/evaluation_sets.py`, which nothing here imports.
"""

from triton_models.training.datasets.build import BuildReport, build_rows
from triton_models.training.datasets.catalog import EvaluateOnlyError, UnknownSetError, training_sets
from triton_models.training.datasets.rows import DataError, Row, Split

__all__ = [
    "BuildReport",
    "DataError",
    "EvaluateOnlyError",
    "Row",
    "Split",
    "UnknownSetError",
    "build_rows",
    "training_sets",
]
