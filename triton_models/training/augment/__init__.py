"""Seeded changes of texts and pictures that keep what they mean: for training rows and for robustness tables.

Pictures are in `augment.images`, which needs Pillow and is therefore not handed on here.
"""

from triton_models.training.augment.disguises import (
    DISGUISES,
    HOMOGLYPHS,
    LEET,
    SEPARATORS,
    ZERO_WIDTH,
    Disguise,
    disguise,
)
from triton_models.training.augment.mixing import MIXES, Mix, mix
from triton_models.training.augment.paraphrase import frame
from triton_models.training.augment.romanise import respell, roman_languages, roman_locale, romanise

__all__ = [
    "DISGUISES",
    "HOMOGLYPHS",
    "LEET",
    "MIXES",
    "SEPARATORS",
    "ZERO_WIDTH",
    "Disguise",
    "Mix",
    "disguise",
    "frame",
    "mix",
    "respell",
    "roman_languages",
    "roman_locale",
    "romanise",
]
