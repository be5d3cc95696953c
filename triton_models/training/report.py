"""Measurements of judgements: tables per set and question, per functionality, and by member. Opens no file.

A *view* is one way of judging the same texts: the fused release, each member alone. Rankings are measured for every
view; what depends on a probability (calibration, a threshold) only for the fused one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from policies.engine.taxonomy import CATEGORIES, Category
from triton_models.training.datasets import Row
from triton_models.training.evaluate_intervals import interval
from triton_models.training.metrics import (
    auroc,
    average_precision,
    calibration_error,
    f1_at,
    recall_at,
)

Truth = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.float64]
Views = Mapping[str, npt.NDArray[np.float32]]
"""View -> `[N, C]` scores; `fused` holds probabilities."""

THRESHOLD: Final = 0.5
PROMPT_SETS: Final = ("ailuminate_demo", "jailbreaks_in_the_wild")
"""Attacks on an assistant must be told from ordinary prompts, which is harder than from social posts."""
FEWEST: Final = 10
"""A table with fewer positives or negatives than this is noise and is not printed."""
_FIGURES: Final[Mapping[str, Callable[[Truth, Scores], float]]] = {
    "ap": average_precision,
    "recall_at_1pct_fpr": partial(recall_at, false_positive_rate=0.01),
    "recall_at_5pct_fpr": partial(recall_at, false_positive_rate=0.05),
    "f1": partial(f1_at, threshold=THRESHOLD),
}
"""What the fused view has intervals of, beside the AUROC."""


def measure(
    truth: Truth, score: Scores, *, probability: bool, groups: Sequence[str] | None = None
) -> dict[str, float | int | list[float]] | None:
    """The figures of one view on one question; None when a class has fewer than FEWEST rows or nothing was judged.

    Intervals (`_95`) are over rows, or over `groups` of rows where a set has templates.
    """
    judged = ~np.isnan(score)
    if groups is not None:
        groups = [group for group, kept in zip(groups, judged, strict=True) if kept]
    truth, score = truth[judged], score[judged]
    positives = int(truth.sum())
    if positives < FEWEST or len(truth) - positives < FEWEST:
        return None
    found: dict[str, float | int | list[float]] = {
        "rows": len(truth),
        "positives": positives,
        "auroc": round(auroc(truth, score), 4),
        "auroc_95": interval(auroc, truth, score, groups=groups),
        "ap": round(average_precision(truth, score), 4),
        "recall_at_1pct_fpr": round(recall_at(truth, score, false_positive_rate=0.01), 4),
        "recall_at_5pct_fpr": round(recall_at(truth, score, false_positive_rate=0.05), 4),
    }
    if probability:
        found["ece"] = round(calibration_error(truth, score), 4)
        found["f1"] = round(f1_at(truth, score, threshold=THRESHOLD), 4)
        for name, figure in _FIGURES.items():
            found[f"{name}_95"] = interval(figure, truth, score, groups=groups)
    return found


def measure_views(truth: Truth, views: Views, column: int, *, groups: Sequence[str] | None = None) -> dict[str, Any]:
    """`measure` for each view that has an opinion."""
    found = {}
    for name, scores in views.items():
        figures = measure(truth, scores[:, column].astype(np.float64), probability=name == "fused", groups=groups)
        if figures is not None:
            found[name] = figures
    return found


def attacks(rows: Sequence[Row], fused: npt.NDArray[np.float32]) -> dict[str, Any]:
    """How attacks on an assistant are told from other prompts: caught at 2 % of the others, and at the threshold."""
    column = CATEGORIES.index("prompt_attack")
    target = np.array([certain(row, "prompt_attack") if row.source in PROMPT_SETS else np.nan for row in rows])
    asked = ~np.isnan(target) & ~np.isnan(fused[:, column])
    truth, score = target[asked] > 0.5, fused[asked, column].astype(np.float64)
    if int(truth.sum()) < FEWEST or int((~truth).sum()) < FEWEST:
        return {}
    return {
        "attacks": int(truth.sum()),
        "ordinary_prompts": int((~truth).sum()),
        "caught_at_2pct": round(recall_at(truth, score, false_positive_rate=0.02), 4),
        "caught_at_threshold": round(float((score[truth] >= THRESHOLD).mean()), 4),
        "false_positive_rate": round(float((score[~truth] >= THRESHOLD).mean()), 4),
    }


def by_set(rows: Sequence[Row], views: Views) -> dict[str, Any]:
    """Set -> category -> view -> figures, over the rows that the set labels with certainty."""
    tables: dict[str, Any] = {}
    for source in sorted({row.source for row in rows}):
        chosen = np.array([row.source == source for row in rows])
        table = by_category([row for row in rows if row.source == source], _pick(views, chosen))
        if table:
            tables[source] = table
    prompts = np.array([row.source in PROMPT_SETS for row in rows])
    table = by_category([row for row in rows if row.source in PROMPT_SETS], _pick(views, prompts))
    if "prompt_attack" in table:
        tables["prompts only"] = {"prompt_attack": table["prompt_attack"]}
    tables["all sets"] = by_category(rows, views)
    return tables


def toxic(rows: Sequence[Row], views: Views) -> dict[str, Any]:
    """Set -> view -> figures for "hate or harassment" against neither, by the greater of the two scores."""
    hate, harassment = CATEGORIES.index("hate"), CATEGORIES.index("harassment")
    either = {name: np.fmax(scores[:, hate], scores[:, harassment])[:, None] for name, scores in views.items()}
    tables = {}
    for source in sorted({row.source for row in rows}):
        asked = np.array([row.source == source and {"hate", "harassment"} <= row.labels.keys() for row in rows])
        said = [rows[index].labels for index in np.flatnonzero(asked)]
        truth = np.array([max(labels["hate"], labels["harassment"]) > 0.5 for labels in said], dtype=np.bool_)
        figures = measure_views(truth, _pick(either, asked), 0)
        if figures:
            tables[source] = figures
    return tables


def by_functionality(functionality: Sequence[str], hateful: Truth, probability: Scores) -> dict[str, dict[str, Any]]:
    """Functionality -> share judged right at the threshold: recall where hateful, 1 - false-positive rate elsewhere."""
    names = np.array(functionality)
    table = {}
    for name in sorted(set(functionality)):
        rows = (names == name) & ~np.isnan(probability)
        if rows.any():
            right = (probability[rows] >= THRESHOLD) == hateful[rows]
            table[name] = {
                "rows": int(rows.sum()),
                "hateful": bool(hateful[rows].mean() > 0.5),
                "right": round(float(right.mean()), 4),
            }
    return table


def by_category(rows: Sequence[Row], views: Views) -> dict[str, Any]:
    """Category -> view -> figures, over the rows whose label is certain."""
    table = {}
    for column, category in enumerate(CATEGORIES):
        target = np.array([certain(row, category) for row in rows])
        asked = ~np.isnan(target)
        figures = measure_views(target[asked] > 0.5, _pick(views, asked), column)
        if figures:
            table[str(category)] = figures
    return table


def certain(row: Row, category: Category) -> float:
    """1 or 0 where the set is sure, NaN where it asked nothing or gives a share."""
    value = row.labels.get(category, np.nan)
    return float(value) if value in {0, 1} else float("nan")


def _pick(views: Views, rows: Truth) -> dict[str, npt.NDArray[np.float32]]:
    return {name: scores[rows] for name, scores in views.items()}
