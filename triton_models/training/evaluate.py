"""Judges the held-out rows and the evaluate-only sets with the served members, and returns the report as plain data.

The only module (with the bias report) that opens evaluate-only sets. It trains, selects and calibrates nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from policies.engine.taxonomy import CATEGORIES
from triton_models.contract import LABELS
from triton_models.serving.fuse import Fuser
from triton_models.training.bias import bias_table, measure_bias
from triton_models.training.datasets import Row
from triton_models.training.evaluation_sets import LANGUAGES, Case, read_hatecheck, read_multilingual_hatecheck
from triton_models.training.judge import TextMembers, fused_text
from triton_models.training.progress import Progress
from triton_models.training.report import Views, by_functionality, by_set, measure_views, toxic
from triton_models.training.robustness import measure_disguises

FloatArray = npt.NDArray[np.float32]
HATE: Final = CATEGORIES.index("hate")
HARASSMENT: Final = CATEGORIES.index("harassment")


def evaluate_release(
    members: TextMembers, fuser: Fuser, *, rows: Sequence[Row], data: Path, progress: Progress
) -> dict[str, Any]:
    """The report: held-out rows per set, then HateCheck in four languages with every functionality."""
    test = [row for row in rows if row.split == "test"]
    report: dict[str, Any] = {"threshold": 0.5}
    with progress.stage("judge held-out rows", len(test)) as advance:
        views = _views(members, fuser, [row.text for row in test], advance)
    report["held_out"] = by_set(test, views)
    report["held_out_toxic"] = toxic(test, views)
    for name, cases in functional_sets(data).items():
        with progress.stage(f"judge {name}", len(cases)) as advance:
            report[name] = judge_cases(cases, _views(members, fuser, [case.text for case in cases], advance))
    return report | disguise_and_bias(members, fuser, rows=test, data=data, progress=progress)


def disguise_and_bias(
    members: TextMembers, fuser: Fuser, *, rows: Sequence[Row], data: Path, progress: Progress
) -> dict[str, Any]:
    """What disguises cost and bias towards identity terms: tables for people, single figures for the gates."""

    def judge(texts: Sequence[str]) -> npt.NDArray[np.float64]:
        scores = fused_text(fuser, members.opinions(texts))
        return np.fmax(scores[:, HATE], scores[:, HARASSMENT]).astype(np.float64)

    with progress.stage("judge disguises", 1) as advance:
        disguises = measure_disguises(rows, judge)
        advance(1)
    with progress.stage("judge identity templates", 1) as advance:
        bias = bias_table(measure_bias(data, judge))
        advance(1)
    mean = disguises["rows"][-1]
    return {
        "tables": {"Disguised texts": disguises, "Bias towards identity terms": bias},
        "obfuscation": {"recall_ratio": mean["recall / plain"], "false_positives": mean["false positives"]},
        "bias": {
            line["language"]: {"subgroup": line["subgroup"], "bpsn": line["BPSN"], "bnsp": line["BNSP"]}
            for line in bias["rows"]
        },
    }


def functional_sets(data: Path) -> dict[str, list[Case]]:
    """HateCheck and its translations."""
    sets = {"hatecheck": read_hatecheck(data)}
    for language, locale in LANGUAGES.items():
        sets[f"multilingual_hatecheck/{locale}"] = read_multilingual_hatecheck(data, language)
    return sets


def judge_cases(cases: Sequence[Case], views: Views) -> dict[str, Any]:
    """One functional set: the ranking by view, and what each functionality gets right at the threshold."""
    hateful = np.array([case.hateful for case in cases], dtype=np.bool_)
    return {
        "hate": measure_views(hateful, views, HATE),
        "functionality": by_functionality(
            [case.functionality for case in cases], hateful, views["fused"][:, HATE].astype(np.float64)
        ),
    }


def evaluate_labelled(
    members: TextMembers, fuser: Fuser, *, texts: Sequence[str], labels: Sequence[Mapping[str, float]]
) -> dict[str, Any]:
    """The figures on somebody's own labelled texts: category -> view -> figures."""
    views = _views(members, fuser, texts, None)
    table = {}
    for column, category in enumerate(LABELS):
        target = np.array([float(row.get(category, np.nan)) for row in labels])
        asked = ~np.isnan(target)
        figures = measure_views(target[asked] > 0.5, {name: rows[asked] for name, rows in views.items()}, column)
        if figures:
            table[category] = figures
    return table


def _views(members: TextMembers, fuser: Fuser, texts: Sequence[str], advance: Any) -> dict[str, FloatArray]:
    opinions = members.opinions(texts, advance=advance)
    return {"fused": fused_text(fuser, opinions), **opinions}
