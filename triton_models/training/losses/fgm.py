"""Adversarial text: a step in the embeddings of the words against the model, of fixed length (FGM)."""

from __future__ import annotations

import torch


def adversarial_shift(loss: torch.Tensor, vectors: torch.Tensor, *, length: float = 0.5) -> torch.Tensor:
    """`length * g / |g|` per row, g the gradient of `loss` by `vectors` `[B, T, D]`; without gradient itself.

    Add it to the vectors and take the loss again (Miyato, Dai, Goodfellow 2017, "Adversarial Training Methods for
    Semi-Supervised Text Classification"). Rows with no gradient are not moved.
    """
    (gradient,) = torch.autograd.grad(loss, vectors, retain_graph=True)
    norms = gradient.flatten(1).norm(dim=1).clamp(min=1e-12)
    shift: torch.Tensor = length * gradient / norms[:, None, None]
    return shift.detach()
