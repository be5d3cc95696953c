"""Counterfactual logit pairing: the same words about another group get the same logit."""

from __future__ import annotations

import torch


def logit_pairing(logits: torch.Tensor, swapped: torch.Tensor) -> torch.Tensor:
    """Mean of `|z(x) - z(x')|` over texts `x` and their copies `x'` with another identity term, `[P, C]`; 0 without.

    Garg et al. 2019, "Counterfactual Fairness in Text Classification through Robustness".
    """
    if not len(logits):
        return logits.sum() * 0.0
    return (logits - swapped).abs().mean()
