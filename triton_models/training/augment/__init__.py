"""Seeded changes of texts and pictures that keep what they mean: for training rows and for robustness tables."""

from triton_models.training.augment.disguises import (
    DISGUISES,
    HOMOGLYPHS,
    LEET,
    SEPARATORS,
    ZERO_WIDTH,
    Disguise,
    disguise,
)

__all__ = ["DISGUISES", "HOMOGLYPHS", "LEET", "SEPARATORS", "ZERO_WIDTH", "Disguise", "disguise"]
