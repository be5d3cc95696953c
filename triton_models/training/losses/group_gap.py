"""Group gap: harmless posts that mention a group score no higher than harmless posts that do not."""

from __future__ import annotations

import torch


def group_gap(logits: torch.Tensor, harmless: torch.Tensor, groups: torch.Tensor) -> torch.Tensor:
    """Mean over groups of `max(0, mean z(harmless, group) - mean z(harmless))^2`.

    `logits` `[B]`, `harmless` bool `[B]`, `groups` bool `[B, G]`. A group without a harmless row in the batch adds
    nothing. After Borkan et al. 2019 (background negatives against subgroup positives), as a penalty.
    """
    if not bool(harmless.any()):
        return logits.sum() * 0.0
    overall = logits[harmless].mean()
    gaps = [
        torch.relu(logits[harmless & groups[:, index]].mean() - overall) ** 2
        for index in range(groups.shape[1])
        if bool((harmless & groups[:, index]).any())
    ]
    return torch.stack(gaps).mean() if gaps else logits.sum() * 0.0
