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
from triton_models.serving.fuse import Fuser
from triton_models.training.bias import bias_table, false_positive_gaps, measure_bias, measure_swaps
from triton_models.training.datasets import Row
from triton_models.training.evaluate_calibration import learned_shares
from triton_models.training.evaluate_novelty import novelty_table
from triton_models.training.evaluate_rows import members_on_cases, row_sections, rows_of_posts
from triton_models.training.evaluate_severity import severity_table
from triton_models.training.evaluation_sets import LANGUAGES, Case, read_hatecheck, read_multilingual_hatecheck
from triton_models.training.judge import TextMembers, fused_text
from triton_models.training.labelled import Labelled
from triton_models.training.progress import Progress
from triton_models.training.report import (
    THRESHOLD,
    Views,
    attacks,
    by_category,
    by_functionality,
    by_set,
    measure_views,
    toxic,
)
from triton_models.training.robustness import measure_disguises

FloatArray = npt.NDArray[np.float32]
HATE: Final = CATEGORIES.index("hate")
HARASSMENT: Final = CATEGORIES.index("harassment")


def evaluate_release(
    members: TextMembers, fuser: Fuser, *, rows: Sequence[Row], data: Path, progress: Progress
) -> dict[str, Any]:
    """The report: held-out rows per set, HateCheck in four languages with every functionality, and what follows."""
    test = [row for row in rows if row.split == "test"]
    report: dict[str, Any] = {"threshold": THRESHOLD}
    with progress.stage("judge held-out rows", len(test)) as advance:
        views = _views(members, fuser, [row.text for row in test], advance)
    report["held_out"] = by_set(test, views)
    report["held_out_toxic"] = toxic(test, views)
    added: dict[str, Any] = {}
    for name, cases in functional_sets(data).items():
        with progress.stage(f"judge {name}", len(cases)) as advance:
            said = _views(members, fuser, [case.text for case in cases], advance)
        report[name] = judge_cases(cases, said)
        added[name] = members_on_cases(_hateful(cases), fuser, said)
    with progress.stage("measure held-out rows", 1) as advance:
        report |= row_sections(test, fuser, views, functional=_by_locale(report), shares=learned_shares(rows))
        report["members"] |= {name: found for name, found in added.items() if found is not None}
        report["attacks"] = attacks(test, views["fused"])
        report["severity"] = severity_table([{} for _ in test], views["fused"])
        report["novelty"] = novelty_table(test, members.embed([row.text for row in test]))
        advance(1)
    return report | disguise_and_bias(members, fuser, rows=test, data=data, progress=progress)


def evaluate_posts(
    members: TextMembers, fuser: Fuser, *, posts: Sequence[Labelled], name: str, progress: Progress
) -> dict[str, Any]:
    """The same report over somebody's own posts, as the set `name`: what needs templates or several sets is not in."""
    rows = rows_of_posts(posts, name)
    with progress.stage("judge posts", len(rows)) as advance:
        views = _views(members, fuser, [row.text for row in rows], advance)
    report = {"threshold": THRESHOLD, "held_out": {name: by_category(rows, views)}}
    report |= row_sections(rows, fuser, views, functional={}, shares={})
    report["severity"] = severity_table([post.severity for post in posts], views["fused"])
    report["novelty"] = novelty_table(rows, members.embed([row.text for row in rows]))
    return report


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
        terms = measure_bias(data, judge)
        bias = bias_table(terms)
        advance(1)
    with progress.stage("swap identity terms", 1) as advance:
        swaps, apart = measure_swaps(data, judge), false_positive_gaps(terms)
        advance(1)
    plain, mean = disguises["rows"][0], disguises["rows"][-1]
    passed = plain["false positives"]
    return {
        "tables": {"Disguised texts": disguises, "Bias towards identity terms": bias},
        "obfuscation": {
            "recall_ratio": mean["recall / plain"],
            "false_positives": mean["false positives"],
            "false_positive_ratio": round(mean["false positives"] / passed, 3) if passed else float("nan"),
        },
        "bias": {
            line["language"]: {"subgroup": line["subgroup"], "bpsn": line["BPSN"], "bnsp": line["BNSP"]}
            for line in bias["rows"]
        },
        "identity": {
            locale: {"gaps": apart.get(locale, {}), "swaps": swaps.get(locale, {})}
            for locale in sorted({*apart, *swaps})
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
    hateful = _hateful(cases)
    templates = [case.template for case in cases]  # cases of one template are no independent tests
    return {
        "hate": measure_views(hateful, views, HATE, groups=templates),
        "templates": len(set(templates)),
        "functionality": by_functionality(
            [case.functionality for case in cases], hateful, views["fused"][:, HATE].astype(np.float64)
        ),
    }


def _views(members: TextMembers, fuser: Fuser, texts: Sequence[str], advance: Any) -> dict[str, FloatArray]:
    opinions = members.opinions(texts, advance=advance)
    return {"fused": fused_text(fuser, opinions), **opinions}


def _hateful(cases: Sequence[Case]) -> npt.NDArray[np.bool_]:
    return np.array([case.hateful for case in cases], dtype=np.bool_)


def _by_locale(report: Mapping[str, Any]) -> dict[str, Any]:
    """Locale -> the fused figures of its functional set."""
    names = {"en": "hatecheck"} | {locale: f"multilingual_hatecheck/{locale}" for locale in LANGUAGES.values()}
    return {locale: report[name]["hate"]["fused"] for locale, name in names.items() if "fused" in report[name]["hate"]}
