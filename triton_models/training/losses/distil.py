"""Distillation to the frozen start: the space may move where labels ask for it, and nowhere else."""

from __future__ import annotations

import torch


def distillation(now: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    """Mean of `1 - cos(now, start)`; both `[B, D]`, `start` without gradient (Hinton et al. 2015, on embeddings)."""
    return (1.0 - torch.nn.functional.cosine_similarity(now, start.detach(), dim=1)).mean()
