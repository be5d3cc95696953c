"""Asymmetric multi-label loss: easy negatives are let go, so that rare harms are not drowned."""

from __future__ import annotations

import torch


def asymmetric_loss(
    logits: torch.Tensor, target: torch.Tensor, *, gamma_negative: float = 2.0, gamma_positive: float = 0.0
) -> torch.Tensor:
    """Mean over what is asked of `-(y (1-p)^g+ log p + (1-y) p^g- log(1-p))`; NaN in `target` is not asked.

    `logits` and `target` are `[B, C]`; targets may be shares. With both gammas 0 it is binary cross-entropy. 0 when
    nothing is asked. Ridnik et al. 2021, "Asymmetric Loss for Multi-Label Classification", without its probability
    shift, which would let a wrong label go too.
    """
    asked = ~torch.isnan(target)
    y = torch.where(asked, target, torch.zeros_like(target))
    log_p, log_q = torch.nn.functional.logsigmoid(logits), torch.nn.functional.logsigmoid(-logits)
    p = torch.sigmoid(logits)
    each = -(y * (1 - p) ** gamma_positive * log_p + (1 - y) * p**gamma_negative * log_q)
    return (each * asked).sum() / asked.sum().clamp(min=1)
