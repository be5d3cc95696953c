"""Contrast to class prompts: a harmful text lies nearer to its category's prompts than to the others'."""

from __future__ import annotations

import torch


def class_prompt_contrast(
    embeddings: torch.Tensor, prompts: torch.Tensor, target: torch.Tensor, *, temperature: float = 0.07
) -> torch.Tensor:
    """`-mean over positives of log softmax(e . P / T)`, over rows with a positive; 0 without one.

    `embeddings` `[B, D]` and `prompts` `[C, D]` of unit length; `target` `[B, C]`, over .5 is positive. Goyal et al.
    2023, "Finetune like you pretrain" (FLYP): the loss of pre-training, with class prompts in place of captions.
    """
    positive = torch.nan_to_num(target, nan=0.0) > 0.5
    rows = positive.any(dim=1)
    if not bool(rows.any()):
        return embeddings.sum() * 0.0
    log_share = torch.log_softmax(embeddings[rows] @ prompts.T / temperature, dim=1)
    own = positive[rows]
    return -((log_share * own).sum(dim=1) / own.sum(dim=1)).mean()
