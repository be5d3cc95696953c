"""Text and picture read together: a small learned head on both towers' vectors, numpy only.

    v = tanh(unit-scaled image features . Wv + bv)        t = tanh(centred text vector . Wt + bt)      both [N, R]
    x = [v, t, v*t, |v - t|]                              v*t is a low-rank bilinear form of the two
    logit = relu(x . W1 + b1) . W2 + b2

A sum of an opinion on the text and one on the picture cannot tell harm that only the two together have: it needs the
products (Kiela et al. 2020; Kim et al. 2017, "Hadamard Product for Low-rank Bilinear Pooling"). Trained by
`training/joint.py` on generated quadruples. What becomes of the logits is `fuse.py`'s business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from triton_models.contract import LABELS

FloatArray = npt.NDArray[np.float32]

FILE: Final = "joint.npz"
ARRAYS: Final = (
    "image_mean",
    "image_scale",
    "image_w",
    "image_b",
    "text_mean",
    "text_w",
    "text_b",
    "mix_w",
    "mix_b",
    "out_w",
    "out_b",
)


@dataclass(frozen=True, slots=True)
class JointHead:
    """The learned numbers of one release."""

    categories: tuple[str, ...]  # names of the K columns
    image_mean: FloatArray  # [F]
    image_scale: FloatArray  # [F]
    image_w: FloatArray  # [F, R]
    image_b: FloatArray  # [R]
    text_mean: FloatArray  # [D]
    text_w: FloatArray  # [D, R]
    text_b: FloatArray  # [R]
    mix_w: FloatArray  # [4R, H]
    mix_b: FloatArray  # [H]
    out_w: FloatArray  # [H, K]
    out_b: FloatArray  # [K]

    @property
    def image_inputs(self) -> int:
        """F: 1,280 for each image tower of the release."""
        return len(self.image_mean)

    @classmethod
    def load(cls, directory: Path) -> JointHead:
        """The head in `directory/joint.npz`; OSError, KeyError or ValueError says what is wrong with the file."""
        with np.load(directory / FILE, allow_pickle=False) as saved:
            categories = tuple(str(name) for name in saved["categories"])
            unknown = [name for name in categories if name not in LABELS]
            if unknown:
                raise ValueError(f"{directory / FILE}: {', '.join(unknown)} is no category")
            return cls(categories, **{name: saved[name].astype(np.float32) for name in ARRAYS})

    def save(self, directory: Path) -> Path:
        """Writes `directory/joint.npz`, weights as fp16 and what is divided by as fp32."""
        arrays: Mapping[str, npt.NDArray[np.generic]] = {
            "categories": np.array(self.categories),
            **{
                name: getattr(self, name).astype(np.float32 if name == "image_scale" else np.float16) for name in ARRAYS
            },
        }
        np.savez_compressed(directory / FILE, **arrays)
        return directory / FILE

    def logits(self, features: FloatArray, text: FloatArray) -> FloatArray:
        """`[N, C]` in the order of LABELS for image features `[N, F]` and raw text vectors `[N, D]`.

        NaN for a category that it was not taught, and for a row whose picture or text is absent (all zeros).
        """
        v = np.tanh((features - self.image_mean) / self.image_scale @ self.image_w + self.image_b)
        t = np.tanh((text - self.text_mean) @ self.text_w + self.text_b)
        x = np.concatenate((v, t, v * t, np.abs(v - t)), axis=1)
        z = np.maximum(x @ self.mix_w + self.mix_b, 0.0) @ self.out_w + self.out_b
        out = np.full((len(z), len(LABELS)), np.nan, dtype=np.float32)
        out[:, [LABELS.index(name) for name in self.categories]] = z
        out[~(features.any(axis=1) & text.any(axis=1))] = np.nan
        return out
