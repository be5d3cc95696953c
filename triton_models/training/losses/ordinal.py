"""Ordinal severity: one threshold between each two grades, so that 6 for 5 costs less than 6 for 1."""

from __future__ import annotations

import torch


def ordinal_loss(score: torch.Tensor, grade: torch.Tensor, thresholds: torch.Tensor) -> torch.Tensor:
    """Mean BCE of `sigmoid(score - b_k)` against `grade > k`; grades below 0 are not asked.

    `score` `[B]`, `grade` int `[B]` 0..K, `thresholds` `[K]` in rising order. McCullagh 1980 (proportional odds), as
    K binary questions: Cao, Mirjalili, Raschka 2020 (CORAL).
    """
    asked = grade >= 0
    if not bool(asked.any()):
        return score.sum() * 0.0
    logits = score[asked, None] - thresholds[None, :]
    over = (grade[asked, None] > torch.arange(len(thresholds))[None, :]).to(logits.dtype)
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, over)
