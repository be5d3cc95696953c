"""The image tower as served: uint8 pixels in, pooled features out.

What the features mean in the joint space is `joint_space.py`'s business.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from triton_models.serving.sessions import open_session

FloatArray = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

GRAPH: Final = "image.onnx"
DRAWINGS: Final = "drawings.onnx"
"""The second tower of a release that has one: the same shape, trained on drawings."""
FEATURES: Final = 1280
BATCH_IMAGES: Final = 4
"""More pictures at a time are no faster on one core, and their activations take eight times the memory."""


class ImageTower:
    """Encodes pictures; one per process, not for several threads at once."""

    def __init__(self, session: ort.InferenceSession) -> None:
        self._session = session

    @classmethod
    def load(cls, directory: Path, graph: str = GRAPH) -> ImageTower:
        """A tower of an assembled version directory; onnxruntime's exceptions when it is incomplete."""
        return cls(open_session(directory / graph))

    def features(self, pixels: Pixels) -> FloatArray:
        """`[N, 1280]` float32 for `[N, 224, 224, 3]` uint8 RGB."""
        out = np.zeros((len(pixels), FEATURES), dtype=np.float32)
        for start in range(0, len(pixels), BATCH_IMAGES):
            chunk = slice(start, start + BATCH_IMAGES)
            (out[chunk],) = self._session.run(None, {"pixels": np.ascontiguousarray(pixels[chunk])})
        return out
