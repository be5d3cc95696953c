"""What keeps a group's name or a language from being a sign of harm: the recipe's `group_gap` and `reversal`.

Both count only in training; nothing of them is in a release. Formulae: `losses/group_gap.py`, `losses/reversal.py`.
Decision 0024 tells of the language that had become a sign.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from triton_models.training.losses import group_gap, reverse_gradient


def identity_gap(logits: torch.Tensor, target: torch.Tensor, identities: Sequence[str | None]) -> torch.Tensor:
    """`group_gap` of one category over the identity groups that are in the batch; 0 without one.

    `logits` and `target` `[B]`: a row is harmless where its target is 0 (NaN is not asked); `identities` has the group
    a row speaks of, None for none. A batch holds few rows of a group, so one batch's gap is noisy.
    """
    names = sorted({name for name in identities if name is not None})
    groups = torch.tensor([[own == name for name in names] for own in identities], dtype=torch.bool)
    return group_gap(logits.float(), target == 0, groups)


class LocaleAdversary(nn.Module):
    """A linear probe that learns to tell a text's locale; what comes before it learns to hide it.

    It starts at zero: that draws nothing at random, and the embedding feels it only once it has learned something.
    """

    def __init__(self, size: int, locales: Sequence[str]) -> None:
        super().__init__()
        if not locales:
            raise ValueError("the loss `reversal` needs each row's locale: give FinetuneData its `locales`")
        self.places = {name: place for place, name in enumerate(sorted(set(locales)))}
        self.probe = nn.Linear(size, len(self.places))
        nn.init.zeros_(self.probe.weight)
        nn.init.zeros_(self.probe.bias)

    def forward(self, vectors: torch.Tensor, locales: Sequence[str]) -> torch.Tensor:
        """The probe's mean cross-entropy over `vectors` `[B, H]`; their own gradient is turned round."""
        wanted = torch.tensor([self.places[name] for name in locales])
        return nn.functional.cross_entropy(self.probe(reverse_gradient(vectors)).float(), wanted)
