"""What each member is worth and costs: alone, left out, and in CPU milliseconds a text. Measures; fits nothing.

*Adds* is the average precision of all members less that without the one. A member left out is one that did not answer:
the fuser then uses the stacker of those that did, as it does in service.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from policies.engine.taxonomy import CATEGORIES
from triton_models.serving.fuse import Fuser
from triton_models.training.datasets import Row
from triton_models.training.judge import fused_text
from triton_models.training.metrics import average_precision
from triton_models.training.report import FEWEST, Scores, Truth, certain

FloatArray = npt.NDArray[np.float32]
Opinions = Mapping[str, FloatArray]
Timed = Mapping[str, Callable[[Sequence[str]], object]]
"""Member -> what it does with texts, in this process: CPU time of other processes is not seen."""

COST_TEXTS: Final = 256
WARM_TEXTS: Final = 4


def member_table(rows: Sequence[Row], fuser: Fuser, opinions: Opinions) -> dict[str, Any]:
    """Category -> the members' AP alone, all together, and without each; over the rows whose label is certain."""
    return {
        str(category): found
        for column, category in enumerate(CATEGORIES)
        if (found := _of_category(rows, fuser, opinions, column)) is not None
    }


def without_each(truth: Truth, fuser: Fuser, opinions: Opinions, column: int) -> dict[str, Any] | None:
    """The figures of one question; None with too few rows of either side or where the release abstains."""
    fused = fused_text(fuser, dict(opinions))[:, column].astype(np.float64)
    judged = ~np.isnan(fused)
    positives = int(truth[judged].sum())
    if positives < FEWEST or int(judged.sum()) - positives < FEWEST:
        return None
    alone = {name: _ap(truth[judged], raw[judged, column].astype(np.float64)) for name, raw in opinions.items()}
    whole = round(average_precision(truth[judged], fused[judged]), 4)
    without: dict[str, float | None] = {}
    for name in opinions:
        rest = {other: raw for other, raw in opinions.items() if other != name}
        scores = fused_text(fuser, rest)[:, column].astype(np.float64) if rest else np.full(len(truth), np.nan)
        without[name] = _ap(truth[judged], scores[judged])
    return {
        "rows": int(judged.sum()),
        "positives": positives,
        "fused": whole,
        "alone": alone,
        "without": without,
        "adds": {name: None if value is None else round(whole - value, 4) for name, value in without.items()},
    }


def cost_ms(timed: Timed, texts: Sequence[str], *, clock: Callable[[], float] = time.process_time) -> dict[str, float]:
    """Member -> CPU milliseconds a text, over the same texts one after the other, after a few that are not counted."""
    found = {}
    for name, run in timed.items():
        run(texts[:WARM_TEXTS])
        started = clock()
        run(texts)
        found[name] = round(1000.0 * (clock() - started) / max(len(texts), 1), 3)
    return found


def cost_texts(texts: Sequence[str]) -> list[str]:
    """At most COST_TEXTS of `texts`, evenly spread over them."""
    step = max(1, len(texts) // COST_TEXTS)
    return list(texts[::step][:COST_TEXTS])


def _of_category(rows: Sequence[Row], fuser: Fuser, opinions: Opinions, column: int) -> dict[str, Any] | None:
    target = np.array([certain(row, CATEGORIES[column]) for row in rows])
    asked = ~np.isnan(target)
    return without_each(target[asked] > 0.5, fuser, {name: raw[asked] for name, raw in opinions.items()}, column)


def _ap(truth: Truth, score: Scores) -> float | None:
    """AP where no opinion ranks last; None when there is not one opinion."""
    if np.isnan(score).all():
        return None
    return round(average_precision(truth, np.nan_to_num(score, nan=-np.inf)), 4)
