"""WiSE-FT: between the start and the fine-tuned weights, the mixture that harms least for what it gains.

theta(a) = (1 - a) * start + a * tuned, per tensor (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models").
Measuring is the caller's: this module mixes, and chooses by a rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

ALPHAS: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
RETENTION: Final = 0.97


@dataclass(frozen=True, slots=True)
class Mixture:
    """One point of the sweep."""

    alpha: float
    harm: float  # what one wants: AP or AUROC of harm on dev rows
    kept: float  # what must stay, as a share of the start's


def mix(start: Mapping[str, Array], tuned: Mapping[str, Array], alpha: float) -> dict[str, Array]:
    """The tensors of `tuned`, moved back towards `start`; KeyError when `start` lacks one."""
    mixed = {}
    for name, value in tuned.items():
        before = start[name].reshape(value.shape)
        mixed[name] = (before + np.float32(alpha) * (value - before)).astype(np.float32)
    return mixed


def sweep(
    start: Mapping[str, Array],
    tuned: Mapping[str, Array],
    measure: Callable[[Mapping[str, Array]], tuple[float, float]],
    *,
    alphas: Sequence[float] = ALPHAS,
) -> list[Mixture]:
    """Every mixture with `measure`'s (harm, what must stay); the latter relative to the start's own."""
    _, own = measure(mix(start, tuned, 0.0))
    found = []
    for alpha in alphas:
        harm, kept = measure(mix(start, tuned, alpha))
        found.append(Mixture(alpha, harm, kept / own if own else float("nan")))
    return found


def choose(mixtures: Sequence[Mixture], *, retention: float = RETENTION) -> Mixture:
    """The one with the most harm found among those that keep enough; the start's when none does. Ties: the smaller."""
    able = [one for one in mixtures if one.kept >= retention] or [min(mixtures, key=lambda one: one.alpha)]
    return max(able, key=lambda one: (one.harm, -one.alpha))
