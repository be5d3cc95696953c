"""What a step of fine-tuning is punished for: the recipe's losses over a piece of a batch. Formulae: `losses/`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from triton_models.training.finetune_batches import pairs_in
from triton_models.training.finetune_debias import LocaleAdversary, identity_gap
from triton_models.training.finetune_recipe import FinetuneRecipe
from triton_models.training.losses import (
    adversarial_shift,
    asymmetric_loss,
    class_prompt_contrast,
    confounder_margin,
    distillation,
    logit_pairing,
)
from triton_models.training.text_layers import HiddenStore, TextLayers

SCALE = 20.0
"""What a unit vector is multiplied by before the head: with 1 its logits could hardly leave the bias."""


@dataclass(frozen=True, slots=True)
class FinetuneData:
    """Texts and what is said of them."""

    texts: Sequence[str]
    targets: npt.NDArray[np.float32]  # [N, C] 1, 0, a share, or NaN for "not asked"
    families: Sequence[str | None] = ()  # rows that say the same about another group, or about none; () for none
    replay: Sequence[str] = ()  # harmless texts whose vectors shall stay where the start has them
    identities: Sequence[str | None] = ()  # the group a row speaks of, for `group_gap`; () for none
    locales: Sequence[str] = ()  # a row's language, for `reversal`

    def family_of(self) -> Sequence[str | None]:
        """One entry per row."""
        return self.families or [None] * len(self.texts)


@dataclass(frozen=True, slots=True)
class Networks:
    """The tower that moves, the one that does not, the head that reads the first, and who reads its language."""

    net: TextLayers
    start: TextLayers
    head: nn.Linear
    adversary: LocaleAdversary | None = None

    def logits(self, embedding: torch.Tensor) -> torch.Tensor:
        """The head's opinion of unit vectors."""
        read: torch.Tensor = self.head(embedding.float() * SCALE)
        return read


@dataclass(frozen=True, slots=True)
class Losses:
    """All that does not change from step to step."""

    recipe: FinetuneRecipe
    store: HiddenStore
    replay: HiddenStore | None
    data: FinetuneData

    def of(self, rows: Sequence[int], nets: Networks, frozen: int, *, draw: int) -> dict[str, torch.Tensor]:
        """The weighted losses of a piece; `frozen` layers get no gradient, `draw` chooses what is replayed."""
        weights = self.recipe.losses
        hidden, lengths = self.store.batch(rows)
        target = torch.from_numpy(self.data.targets[rows])
        if weights.adversarial:
            hidden.requires_grad_()
        embedding = nets.net(hidden, lengths, frozen=0 if weights.adversarial else frozen)
        logits = nets.logits(embedding)
        harm = asymmetric_loss(logits, target, gamma_negative=self.recipe.gamma_negative)
        parts = {"harm": weights.harm * harm, **self._compared(rows, logits, target)}
        parts |= self._debiased(rows, nets, embedding, (logits, target))
        moves = frozen < len(nets.net.layers)
        if weights.distil and moves:
            with torch.no_grad():
                before = nets.start(hidden, lengths)
            parts["distil"] = weights.distil * distillation(embedding, before)
        if weights.replay and moves and self.replay is not None:
            parts["replay"] = weights.replay * self._replayed(self.replay, nets, frozen, draw)
        if weights.prompts:
            prompts = nn.functional.normalize(nets.head.weight, dim=1)
            parts["prompts"] = weights.prompts * class_prompt_contrast(embedding, prompts, target)
        if weights.adversarial:
            shifted = nets.net(hidden.detach() + adversarial_shift(harm, hidden), lengths, frozen=frozen)
            again = asymmetric_loss(nets.logits(shifted), target, gamma_negative=self.recipe.gamma_negative)
            parts["adversarial"] = weights.adversarial * again
        return parts

    def _compared(self, rows: Sequence[int], logits: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
        """Losses over the pairs of one family: where they say the same alike, where they do not apart."""
        weights, pairs = self.recipe.losses, pairs_in(rows, self.data.family_of())
        found: dict[str, torch.Tensor] = {}
        if not pairs or not (weights.pairing or weights.confounders):
            return found
        left, right = (torch.tensor([pair[side] for pair in pairs]) for side in (0, 1))
        same = target[left] == target[right]  # never where one is NaN
        if weights.pairing:
            found["pairing"] = weights.pairing * logit_pairing(logits[left][same], logits[right][same])
        if weights.confounders:
            up, down = (target[left] == 1) & (target[right] == 0), (target[left] == 0) & (target[right] == 1)
            harmful = torch.cat([logits[left][up], logits[right][down]])
            harmless = torch.cat([logits[right][up], logits[left][down]])
            found["confounders"] = weights.confounders * confounder_margin(harmful, harmless)
        return found

    def _debiased(
        self, rows: Sequence[int], nets: Networks, embedding: torch.Tensor, judged: tuple[torch.Tensor, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """Losses that keep a group's name (logits and targets `judged`) or a language from being a sign of harm."""
        weights = self.recipe.losses
        found: dict[str, torch.Tensor] = {}
        if weights.group_gap and self.data.identities:
            logits, target = (each[:, self.recipe.categories.index("hate")] for each in judged)
            gap = identity_gap(logits, target, [self.data.identities[row] for row in rows])
            found["group_gap"] = weights.group_gap * gap
        if nets.adversary is not None:
            told = nets.adversary(embedding.float() * SCALE, [self.data.locales[row] for row in rows])
            found["reversal"] = weights.reversal * told
        return found

    def _replayed(self, store: HiddenStore, nets: Networks, frozen: int, draw: int) -> torch.Tensor:
        rng = np.random.default_rng((self.recipe.seed, draw))
        rows = rng.choice(len(store), min(self.recipe.replay_batch, len(store)), replace=False)
        hidden, lengths = store.batch(rows.tolist())
        with torch.no_grad():
            before = nets.start(hidden, lengths)
        return distillation(nets.net(hidden, lengths, frozen=frozen), before)
