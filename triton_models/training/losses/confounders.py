"""Benign confounders: a harmful post and its harmless twin, which differ in little, are kept apart by a margin."""

from __future__ import annotations

import torch


def confounder_margin(harmful: torch.Tensor, harmless: torch.Tensor, *, margin: float = 2.0) -> torch.Tensor:
    """Mean of `max(0, margin - (z_harmful - z_harmless))` over the pairs' logits `[P]`; 0 without pairs.

    Contrast sets: Gardner et al. 2020, "Evaluating Models' Local Decision Boundaries".
    """
    if not len(harmful):
        return harmful.sum() * 0.0
    return torch.relu(margin - (harmful - harmless)).mean()
