"""Parity: that what is served computes what was trained, and that the text tower is the model it claims to be.

float32 graphs against torch (a gate: 1e-3), int8 against float32 (reported), and the text tower against reference
vectors from the part's own engine (a gate: cosine .99).
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from open_clip import CustomTextCLIP

from triton_models.contract import IMAGE_SIZE_PX
from triton_models.parts import E5Model
from triton_models.training.align import Alignment
from triton_models.training.export import build_image_tower, build_text_tower
from triton_models.training.graph_text import Precision
from triton_models.training.towers import build_clip

FloatArray = npt.NDArray[np.float32]

MAX_DIFFERENCE: Final = 1e-3
MIN_COSINE: Final = 0.99
TEXTS: Final = (
    "Good morning, the coffee is ready.",
    "a photo of a small dog",
    "Die neue Brücke wird im Herbst eröffnet.",
    "明日は友達と映画を見に行きます。",
    "今天天气很好",
    "الطقس جميل اليوم في المدينة",
    "आज मौसम बहुत अच्छा है।",
    "Мы поехали на дачу на выходные. " * 20,
    "😊",
)


@dataclass(frozen=True, slots=True)
class Parity:
    """How far two ways of computing the same vectors are apart."""

    greatest_difference: float
    least_cosine: float

    @classmethod
    def of(cls, ours: FloatArray, theirs: FloatArray) -> Parity:
        """Of `[N, D]` vectors, row by row."""
        lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
        cosines = (ours * theirs).sum(axis=1) / np.maximum(lengths, 1e-12)
        return cls(float(np.abs(ours - theirs).max()), float(cosines.min()))


def text_parity(model: CustomTextCLIP, text: E5Model, texts: Sequence[str], precision: Precision) -> Parity:
    """The exported text tower against torch's BERT, before the projection."""
    with tempfile.TemporaryDirectory() as folder:
        tower = build_text_tower(text, Path(folder), precision)
        ours = tower.encode(texts)
        tokens = [tower.pieces(one) for one in texts]
    padded = torch.full((len(tokens), max(map(len, tokens))), text.vocabulary.pad)
    for row, ids in enumerate(tokens):
        padded[row, : len(ids)] = torch.tensor(ids)
    with torch.no_grad():
        hidden = model.text.transformer(padded, attention_mask=(padded != text.vocabulary.pad).long())
        mask = (padded != text.vocabulary.pad).unsqueeze(-1)
        pooled = (hidden.last_hidden_state * mask).sum(dim=1) / mask.sum(dim=1)
    return Parity.of(ours, torch.nn.functional.normalize(pooled, dim=-1).numpy())


def image_parity(
    model: CustomTextCLIP, weights: Mapping[str, npt.NDArray[Any]], pixels: npt.NDArray[np.uint8]
) -> Parity:
    """The exported image tower against timm's, before the projection."""
    with tempfile.TemporaryDirectory() as folder:
        ours = build_image_tower(weights.__getitem__, Path(folder)).features(pixels)
    with torch.no_grad():
        planes = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1.0
        theirs = model.visual.trunk(planes).numpy()
    return Parity.of(ours, theirs)


def prove(text: E5Model, image: Mapping[str, npt.NDArray[Any]], alignment: Alignment) -> dict[str, Parity]:
    """The three comparisons on fixed texts in several scripts and on noise; see `passes` for the gate."""
    model = build_clip(text, image, alignment)
    pixels = np.random.default_rng(0).integers(0, 256, (8, IMAGE_SIZE_PX, IMAGE_SIZE_PX, 3), dtype=np.uint8)
    return {
        "text_float32": text_parity(model, text, TEXTS, "float32"),
        "text_int8": text_parity(model, text, TEXTS, "int8"),
        "image_float32": image_parity(model, image, pixels),
    }


def summary(found: Mapping[str, Parity]) -> dict[str, float]:
    """What the gates and the card read."""
    exact = max(found["text_float32"].greatest_difference, found["image_float32"].greatest_difference)
    return {"max_difference": exact, "int8_cosine": found["text_int8"].least_cosine}


def passes(found: Mapping[str, Parity]) -> bool:
    """Whether float32 is within MAX_DIFFERENCE of torch and int8 within MIN_COSINE."""
    told = summary(found)
    return told["max_difference"] <= MAX_DIFFERENCE and told["int8_cosine"] >= MIN_COSINE
