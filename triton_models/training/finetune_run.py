"""From data sets to a release's `deltas.npz`: rows, fine-tuning, the sweep between start and end, the record.

The mixture is chosen on dev rows of training sets: by the mean AUROC of the categories, among those that still match
captions of different languages. Evaluate-only sets are not opened here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from triton_models.deltas import save_deltas
from triton_models.parts import E5Model
from triton_models.training.datasets import Row, build_rows
from triton_models.training.datasets.contrast import family_of, identity_of
from triton_models.training.datasets.sample import capped, thinned
from triton_models.training.enlarge import enlarge
from triton_models.training.finetune import Finetuned, finetune, layer_of
from triton_models.training.finetune_losses import SCALE, FinetuneData
from triton_models.training.finetune_recipe import FinetuneRecipe
from triton_models.training.finetune_replay import Captions, kept, read_captions
from triton_models.training.interpolate import Mixture, choose, mix, sweep
from triton_models.training.metrics import auroc
from triton_models.training.progress import Progress
from triton_models.training.targets import target_of
from triton_models.training.text_layers import HiddenStore, TextLayers, store_hidden

Array = npt.NDArray[np.float32]

RECORD: Final = "finetune.json"
DEV_ROWS: Final = 1_500
BATCH: Final = 64


@dataclass(frozen=True, slots=True)
class FinetuneJob:
    """One run."""

    model: E5Model  # the part, or an earlier release's tower, from which it goes on
    data: Path
    work: Path
    out: Path
    recipe: FinetuneRecipe
    progress: Progress
    parent: Mapping[str, str] = field(default_factory=dict)  # which release `model` is of, for the record

    @property
    def part(self) -> E5Model:
        """The pretrained part: what deltas are counted from, and whose captions must stay."""
        return replace(self.model, changed={})


def run_finetune(job: FinetuneJob) -> dict[str, Any]:
    """Writes `deltas.npz`, the head and the record into the release folder; the record."""
    recipe = job.recipe
    with job.progress.stage("find near-duplicates", 93_000) as advance:
        rows, _ = build_rows(job.data, sets=recipe.sets, seed=recipe.seed, progress=advance)
    able = [row for row in rows if row.split == "train" and row.locale not in recipe.without_locales]
    train = thinned(capped(able, recipe.most_per_set, recipe.seed), recipe.max_rows, recipe.seed)
    if recipe.augment is not None:
        train = enlarge(train, recipe.augment, recipe.seed)
    dev = thinned([row for row in rows if row.split == "dev"], min(DEV_ROWS, recipe.max_rows or DEV_ROWS), recipe.seed)
    captions = read_captions(job.data)
    data = FinetuneData(
        [row.text for row in train],
        targets_of(train, recipe),
        families=[family_of(row.id) for row in train],
        replay=captions.replay,
        identities=[identity_of(row.id) for row in train],
        locales=[row.locale for row in train],
    )
    job.progress.note(f"{len(train):,} rows to train on, {len(captions.replay):,} captions to replay")
    tuned = finetune(job.model, data, recipe, job.work, job.progress)
    mixtures = _sweep(job, tuned, dev, captions)
    chosen = choose(mixtures)
    start = {name: job.part.array(name) for name in tuned.changed}
    save_deltas(mix(start, tuned.changed, chosen.alpha), start, job.out)
    np.savez_compressed(job.out / "finetune_head.npz", weight=tuned.head_weight, bias=tuned.head_bias)
    record = {
        "recipe": recipe.model_dump(mode="json"),
        **({"parent": dict(job.parent)} if job.parent else {}),
        "warnings": recipe.warnings,
        "rows": {"train": len(train), "dev": len(dev)},
        "steps": tuned.steps,
        "trainable": list(tuned.trainable),
        "sweep": [asdict(one) for one in mixtures],
        "alpha": chosen.alpha,
    }
    (job.out / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return record


def targets_of(rows: Sequence[Row], recipe: FinetuneRecipe) -> Array:
    """`[N, C]` in the order of the recipe's categories, NaN where a row does not say."""
    return np.stack([target_of(rows, name) for name in recipe.categories], axis=1).astype(np.float32)


def _sweep(job: FinetuneJob, tuned: Finetuned, dev: Sequence[Row], captions: Captions) -> list[Mixture]:
    boundary = min(layer_of(name) for name in tuned.changed) if tuned.changed else job.model.shape.layers
    targets = targets_of(dev, job.recipe)
    layers = TextLayers(job.model, boundary)
    start = {name: job.part.array(name) for name in tuned.changed}

    def encode(texts: Sequence[str]) -> Array:
        store = store_hidden(job.model, texts, boundary, job.work, most=job.recipe.max_tokens)
        return embed(layers, store, len(texts))

    def measure(weights: Mapping[str, Array]) -> tuple[float, float]:
        with torch.no_grad():
            for name, parameter in layers.part_names().items():
                parameter.copy_(torch.from_numpy(np.array(weights[name])).reshape(parameter.shape))
        scores = encode([row.text for row in dev]) @ tuned.head_weight.T + tuned.head_bias / SCALE
        return mean_auroc(targets, scores), kept(captions, encode)

    with job.progress.stage("sweep", 1) as advance:
        mixtures = sweep(start, tuned.changed, measure)
        advance(1)
    return mixtures


def mean_auroc(targets: Array, scores: Array) -> float:
    """The mean over categories of the AUROC on rows that are certain; NaN when none can be measured."""
    found = []
    for column in range(targets.shape[1]):
        sure = (targets[:, column] == 0) | (targets[:, column] == 1)
        value = auroc(targets[sure, column] > 0.5, scores[sure, column].astype(np.float64))
        if not np.isnan(value):
            found.append(value)
    return float(np.mean(found)) if found else float("nan")


@torch.no_grad()
def embed(layers: TextLayers, store: HiddenStore, count: int) -> Array:
    """`[N, H]` unit vectors of the stored texts."""
    parts = [layers(*store.batch(range(at, min(at + BATCH, count)))).numpy() for at in range(0, count, BATCH)]
    return np.concatenate(parts)
