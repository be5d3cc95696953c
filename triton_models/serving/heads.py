"""Heads on the towers' embeddings and the zero-shot prompt bank: numpy that turns a unit vector into logits.

Heads read what `TextTower.encode` and the image tower return. They are trained by `training/head_fit.py`; nothing here
trains, calibrates or fuses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from triton_models.contract import LABELS

FloatArray = npt.NDArray[np.float32]

FILE: Final = "heads.npz"
PROMPTS_FILE: Final = "prompts.npz"
PROMPT_SHARPNESS: Final = 20.0
"""How strongly the closest phrasing of a bank counts: 1 is the mean of all cosines, infinity the closest alone."""


@dataclass(frozen=True, slots=True)
class Head:
    """`z = (e - mean) @ skip + relu((e - mean) @ hidden_w + hidden_b) @ out_w + bias`; H may be 0 (a linear head)."""

    categories: tuple[str, ...]  # names of the K columns
    mean: FloatArray  # [D]
    skip: FloatArray  # [D, K]
    bias: FloatArray  # [K]
    hidden_w: FloatArray  # [D, H]
    hidden_b: FloatArray  # [H]
    out_w: FloatArray  # [H, K]

    def logits(self, embeddings: FloatArray) -> FloatArray:
        """`[N, C]` float32 in the order of LABELS; NaN for an untaught category and for an all-zero (absent) row."""
        centred = np.asarray(embeddings, dtype=np.float32) - self.mean
        z = centred @ self.skip + self.bias
        if self.hidden_w.shape[1]:
            z = z + np.maximum(centred @ self.hidden_w + self.hidden_b, 0.0) @ self.out_w
        return _spread(z, self.categories, embeddings)


@dataclass(frozen=True, slots=True)
class Heads:
    """The heads of a release: one per modality that has training data."""

    text_head: Head | None = None
    image_head: Head | None = None

    @classmethod
    def load(cls, directory: Path) -> Heads:
        """The heads in `directory/heads.npz`; OSError, KeyError or ValueError says what is wrong with the file."""
        with np.load(directory / FILE, allow_pickle=False) as saved:
            return cls(text_head=_read(saved, "text"), image_head=_read(saved, "image"))

    def save(self, directory: Path) -> Path:
        """Writes `directory/heads.npz`, weights as fp16."""
        arrays: dict[str, npt.NDArray[np.float16] | npt.NDArray[np.str_]] = {}
        for name, head in (("text", self.text_head), ("image", self.image_head)):
            if head is None:
                continue
            arrays[f"{name}.categories"] = np.array(head.categories)
            for part in ("mean", "skip", "bias", "hidden_w", "hidden_b", "out_w"):
                arrays[f"{name}.{part}"] = getattr(head, part).astype(np.float16)
        path = directory / FILE
        np.savez_compressed(path, **arrays)
        return path

    def text(self, embeddings: FloatArray) -> FloatArray:
        """`[N, C]` logits for `[N, 384]` unit text embeddings; NaN where it has no opinion."""
        return _opinion(self.text_head, embeddings)

    def image(self, embeddings: FloatArray) -> FloatArray:
        """`[N, C]` logits for `[N, 384]` unit image embeddings; NaN where it has no opinion."""
        return _opinion(self.image_head, embeddings)


@dataclass(frozen=True, slots=True)
class PromptBank:
    """Encoded prompts of `policies/library/prompts.yaml`: per category, harmful phrasings against benign ones."""

    harmful: Mapping[str, FloatArray]  # category -> [k, D] unit vectors of the joint space
    benign: Mapping[str, FloatArray]  # category -> [m, D]

    @classmethod
    def load(cls, directory: Path) -> PromptBank:
        """The bank in `directory/prompts.npz` (arrays `harmful.<category>` and `benign.<category>`)."""
        with np.load(directory / PROMPTS_FILE, allow_pickle=False) as saved:
            return cls(
                harmful={key[8:]: saved[key].astype(np.float32) for key in saved.files if key.startswith("harmful.")},
                benign={key[7:]: saved[key].astype(np.float32) for key in saved.files if key.startswith("benign.")},
            )

    def save(self, directory: Path) -> Path:
        """Writes `directory/prompts.npz`."""
        path = directory / PROMPTS_FILE
        arrays = {f"harmful.{name}": rows.astype(np.float16) for name, rows in self.harmful.items()}
        arrays |= {f"benign.{name}": rows.astype(np.float16) for name, rows in self.benign.items()}
        np.savez_compressed(path, **arrays)
        return path

    def score(self, embeddings: FloatArray) -> FloatArray:
        """`[N, C]` margins in cosine: how much nearer to the harmful phrasings than the benign; NaN without a bank."""
        rows = np.asarray(embeddings, dtype=np.float32)
        out = np.full((len(rows), len(LABELS)), np.nan, dtype=np.float32)
        for name, harmful in self.harmful.items():
            if name in self.benign:
                out[:, LABELS.index(name)] = _soft_max(rows @ harmful.T) - _soft_max(rows @ self.benign[name].T)
        out[~rows.any(axis=1)] = np.nan
        return out


def _soft_max(cosines: FloatArray) -> FloatArray:
    """Per row the log-mean-exp of the cosines at PROMPT_SHARPNESS: a smooth maximum, whatever the size of the bank."""
    scaled = cosines * np.float32(PROMPT_SHARPNESS)
    top = scaled.max(axis=1)
    mean = np.exp(scaled - top[:, None]).mean(axis=1)
    soft: FloatArray = (top + np.log(mean)) / np.float32(PROMPT_SHARPNESS)
    return soft


def _opinion(head: Head | None, embeddings: FloatArray) -> FloatArray:
    if head is None:
        return np.full((len(embeddings), len(LABELS)), np.nan, dtype=np.float32)
    return head.logits(embeddings)


def _spread(logits: FloatArray, categories: Sequence[str], embeddings: FloatArray) -> FloatArray:
    out = np.full((len(logits), len(LABELS)), np.nan, dtype=np.float32)
    out[:, [LABELS.index(name) for name in categories]] = logits
    out[~np.asarray(embeddings).any(axis=1)] = np.nan
    return out


def _read(saved: Mapping[str, npt.NDArray[np.float16]], name: str) -> Head | None:
    if f"{name}.categories" not in saved:
        return None
    parts = {
        part: saved[f"{name}.{part}"].astype(np.float32)
        for part in ("mean", "skip", "bias", "hidden_w", "hidden_b", "out_w")
    }
    return Head(categories=tuple(str(label) for label in saved[f"{name}.categories"]), **parts)
