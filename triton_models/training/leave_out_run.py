"""What languages get that neither the tower's fine-tuning nor the head was taught: the whole measure, in one run.

The tower is that of a release whose fine-tuning recipe left languages out (`without_locales`). A linear head for hate
is fitted on the other languages' train rows and asked about these. Sets that only measure are the caller's to open:
they come in as texts with their truth and meet the finished head.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from policies.engine.taxonomy import Category
from triton_models.parts import E5Model
from triton_models.training.datasets import Row, build_rows
from triton_models.training.datasets.sample import thinned
from triton_models.training.embed import embed_texts
from triton_models.training.encoder import TowerEncoder
from triton_models.training.export import build_text_tower
from triton_models.training.finetune_recipe import FinetuneRecipe
from triton_models.training.leave_out import FEWEST
from triton_models.training.linear_fit import fit_linear
from triton_models.training.metrics import auroc
from triton_models.training.progress import Progress
from triton_models.training.targets import target_of, weights_of

Array = npt.NDArray[np.float32]
Cases = tuple[Sequence[str], npt.NDArray[np.bool_]]
"""Texts, and which of them are hateful."""

CATEGORY: Final[Category] = "hate"
TRAIN_ROWS: Final = 24_000
"""A linear head on 384 numbers learns nothing more from the rest."""


@dataclass(frozen=True, slots=True)
class LeaveOutJob:
    """One run."""

    text: E5Model  # the release's own tower
    recipe: FinetuneRecipe  # what fine-tuned it: `without_locales` are the languages that are asked about
    data: Path
    work: Path
    progress: Progress
    processes: int = 1


def run_leave_out(job: LeaveOutJob, cases: Mapping[str, Cases]) -> list[dict[str, Any]]:
    """A line per language and per set of `cases`: `language`, `rows`, and the AUROC as `never taught`.

    Languages with fewer than FEWEST held-out rows of either kind are not told.
    """
    left = job.recipe.without_locales
    with job.progress.stage("find near-duplicates", 1) as advance:
        rows, _ = build_rows(job.data, sets=job.recipe.sets, seed=job.recipe.seed)
        advance(1)
    asked = [row for row in rows if CATEGORY in row.labels]
    train = [row for row in asked if row.split == "train" and row.locale not in left]
    train = thinned(train, TRAIN_ROWS, job.recipe.seed)
    held = {locale: _cases(asked, locale) for locale in left} | dict(cases)
    with tempfile.TemporaryDirectory() as folder:
        build_text_tower(job.text, Path(folder), "int8")
        with TowerEncoder(Path(folder), processes=job.processes) as encoder:

            def read(name: str, texts: Sequence[str]) -> Array:
                with job.progress.stage(name, len(texts)) as advance:
                    return embed_texts(encoder, texts, job.work / "embeddings", advance=advance)

            return _measured(train, held, read)


def _measured(
    train: Sequence[Row], held: Mapping[str, Cases], read: Callable[[str, Sequence[str]], Array]
) -> list[dict[str, Any]]:
    head = fit_linear(
        read("embed train rows", [row.text for row in train]), target_of(train, CATEGORY), weights_of(train, CATEGORY)
    )
    found = []
    for name, (texts, truth) in held.items():
        if min(int(truth.sum()), int((~truth).sum())) < FEWEST:
            continue
        scores = read(f"embed {name}", texts) @ head.weight + head.bias
        line = {"language": name, "rows": len(texts), "never taught": round(auroc(truth, scores.astype(np.float64)), 4)}
        found.append(line)
    return found


def _cases(rows: Sequence[Row], locale: str) -> Cases:
    """The held-out rows of a language whose label is certain."""
    mine = [row for row in rows if row.locale == locale and row.split == "test" and row.labels[CATEGORY] in (0, 1)]
    return [row.text for row in mine], np.array([row.labels[CATEGORY] == 1 for row in mine], dtype=np.bool_)
