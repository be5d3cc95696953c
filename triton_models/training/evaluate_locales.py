"""The fused figures language by language, for the two categories that several languages' sets ask about.

Measures only. A locale with fewer than ten of either side is left out: its figure would be noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from policies.engine.taxonomy import CATEGORIES, Category
from triton_models.training.datasets import Row
from triton_models.training.report import certain, measure

ASKED: Final[tuple[Category, ...]] = ("hate", "harassment")


def locale_table(
    rows: Sequence[Row], fused: npt.NDArray[np.float32], functional: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, dict[str, Any]]]:
    """Category -> locale -> `held_out` and `functional` -> figures.

    `functional` holds the fused figures of the functional sets by locale; they ask about hate and nothing else.
    """
    table: dict[str, dict[str, dict[str, Any]]] = {}
    locales = np.array([row.locale for row in rows])
    for category in ASKED:
        column = CATEGORIES.index(category)
        target = np.array([certain(row, category) for row in rows])
        found: dict[str, dict[str, Any]] = {}
        for locale in sorted(set(locales.tolist())):
            own = (locales == locale) & ~np.isnan(target)
            figures = measure(target[own] > 0.5, fused[own, column].astype(np.float64), probability=True)
            if figures is not None:
                found[locale] = {"held_out": figures}
        if category == "hate":
            for locale, known in functional.items():
                found.setdefault(locale, {})["functional"] = dict(known)
        table[category] = dict(sorted(found.items()))
    return table
