"""Parity: that what is served computes what was trained, and that the text tower is the model it claims to be.

float32 graphs against torch (a gate: 1e-3), int8 against float32 (reported), and the text tower against reference
vectors from the part's own engine (a gate: cosine .99).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from open_clip import CustomTextCLIP

from triton_models.build import write_text_tables
from triton_models.fill import FillPlan, fill
from triton_models.parts import E5Model
from triton_models.serving.image_tower import ImageTower
from triton_models.serving.text_tower import TextTower
from triton_models.training.graph_image import export_image_graph
from triton_models.training.graph_text import Precision, export_text_graph

FloatArray = npt.NDArray[np.float32]

MAX_DIFFERENCE: Final = 1e-3
MIN_COSINE: Final = 0.99


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


def build_text_tower(text: E5Model, folder: Path, precision: Precision) -> TextTower:
    """Exports, fills and loads a text tower in `folder`."""
    _fill(export_text_graph(text, folder, precision), text.array, folder)
    write_text_tables(text, folder)
    return TextTower.load(folder)


def build_image_tower(weights: Callable[[str], Any], folder: Path) -> ImageTower:
    """Exports, fills and loads an image tower in `folder`."""
    _fill(export_image_graph(folder), weights, folder)
    return ImageTower.load(folder)


def _fill(plan: FillPlan, source: Callable[[str], Any], folder: Path) -> None:
    fill(plan, source, folder / plan.data)
