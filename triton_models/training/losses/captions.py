"""Caption contrast on replayed harmless pairs: what pre-training taught about pictures and words stays."""

from __future__ import annotations

import torch


def caption_contrast(
    images: torch.Tensor, texts: torch.Tensor, same: torch.Tensor, *, temperature: float = 0.07
) -> torch.Tensor:
    """Multi-positive InfoNCE, both ways: `-log (sum over same of e^(s/T) / sum over all of e^(s/T))`.

    `images` `[N, D]`, `texts` `[M, D]` of unit length; `same` bool `[N, M]`, true where text and picture belong
    together (several captions of one picture: Khosla et al. 2020). Rows and columns without a partner are left out.
    """
    logits = images @ texts.T / temperature
    return (_one_way(logits, same) + _one_way(logits.T, same.T)) / 2


def _one_way(logits: torch.Tensor, same: torch.Tensor) -> torch.Tensor:
    rows = same.any(dim=1)
    if not bool(rows.any()):
        return logits.sum() * 0.0
    partners = logits[rows].masked_fill(~same[rows], float("-inf"))
    return (torch.logsumexp(logits[rows], dim=1) - torch.logsumexp(partners, dim=1)).mean()
