"""Contrastive training of the joint space: the map, and if asked the tower's upper stages, move; captions do not.

Loss of a step: caption contrast both ways (pictures against one caption each, drawn from the languages it has one in;
captions of other pictures in the batch are the negatives), the same between the classifier's 1,000 directions and the
names of its classes, so that what ImageNet taught stays named, and a KL to what the start's classifier sees in the
same pictures. An epoch ends in a checkpoint; a killed run goes on at the epoch where it was, to the same end.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from triton_models.training.checkpoint import save_checkpoint
from triton_models.training.graph_image import STAGES
from triton_models.training.image_layers import ImageLayers
from triton_models.training.losses import caption_contrast
from triton_models.training.progress import Progress

Array = npt.NDArray[np.float32]

WARMUP: Final = 0.05
LEAST_RATE: Final = 0.02
CLIP: Final = 5.0
NAMES_EACH_STEP: Final = 128
PIVOT: Final = "en"


@dataclass(frozen=True, slots=True)
class AlignRecipe:
    """How the joint space is trained."""

    first: int = 7  # lowest stage of the image tower that moves with the map; 7: the map alone
    epochs: int = 4
    batch: int = 128
    learning_rate: float = 6e-4
    weight_decay: float = 0.02
    temperature: float = 0.05
    names: float = 0.5  # weight of the class names' contrast
    distil: float = 0.5  # weight of the KL to what the start sees
    distil_every: int = 4  # steps: it costs a second run of the stages
    pivot_share: float = 0.4  # how often a picture's caption is the English one
    views: int = 8  # renderings of each training picture
    seed: int = 20261124


@dataclass(frozen=True, slots=True)
class AlignData:
    """Pictures as the lower stages leave them, with their captions as unit vectors of the joint space."""

    states: npt.NDArray[np.float16]  # [N, C, H, W]
    picture: npt.NDArray[np.int64]  # [N] which picture a view is of
    captions: Sequence[Mapping[str, int]]  # per picture: language -> row of `vectors`
    vectors: Array  # [T, D]
    classifier: Array  # [K, F]
    classifier_bias: Array  # [K]
    class_vectors: Array  # [K, D]


class AlignNet(nn.Module):
    """The stages that move and the map into the joint space."""

    def __init__(self, weights: Mapping[str, Array], image_map: Array, first: int) -> None:
        super().__init__()
        self.layers = ImageLayers(weights, first).to(memory_format=torch.channels_last)
        self.layers.requires_grad_(requires_grad=first < len(STAGES))
        self.map = nn.Parameter(torch.from_numpy(np.array(image_map, dtype=np.float32)))

    def forward(self, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Features `[B, F]` and unit vectors of the joint space `[B, D]`."""
        features = self.layers(states)
        return features, nn.functional.normalize(features @ self.map, dim=1)


def tune(
    net: AlignNet, start: ImageLayers, data: AlignData, recipe: AlignRecipe, *, work: Path, progress: Progress
) -> list[float]:
    """Moves `net` in place; the mean loss of each epoch."""
    torch.manual_seed(recipe.seed)
    moving = [one for one in net.parameters() if one.requires_grad]
    optimiser = torch.optim.AdamW(moving, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    key = hashlib.blake2b(repr((asdict(recipe), data.states.shape)).encode() + data.vectors.tobytes(), digest_size=8)
    kept = work / f"align-{key.hexdigest()}.pt"
    losses: list[float] = _resume(kept, net, optimiser)
    per_epoch = len(data.states) // recipe.batch
    with progress.stage("align pictures with words", recipe.epochs * per_epoch) as advance:
        advance(len(losses) * per_epoch)
        for epoch in range(len(losses), recipe.epochs):
            rng = np.random.default_rng((recipe.seed, epoch))
            order = rng.permutation(len(data.states))
            total = 0.0
            for step in range(per_epoch):
                rows = np.sort(order[step * recipe.batch : (step + 1) * recipe.batch])
                for group in optimiser.param_groups:
                    group["lr"] = recipe.learning_rate * _rate((epoch * per_epoch + step) / (recipe.epochs * per_epoch))
                asked = step % recipe.distil_every == 0 and recipe.first < len(STAGES)
                loss = _loss(net, start if asked else None, data, rows, (recipe, rng))
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(moving, CLIP)
                optimiser.step()
                total += float(loss.detach())
                advance(1)
            losses.append(total / max(per_epoch, 1))
            save_checkpoint(kept, {"net": net.state_dict(), "optimiser": optimiser.state_dict(), "losses": losses})
    return losses


def states_of(data: AlignData, rows: npt.NDArray[np.int64]) -> torch.Tensor:
    """The lower stages' states of some views."""
    return torch.from_numpy(data.states[rows].astype(np.float32)).contiguous(memory_format=torch.channels_last)


def _loss(
    net: AlignNet,
    start: ImageLayers | None,
    data: AlignData,
    rows: npt.NDArray[np.int64],
    drawn: tuple[AlignRecipe, np.random.Generator],
) -> torch.Tensor:
    recipe, rng = drawn
    states = states_of(data, rows)
    features, seen = net(states)
    pictures = data.picture[rows]
    captions = np.array([_caption(data.captions[one], recipe.pivot_share, rng) for one in pictures])
    same = torch.from_numpy((pictures[:, None] == pictures[None, :]) | (captions[:, None] == captions[None, :]))
    said = torch.from_numpy(data.vectors[captions])
    loss = caption_contrast(seen, said, same, temperature=recipe.temperature)
    classifier = torch.from_numpy(data.classifier)
    if recipe.names:
        some = torch.from_numpy(rng.permutation(len(data.classifier))[:NAMES_EACH_STEP])
        directions = nn.functional.normalize((classifier[some] - classifier.mean(dim=0)) @ net.map, dim=1)
        names = torch.from_numpy(data.class_vectors)[some]
        loss = loss + recipe.names * caption_contrast(
            directions, names, torch.eye(len(some), dtype=torch.bool), temperature=recipe.temperature
        )
    if start is not None and recipe.distil:
        bias = torch.from_numpy(data.classifier_bias)
        with torch.no_grad():
            before = (start(states) @ classifier.T + bias).softmax(dim=1)
        now = (features @ classifier.T + bias).log_softmax(dim=1)
        loss = loss + recipe.distil * nn.functional.kl_div(now, before, reduction="batchmean")
    return loss


def _caption(known: Mapping[str, int], pivot_share: float, rng: np.random.Generator) -> int:
    """One caption of a picture: English as often as `pivot_share` says, else any of its languages."""
    if PIVOT in known and rng.random() < pivot_share:
        return known[PIVOT]
    languages = sorted(known)
    return known[languages[int(rng.integers(len(languages)))]]


def _rate(share: float) -> float:
    return max(min(share / WARMUP, 1.0) * 0.5 * (1 + math.cos(math.pi * share)), LEAST_RATE)


def _resume(path: Path, net: AlignNet, optimiser: torch.optim.Optimizer) -> list[float]:
    if not path.is_file():
        return []
    state = torch.load(path, weights_only=True)
    net.load_state_dict(state["net"])
    optimiser.load_state_dict(state["optimiser"])
    return list(state["losses"])
