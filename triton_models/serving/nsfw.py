"""The classifier for sexual pictures (Yahoo open_nsfw) as served: the image tower's pixels in, one logit out."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from triton_models.contract import LABELS
from triton_models.serving.sessions import open_session

FloatArray = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

GRAPH: Final = "nsfw.onnx"
CATEGORY: Final = LABELS.index("sexual")
MEANS_BGR: Final = np.array([104.0, 117.0, 123.0], dtype=np.float32)
BATCH_IMAGES: Final = 4


class NsfwClassifier:
    """Judges pictures; one per process, not for several threads at once."""

    def __init__(self, session: ort.InferenceSession) -> None:
        self._session = session
        self._input = session.get_inputs()[0].name

    @classmethod
    def load(cls, directory: Path) -> NsfwClassifier:
        """The classifier of an assembled version directory; onnxruntime's exceptions when it is not there."""
        return cls(open_session(directory / GRAPH))

    def score(self, pixels: Pixels) -> FloatArray:
        """`[N, C]` logits for `[N, 224, 224, 3]` uint8 RGB: `sexual` has one, the other categories NaN."""
        out = np.full((len(pixels), len(LABELS)), np.nan, dtype=np.float32)
        for start in range(0, len(pixels), BATCH_IMAGES):
            chunk = slice(start, start + BATCH_IMAGES)
            bgr = np.ascontiguousarray(pixels[chunk, :, :, ::-1], dtype=np.float32) - MEANS_BGR
            (shares,) = self._session.run(None, {self._input: bgr})
            share = np.clip(shares[:, 1], 1e-6, 1 - 1e-6)
            out[chunk, CATEGORY] = np.log(share / (1 - share))
        return out
