"""Training of the second image tower, which sees drawings: the part's upper stages, towards names and kinds.

Loss of a step: caption contrast both ways, as in `align_tune.py`, plus what a picture is of, where our concepts name
it: binary cross-entropy summed over the concepts. Names carry what unseen pictures share with seen ones, concepts
what the joint reading asks. Half the states are mirrored, and from half a square is cut out (DeVries & Taylor 2017).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from triton_models.training.align_tune import draw_caption
from triton_models.training.epochs import Course, Rows, run_epochs
from triton_models.training.graph_image import FEATURES
from triton_models.training.image_layers import ImageLayers
from triton_models.training.losses import caption_contrast
from triton_models.training.progress import Progress

Array = npt.NDArray[np.float32]

CUT_SHARE: Final = 1 / 3
"""Side of the square that is cut out, of the side of the states."""


@dataclass(frozen=True, slots=True)
class DrawingsRecipe:
    """How the tower is trained."""

    first: int = 3  # lowest stage that moves
    epochs: int = 3
    batch: int = 128
    learning_rate: float = 6e-4
    weight_decay: float = 0.02
    temperature: float = 0.05
    kinds: float = 0.5  # weight of the concepts' loss
    dropout: float = 0.2
    mean: float = 0.995  # of the running mean of the weights
    pivot_share: float = 0.4  # how often a picture's caption is the English one
    views: int = 3  # renderings of each training picture
    views_of_concepts: int = 9  # of one that our table of concepts names
    seed: int = 20261124


@dataclass(frozen=True, slots=True)
class DrawingsData:
    """Pictures as the lower stages leave them, with their captions and kinds."""

    states: npt.NDArray[np.float16]  # [N, C, H, W]
    picture: npt.NDArray[np.int64]  # [N] which picture a view is of
    captions: Sequence[Mapping[str, int]]  # per picture: language -> row of `vectors`
    vectors: Array  # [T, D] unit
    kinds: Array  # [P, K] per picture: 1 of this concept, 0 not; NaN: of none that the table knows


class DrawingsNet(nn.Module):
    """The stages that move, a map into the joint space and a reading of kinds; the last two only teach the first."""

    def __init__(self, weights: Mapping[str, Array], image_map: Array, kinds: int, recipe: DrawingsRecipe) -> None:
        super().__init__()
        self.layers = ImageLayers(weights, recipe.first).to(memory_format=torch.channels_last)
        self.map = nn.Parameter(torch.from_numpy(np.array(image_map, dtype=np.float32)))
        self.drop, self.kinds = nn.Dropout(recipe.dropout), nn.Linear(FEATURES, kinds)

    def forward(self, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Unit vectors of the joint space `[B, D]` and logits of the kinds `[B, K]`."""
        features = self.drop(self.layers(states))
        return nn.functional.normalize(features @ self.map, dim=1), self.kinds(features)


def tune_drawings(
    net: DrawingsNet, data: DrawingsData, recipe: DrawingsRecipe, *, work: Path, progress: Progress
) -> list[float]:
    """Moves `net` in place; the mean loss of each epoch."""
    torch.manual_seed(recipe.seed)
    key = hashlib.blake2b(repr((asdict(recipe), data.states.shape, data.captions)).encode(), digest_size=8)
    for taught in (data.vectors, data.kinds, data.picture):  # else a finished run would stand for another table's
        key.update(taught.tobytes())

    def step(rows: Rows, rng: np.random.Generator) -> torch.Tensor:
        return _loss(net, data, rows, recipe, rng)

    course = Course(
        "learn drawings",
        recipe.epochs,
        recipe.batch,
        recipe.learning_rate,
        recipe.weight_decay,
        recipe.seed,
        mean=recipe.mean,
    )
    kept = work / f"drawings-{key.hexdigest()}.pt"
    net.train()
    losses = run_epochs(net, step, len(data.states), course, kept=kept, progress=progress)
    net.eval()
    return losses


def _loss(
    net: DrawingsNet, data: DrawingsData, rows: Rows, recipe: DrawingsRecipe, rng: np.random.Generator
) -> torch.Tensor:
    seen, kinds = net(disturbed(data.states[rows].astype(np.float32), rng))
    pictures = data.picture[rows]
    captions = np.array([draw_caption(data.captions[one], recipe.pivot_share, rng) for one in pictures])
    same = torch.from_numpy((pictures[:, None] == pictures[None, :]) | (captions[:, None] == captions[None, :]))
    loss = caption_contrast(seen, torch.from_numpy(data.vectors[captions]), same, temperature=recipe.temperature)
    told = torch.from_numpy(data.kinds[pictures])
    known = ~told.isnan().any(dim=1)
    if bool(known.any()):
        each = nn.functional.binary_cross_entropy_with_logits(kinds[known], told[known], reduction="none")
        loss = loss + recipe.kinds * each.sum(dim=1).mean()
    return loss


def disturbed(states: Array, rng: np.random.Generator) -> torch.Tensor:
    """`[B, C, H, W]` states, about half of them mirrored and half with a square of nothing in them."""
    high, wide = states.shape[2:]
    side = max(1, round(min(high, wide) * CUT_SHARE))
    for state in states:
        if rng.random() < 0.5:
            state[:] = state[:, :, ::-1].copy()
        if rng.random() < 0.5:
            top, left = rng.integers(0, high - side + 1), rng.integers(0, wide - side + 1)
            state[:, top : top + side, left : left + side] = 0.0
    return torch.from_numpy(states).contiguous(memory_format=torch.channels_last)
