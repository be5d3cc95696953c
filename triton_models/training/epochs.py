"""Epochs over rows: AdamW, a warm-up and a cosine, a running mean of the weights, a checkpoint after each epoch.

A killed run goes on at the epoch where it was, to the same end. What a step's loss is, is the caller's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from triton_models.training.checkpoint import save_checkpoint
from triton_models.training.progress import Progress

Rows = npt.NDArray[np.int64]
Step = Callable[[Rows, np.random.Generator], torch.Tensor]
"""Sorted row numbers and what to draw with -> the loss."""

WARMUP: Final = 0.05
LEAST_RATE: Final = 0.02
CLIP: Final = 5.0


@dataclass(frozen=True, slots=True)
class Course:
    """How long and how fast."""

    stage: str  # what the progress bar calls it
    epochs: int
    batch: int
    learning_rate: float  # at its highest, after WARMUP
    weight_decay: float
    seed: int
    mean: float = 0.0  # decay a step of the running mean that the net ends as; 0: it ends as the last step left it


def run_epochs(
    net: nn.Module, step: Step, count: int, course: Course, *, kept: Path, progress: Progress
) -> list[float]:
    """Moves `net` in place over `count` rows an epoch; the mean loss of each epoch. The checkpoint is `kept`."""
    moving = {name: one for name, one in net.named_parameters() if one.requires_grad}
    optimiser = torch.optim.AdamW(moving.values(), lr=course.learning_rate, weight_decay=course.weight_decay)
    losses, mean = list[float](), {name: one.detach().clone() for name, one in moving.items()}
    if kept.is_file():
        state = torch.load(kept, weights_only=True)
        net.load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
        losses, mean = list(state["losses"]), dict(state["mean"])
    each = count // course.batch
    with progress.stage(course.stage, course.epochs * each) as advance:
        advance(len(losses) * each)
        for epoch in range(len(losses), course.epochs):
            torch.manual_seed(course.seed + epoch)
            rng = np.random.default_rng((course.seed, epoch))
            order, total = rng.permutation(count), 0.0
            for number in range(each):
                rows = np.sort(order[number * course.batch : (number + 1) * course.batch])
                for group in optimiser.param_groups:
                    group["lr"] = course.learning_rate * _rate((epoch * each + number) / (course.epochs * each))
                loss = step(rows, rng)
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(moving.values(), CLIP)
                optimiser.step()
                _follow(mean, moving, course.mean)
                total += float(loss.detach())
                advance(1)
            losses.append(total / max(each, 1))
            state = {"net": net.state_dict(), "optimiser": optimiser.state_dict(), "losses": losses, "mean": mean}
            save_checkpoint(kept, state)
    with torch.no_grad():
        for name, one in moving.items():
            one.copy_(mean[name])
    return losses


@torch.no_grad()
def _follow(mean: dict[str, torch.Tensor], moving: dict[str, nn.Parameter], decay: float) -> None:
    """Mean = decay * mean + (1 - decay) * now."""
    for name, one in moving.items():
        mean[name].lerp_(one.detach(), 1.0 - decay)


def _rate(share: float) -> float:
    return max(min(share / WARMUP, 1.0) * 0.5 * (1 + math.cos(math.pi * share)), LEAST_RATE)
