"""What the ensemble takes and gives, in Python's words; the tensors of the contract are `tensors.py`'s business."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Item:
    """One text with at most one image. None or nothing but blanks: not there."""

    text: str | None = None
    image: bytes | None = None  # uint8 RGB [224, 224, 3], row-major: what `pixels.decode_image` gives
    ocr_image: bytes | None = None  # what `pixels.decode_ocr_image` gives


@dataclass(frozen=True, slots=True)
class Outputs:
    """N judgements; the arrays hold what the contract says under the same names."""

    scores: FloatArray  # [N, 4, C]
    severity: npt.NDArray[np.int32]  # [N, C]
    joint: FloatArray  # [N, 3]
    disagreement: FloatArray  # [N, C]
    members: FloatArray  # [N, M, C]
    member_status: npt.NDArray[np.uint8]  # [N, M]
    text_embedding: FloatArray  # [N, D]
    image_embedding: FloatArray  # [N, D]
    ocr_text: tuple[bytes, ...]
    release: bytes
