"""Which layers may move when, and how fast: staged unfreezing with a learning rate that falls with depth.

Howard, Ruder 2018 (ULMFiT): gradual unfreezing, discriminative rates. Pure arithmetic on numbers and names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

RATES: Final = (1e-6, 5e-5)
BATCHES: Final = (32, 128)
EPOCHS: Final = (3, 10)
SHARES: Final = (0.30, 0.70)
"""The reference ranges (mission R22). Outside them one is warned, not stopped."""


class Stage(BaseModel):
    """One stretch of training."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: float = Field(ge=0, le=1)  # of the tower's layers, from the top; 0: heads only
    epochs: int = Field(ge=1, le=50)
    learning_rate: float = Field(gt=0, le=1)  # of the topmost layer; of the heads when share is 0
    head_learning_rate: float = Field(default=1e-3, gt=0, le=1)


@dataclass(frozen=True, slots=True)
class Unfrozen:
    """What a stage lets move."""

    first: int  # lowest layer that moves; the number of layers when none does
    rates: dict[int, float]  # layer -> learning rate


def unfreeze(stage: Stage, layers: int, decay: float) -> Unfrozen:
    """Layers from `first` on, each with `learning_rate * decay^(distance from the top)` or the least reference rate."""
    moving = round(stage.share * layers)
    first = layers - moving
    rates = {
        layer: max(min(RATES[0], stage.learning_rate), stage.learning_rate * decay ** (layers - 1 - layer))
        for layer in range(first, layers)
    }
    return Unfrozen(first, rates)


def warnings_of(stages: Sequence[Stage], batch: int) -> list[str]:
    """What lies outside the reference ranges, in words."""
    found = []
    if not BATCHES[0] <= batch <= BATCHES[1]:
        found.append(f"batch {batch} is outside {BATCHES[0]}..{BATCHES[1]}")
    tower = [stage for stage in stages if stage.share > 0]
    epochs = sum(stage.epochs for stage in tower)
    if tower and not EPOCHS[0] <= epochs <= EPOCHS[1]:
        found.append(f"{epochs} epochs on the tower are outside {EPOCHS[0]}..{EPOCHS[1]}")
    for number, stage in enumerate(stages, start=1):
        if stage.share == 0:
            continue
        if not RATES[0] <= stage.learning_rate <= RATES[1]:
            found.append(f"stage {number}: learning rate {stage.learning_rate:g} is outside {RATES[0]:g}..{RATES[1]:g}")
        if not SHARES[0] <= stage.share <= SHARES[1]:
            found.append(f"stage {number}: {stage.share:.0%} of the layers is outside {SHARES[0]:.0%}..{SHARES[1]:.0%}")
    shares = [stage.share for stage in stages]
    if shares != sorted(shares):
        found.append("a later stage freezes layers again")
    return found
