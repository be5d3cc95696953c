"""Between Triton's tensors and the ensemble's items and outputs, as `triton_models.contract` lays them out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from triton_models import contract
from triton_models.serving.items import Item, Outputs

Column = npt.NDArray[Any]


def read_items(texts: Column, images: Column, ocr_images: Column, masks: Column) -> list[Item]:
    """The items of four input columns `[N]`; what the mask does not announce is left out. Bad UTF-8 is replaced."""
    return [
        Item(
            text=bytes(text).decode("utf-8", "replace") if mask & contract.MASK_TEXT else None,
            image=bytes(image) if mask & contract.MASK_IMAGE else None,
            ocr_image=bytes(ocr_image) if mask & contract.MASK_OCR else None,
        )
        for text, image, ocr_image, mask in zip(texts, images, ocr_images, masks.tolist(), strict=True)
    ]


def named_outputs(outputs: Outputs) -> dict[str, Column]:
    """Contract name -> `[N, ...]` array, contiguous, in the contract's dtype."""
    count = len(outputs.scores)
    return {
        contract.SCORES: np.ascontiguousarray(outputs.scores, dtype=np.float32),
        contract.SEVERITY: np.ascontiguousarray(outputs.severity, dtype=np.int32),
        contract.JOINT: np.ascontiguousarray(outputs.joint, dtype=np.float32),
        contract.DISAGREEMENT: np.ascontiguousarray(outputs.disagreement, dtype=np.float32),
        contract.MEMBER_SCORES: np.ascontiguousarray(outputs.members, dtype=np.float32),
        contract.MEMBER_STATUS: np.ascontiguousarray(outputs.member_status, dtype=np.uint8),
        contract.TEXT_EMBEDDING: np.ascontiguousarray(outputs.text_embedding, dtype=np.float32),
        contract.IMAGE_EMBEDDING: np.ascontiguousarray(outputs.image_embedding, dtype=np.float32),
        contract.OCR_TEXT: _bytes_column(outputs.ocr_text),
        contract.RELEASE: _bytes_column((outputs.release,) * count),
    }


def _bytes_column(values: tuple[bytes, ...]) -> Column:
    column = np.empty((len(values), 1), dtype=np.object_)
    column[:, 0] = values
    return column
