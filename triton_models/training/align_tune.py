"""Contrastive training of the joint space: the map from the image tower moves, the tower and the captions do not.

Loss of a step: caption contrast both ways (pictures against one caption each, drawn from the languages it has one in;
captions of other pictures in the batch are the negatives), and the same between the classifier's 1,000 directions and
the names of its classes, so that what ImageNet taught stays named.
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

from triton_models.training.epochs import Course, Rows, run_epochs
from triton_models.training.losses import caption_contrast
from triton_models.training.progress import Progress

Array = npt.NDArray[np.float32]

NAMES_EACH_STEP: Final = 128
PIVOT: Final = "en"


@dataclass(frozen=True, slots=True)
class AlignRecipe:
    """How the joint space is trained."""

    epochs: int = 4
    batch: int = 128
    learning_rate: float = 6e-4
    weight_decay: float = 0.02
    temperature: float = 0.05
    names: float = 0.5  # weight of the class names' contrast
    pivot_share: float = 0.4  # how often a picture's caption is the English one
    views: int = 8  # renderings of each training picture
    seed: int = 20261124


@dataclass(frozen=True, slots=True)
class AlignData:
    """Pictures as the image tower sees them, with their captions as unit vectors of the joint space."""

    features: Array  # [N, F]
    picture: npt.NDArray[np.int64]  # [N] which picture a view is of
    captions: Sequence[Mapping[str, int]]  # per picture: language -> row of `vectors`
    vectors: Array  # [T, D]
    classifier: Array  # [K, F]
    class_vectors: Array  # [K, D]


class AlignNet(nn.Module):
    """The map into the joint space."""

    def __init__(self, image_map: Array) -> None:
        super().__init__()
        self.map = nn.Parameter(torch.from_numpy(np.array(image_map, dtype=np.float32)))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Unit vectors of the joint space `[B, D]` for features `[B, F]`."""
        return nn.functional.normalize(features @ self.map, dim=1)


def tune(net: AlignNet, data: AlignData, recipe: AlignRecipe, *, work: Path, progress: Progress) -> list[float]:
    """Moves `net` in place; the mean loss of each epoch."""
    key = hashlib.blake2b(repr((asdict(recipe), data.features.shape)).encode() + data.vectors.tobytes(), digest_size=8)

    def step(rows: Rows, rng: np.random.Generator) -> torch.Tensor:
        return _loss(net, data, rows, recipe, rng)

    course = Course(
        "align pictures with words", recipe.epochs, recipe.batch, recipe.learning_rate, recipe.weight_decay, recipe.seed
    )
    kept = work / f"align-{key.hexdigest()}.pt"
    return run_epochs(net, step, len(data.features), course, kept=kept, progress=progress)


def _loss(net: AlignNet, data: AlignData, rows: Rows, recipe: AlignRecipe, rng: np.random.Generator) -> torch.Tensor:
    seen = net(torch.from_numpy(data.features[rows]))
    pictures = data.picture[rows]
    captions = np.array([draw_caption(data.captions[one], recipe.pivot_share, rng) for one in pictures])
    same = torch.from_numpy((pictures[:, None] == pictures[None, :]) | (captions[:, None] == captions[None, :]))
    loss = caption_contrast(seen, torch.from_numpy(data.vectors[captions]), same, temperature=recipe.temperature)
    if recipe.names:
        classifier = torch.from_numpy(data.classifier)
        some = torch.from_numpy(rng.permutation(len(classifier))[:NAMES_EACH_STEP])
        directions = net(classifier[some] - classifier.mean(dim=0))
        names = torch.from_numpy(data.class_vectors)[some]
        own = torch.eye(len(some), dtype=torch.bool)
        loss = loss + recipe.names * caption_contrast(directions, names, own, temperature=recipe.temperature)
    return loss


def draw_caption(known: Mapping[str, int], pivot_share: float, rng: np.random.Generator) -> int:
    """One caption of a picture: English as often as `pivot_share` says, else any of its languages."""
    if PIVOT in known and rng.random() < pivot_share:
        return known[PIVOT]
    languages = sorted(known)
    return known[languages[int(rng.integers(len(languages)))]]
