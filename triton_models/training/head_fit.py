"""Fits the head on the frozen text tower for the categories that have data; `linear_fit.py` serves the others.

One network for all of them: `z = x W + relu(x H + h) O + b` on standardised embeddings (folded back into the
weights). The loss is binary cross-entropy over the labels that a row has, each category counted by its own weights.
Torch is used to train; what comes out is numpy. No calibration here (`stack.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from triton_models.serving.heads import Head
from triton_models.training.linear_fit import Linear
from triton_models.training.progress import Advance

FloatArray = npt.NDArray[np.float32]
Target = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HeadRecipe:
    """How the head is made."""

    hidden: int = 64
    epochs: int = 8
    batch: int = 512
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    dropout: float = 0.2


class _Net(nn.Module):
    def __init__(self, width: int, categories: int, recipe: HeadRecipe) -> None:
        super().__init__()
        self.skip = nn.Linear(width, categories)
        self.hidden = nn.Linear(width, recipe.hidden)
        self.out = nn.Linear(recipe.hidden, categories, bias=False)
        self.drop = nn.Dropout(recipe.dropout)
        nn.init.zeros_(self.skip.weight)
        nn.init.zeros_(self.out.weight)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        hidden = self.drop(functional.relu(self.hidden(rows)))
        logits: torch.Tensor = self.skip(rows) + self.out(hidden)
        return logits


def fit_head(
    embeddings: FloatArray,
    targets: Mapping[str, Target],
    weights: Mapping[str, Target],
    *,
    recipe: HeadRecipe,
    seed: int,
    advance: Advance | None = None,
) -> Head:
    """The head taught `targets` (category -> `[N]` in 0..1, NaN where the row says nothing), seeded.

    `weights` says how much each row counts for each category; a category's weights are scaled to mean 1 here.
    """
    torch.manual_seed(seed)
    mean, scale = embeddings.mean(axis=0), embeddings.std(axis=0) + 1e-6
    rows = torch.from_numpy((embeddings - mean) / scale)
    target = np.stack([targets[name] for name in targets], axis=1)
    weight = np.stack([_scaled(weights[name], targets[name]) for name in targets], axis=1)
    wanted = torch.from_numpy(np.nan_to_num(target).astype(np.float32))
    counted = torch.from_numpy(weight.astype(np.float32))
    net = _Net(embeddings.shape[1], len(targets), recipe)
    optimizer = torch.optim.AdamW(net.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    steps = recipe.epochs * -(-len(rows) // recipe.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(recipe.epochs):
        for chosen in torch.split(torch.randperm(len(rows), generator=generator), recipe.batch):
            losses = functional.binary_cross_entropy_with_logits(net(rows[chosen]), wanted[chosen], reduction="none")
            loss = (losses * counted[chosen]).mean()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        if advance is not None:
            advance(1)
    return _folded(net, tuple(targets), mean, scale)


def with_linear(head: Head, small: Mapping[str, Linear]) -> Head:
    """`head` with more categories, each linear in the embedding."""
    if not small:
        return head
    weights = np.stack([one.weight for one in small.values()], axis=1)
    biases = np.array([one.bias for one in small.values()], dtype=np.float32) + head.mean @ weights
    nothing = np.zeros((head.out_w.shape[0], len(small)), dtype=np.float32)
    return replace(
        head,
        categories=(*head.categories, *small),
        skip=np.concatenate((head.skip, weights), axis=1),
        bias=np.concatenate((head.bias, biases)),
        out_w=np.concatenate((head.out_w, nothing), axis=1),
    )


def _scaled(weight: Target, target: Target) -> Target:
    said = ~np.isnan(target)
    kept = np.where(said, weight, 0.0)
    total = kept.sum()
    scaled: Target = kept * (len(kept) / total) if total else kept
    return scaled


def _folded(net: _Net, categories: tuple[str, ...], mean: FloatArray, scale: FloatArray) -> Head:
    def numpy(parameter: torch.Tensor) -> FloatArray:
        array: FloatArray = parameter.detach().numpy().astype(np.float32)
        return array

    return Head(
        categories=categories,
        mean=mean.astype(np.float32),
        skip=numpy(net.skip.weight).T / scale[:, None],
        bias=numpy(net.skip.bias),
        hidden_w=numpy(net.hidden.weight).T / scale[:, None],
        hidden_b=numpy(net.hidden.bias),
        out_w=numpy(net.out.weight).T,
    )
