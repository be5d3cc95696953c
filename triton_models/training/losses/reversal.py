"""Gradient reversal: a probe learns to tell the group from the embedding, and the embedding learns to hide it."""

from __future__ import annotations

from typing import Any

import torch


class _Reverse(torch.autograd.Function):
    """Identity forward, `-strength * gradient` backward."""

    @staticmethod
    def forward(ctx: Any, value: torch.Tensor, strength: float) -> torch.Tensor:
        """The value itself."""
        ctx.strength = strength
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        """The gradient turned round."""
        return -ctx.strength * gradient, None


def reverse_gradient(value: torch.Tensor, strength: float = 1.0) -> torch.Tensor:
    """`value`, whose gradient is turned round (Ganin, Lempitsky 2015). Put it before the probe."""
    reversed_value: torch.Tensor = _Reverse.apply(value, strength)
    return reversed_value
