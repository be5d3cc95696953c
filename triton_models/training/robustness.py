"""What disguises cost: the same held-out texts plain and disguised, judged at one threshold. Measures; trains nothing.

The threshold is the one that lets 5 % of the plain harmless texts pass. A disguise that loses recall hides harm; one
that raises the false positives punishes people who write so for other reasons. Both are in the table.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from triton_models.training.augment import DISGUISES
from triton_models.training.datasets import Row
from triton_models.training.metrics import auroc

Scores = npt.NDArray[np.float64]
Judge = Callable[[Sequence[str]], Scores]
PER_SIDE: Final = 300
FALSE_POSITIVES: Final = 0.05
#: Disguises are of Latin letters; Chinese has its own, which are not made here.
LOCALES: Final = ("en", "de")


def measure_disguises(rows: Sequence[Row], judge: Judge, *, seed: int = 0) -> dict[str, Any]:
    """A report section: per disguise AUROC, recall and false positives at the plain texts' threshold."""
    harmful, harmless = sample_sides(rows, seed=seed)
    texts = [*harmful, *harmless]
    truth = np.array([True] * len(harmful) + [False] * len(harmless))
    plain = judge(texts)
    threshold = float(np.quantile(plain[~truth], 1.0 - FALSE_POSITIVES))
    table = [_line("plain", truth, plain, threshold)]
    for name, change in DISGUISES.items():
        rng = random.Random(f"{seed}:{name}")  # noqa: S311 - a repeatable choice
        table.append(_line(name, truth, judge([change(text, rng) for text in texts]), threshold))
    base = table[0]["recall"]
    for line in table:
        line["recall / plain"] = round(line["recall"] / base, 3) if base else float("nan")
    mean = {key: round(float(np.mean([line[key] for line in table[1:]])), 4) for key in table[0] if key != "disguise"}
    table.append({"disguise": "mean of disguises", **mean})
    what = (
        f"{len(harmful)} harmful and {len(harmless)} harmless held-out texts in English and German, by the greater of "
        "hate and harassment, at the threshold that passes 5 % of the plain harmless ones."
    )
    return {"what": what, "rows": table}


def sample_sides(rows: Sequence[Row], *, seed: int) -> tuple[list[str], list[str]]:
    """At most PER_SIDE certainly harmful texts and as many certainly harmless, sets in equal parts."""
    rng = random.Random(seed)  # noqa: S311 - a repeatable choice
    sides: dict[bool, dict[str, list[str]]] = {True: {}, False: {}}
    for row in rows:
        hate, harassment = row.labels.get("hate"), row.labels.get("harassment")
        if row.split != "test" or row.locale not in LOCALES or {hate, harassment} == {None}:
            continue
        if 1 in {hate, harassment}:
            sides[True].setdefault(row.source, []).append(row.text)
        elif {hate, harassment} <= {0, None}:
            sides[False].setdefault(row.source, []).append(row.text)
    chosen: dict[bool, list[str]] = {True: [], False: []}
    for harmful, by_source in sides.items():
        for source in sorted(by_source):
            share = min(PER_SIDE // len(by_source), len(by_source[source]))
            chosen[harmful].extend(rng.sample(by_source[source], share))
    return chosen[True], chosen[False]


def _line(name: str, truth: npt.NDArray[np.bool_], scores: Scores, threshold: float) -> dict[str, Any]:
    return {
        "disguise": name,
        "AUROC": round(auroc(truth, scores), 4),
        "recall": round(float((scores[truth] > threshold).mean()), 4),
        "false positives": round(float((scores[~truth] > threshold).mean()), 4),
    }
