"""A fine-tuning recipe: the YAML that makes a release's deltas, validated. Reads no data."""

from __future__ import annotations

import hashlib
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from policies.engine.taxonomy import Category
from triton_models.training.recipe import Augment, load_recipe_file, require_modelled
from triton_models.training.unfreeze import Stage, warnings_of

FOLDER: Final = "recipes/finetune"
LATER: Final = ("group_gap", "reversal")
"""Losses that came after the first runs: while they are off they are no part of a recipe's key."""


class LossWeights(BaseModel):
    """How much each loss counts; 0 leaves it out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    harm: float = Field(default=1.0, ge=0)  # asymmetric multi-label
    distil: float = Field(default=1.0, ge=0)  # to the frozen start
    prompts: float = Field(default=0.0, ge=0)  # class prompts
    adversarial: float = Field(default=0.0, ge=0)  # FGM
    pairing: float = Field(default=0.0, ge=0)  # counterfactual logit pairing within a family
    confounders: float = Field(default=0.0, ge=0)  # margin between a family's attacks and its harmless twins
    replay: float = Field(default=0.0, ge=0)  # distillation on harmless captions
    group_gap: float = Field(default=0.0, ge=0)  # harmless rows about a group score as harmless rows do
    reversal: float = Field(default=0.0, ge=0)  # gradient reversal: the tower hides a text's language


class FinetuneRecipe(BaseModel):
    """What fine-tuning does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    recipe: str
    version: str
    seed: int = 0
    sets: tuple[str, ...] = Field(min_length=1)
    categories: tuple[Category, ...] = Field(min_length=1)
    stages: tuple[Stage, ...] = Field(min_length=1)
    batch: int = Field(default=64, ge=1, le=1024)
    accumulate: int = Field(default=1, ge=1, le=64)
    layer_decay: float = Field(default=0.85, gt=0, le=1)
    weight_decay: float = Field(default=0.01, ge=0)
    clip: float = Field(default=1.0, gt=0)
    ema: float = Field(default=0.999, ge=0, lt=1)
    warmup_share: float = Field(default=0.06, ge=0, lt=1)
    gamma_negative: float = Field(default=1.0, ge=0)
    losses: LossWeights = LossWeights()
    checkpoint_steps: int = Field(default=100, ge=1)
    max_rows: int | None = Field(default=None, ge=1)
    most_per_set: dict[str, int] = {}  # set -> train rows, drawn by the seed; sets not named come whole
    without_locales: tuple[str, ...] = ()  # languages left out, to measure what a language never seen gets
    max_tokens: int = Field(default=128, ge=8, le=512)  # a longer text is cut for training (serving reads 512)
    precision: Literal["fp32", "bf16", "auto"] = "fp32"  # auto: bfloat16 where the processor has it
    replay_batch: int = Field(default=32, ge=1)
    augment: Augment | None = None

    @model_validator(mode="after")
    def _gap_has_its_rows(self) -> Self:
        if self.losses.group_gap and not ("contrast" in self.sets and "hate" in self.categories):
            raise ValueError(
                "losses.group_gap needs `contrast` in sets and `hate` in categories; add them or set it to 0"
            )
        return self

    @property
    def warnings(self) -> list[str]:
        """What lies outside the reference ranges."""
        return warnings_of(self.stages, self.batch * self.accumulate)

    @property
    def key(self) -> str:
        """A short hash of everything that changes the result."""
        off = {name for name in LATER if not getattr(self.losses, name)}
        kept = self.model_dump_json(exclude={"checkpoint_steps": True, "losses": off})
        return hashlib.blake2b(kept.encode(), digest_size=8).hexdigest()


def load_finetune_recipe(name: str) -> FinetuneRecipe:
    """The recipe that `name` names: a YAML file, or one that is shipped; RecipeError otherwise."""
    recipe = load_recipe_file(name, FinetuneRecipe, FOLDER)
    require_modelled(name, categories=recipe.categories)
    return recipe
