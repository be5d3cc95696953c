"""The recipe `starter` from data to release files, in stages that a killed run picks up again.

rows -> enlarged train rows -> embeddings -> n-grams -> head -> stackers. Each stage's result lies in the work folder
under a name that holds a hash of all it depends on; nothing there ever needs to be deleted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from triton_models.contract import LABELS
from triton_models.serving.fuse import Fuser, Stacker
from triton_models.serving.heads import Heads
from triton_models.serving.ngrams import Ngrams
from triton_models.training.datasets import BuildReport, Row, build_rows
from triton_models.training.datasets.catalog import require_training
from triton_models.training.embed import Encoder, FloatArray, embed_texts
from triton_models.training.enlarge import enlarge
from triton_models.training.head_fit import HeadRecipe, fit_head
from triton_models.training.judge import TextMembers
from triton_models.training.metrics import auroc
from triton_models.training.ngram_fit import NgramRecipe, feature_matrix, fit_ngrams
from triton_models.training.progress import Progress
from triton_models.training.recipe import Recipe
from triton_models.training.stack import fit_stackers
from triton_models.training.targets import target_of, weights_of

STAGES_VERSION: Final = "1"
"""Raised when the code of a stage changes what it makes, so that old results are not taken for new ones."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What training made."""

    members: TextMembers
    fuser: Fuser
    rows: Sequence[Row]  # all splits, before enlarging
    build: BuildReport
    abstains: Mapping[str, str]  # category -> why


@dataclass(frozen=True, slots=True)
class Job:
    """One run: where data is, where stages are kept, what to make, who watches."""

    data: Path
    work: Path
    recipe: Recipe
    encoder: Encoder
    progress: Progress


def train(job: Job) -> Trained:
    """Runs every stage that has no result yet; the same job always gives the same numbers."""
    job.work.mkdir(parents=True, exist_ok=True)
    rows, build = _rows(job)
    train_rows = enlarge([row for row in rows if row.split == "train"], job.recipe.augment, job.recipe.seed)
    job.progress.note(f"{len(rows):,} rows, {len(train_rows):,} to train on after enlarging")
    ngrams = _ngrams(job, train_rows)
    heads = _heads(job, train_rows)
    members = TextMembers(heads=heads, ngrams=ngrams, encoder=job.encoder, cache=job.work / "embeddings")
    fuser, abstains = _fuser(job, members, [row for row in rows if row.split == "dev"])
    return Trained(members=members, fuser=fuser, rows=rows, build=build, abstains=abstains)


def _rows(job: Job) -> tuple[list[Row], BuildReport]:
    files = [path for name in job.recipe.sets for path in sorted((job.data / require_training(name).folder).iterdir())]
    digest = hashlib.blake2b(f"{STAGES_VERSION}{job.recipe.seed}{job.recipe.sets}".encode(), digest_size=8)
    for path in files:
        digest.update(path.name.encode() + path.read_bytes())
    kept = job.work / f"rows-{digest.hexdigest()}.msgpack"
    if not kept.is_file():
        with job.progress.stage("find near-duplicates", 93_000) as advance:
            rows, report = build_rows(job.data, sets=job.recipe.sets, seed=job.recipe.seed, progress=advance)
        aside = kept.with_suffix(".tmp")
        aside.write_bytes(msgspec.msgpack.encode((rows, asdict(report))))
        aside.replace(kept)
    rows, raw = msgspec.msgpack.decode(kept.read_bytes(), type=tuple[list[Row], dict[str, Any]])
    return rows, BuildReport(**raw)


def _ngrams(job: Job, rows: Sequence[Row]) -> Ngrams:
    folder = job.work / f"ngrams-{_key(job, rows, 'ngram', 'ngrams')}"
    if not (folder / "ngrams.npz").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        section = job.recipe.ngram
        recipe = NgramRecipe(section.buckets_log2, section.sizes, section.inverse_penalty)
        with job.progress.stage("count n-grams", len(rows)) as advance:
            features = feature_matrix([row.text for row in rows], recipe, progress=advance)
        with job.progress.stage("fit n-grams", 1) as advance:
            fit_ngrams(
                features,
                {str(name): target_of(rows, name) for name in job.recipe.ngrams},
                recipe,
                weights={str(name): weights_of(rows, name) for name in job.recipe.ngrams},
            ).save(folder)
            advance(1)
    return Ngrams.load(folder)


def _heads(job: Job, rows: Sequence[Row]) -> Heads:
    folder = job.work / f"heads-{_key(job, rows, 'head', 'heads')}-{_short(job.encoder.identity)}"
    if not (folder / "heads.npz").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with job.progress.stage("embed train rows", len(rows)) as advance:
            embedded = embed_texts(job.encoder, [row.text for row in rows], job.work / "embeddings", advance=advance)
        with job.progress.stage("fit the head", job.recipe.head.epochs) as advance:
            head = fit_head(
                embedded,
                {name: target_of(rows, name) for name in job.recipe.heads},
                {name: weights_of(rows, name) for name in job.recipe.heads},
                recipe=HeadRecipe(**job.recipe.head.model_dump()),
                seed=job.recipe.seed,
                advance=advance,
            )
        Heads(text_head=head).save(folder)
    return Heads.load(folder)


def _fuser(job: Job, members: TextMembers, dev: Sequence[Row]) -> tuple[Fuser, dict[str, str]]:
    with job.progress.stage("judge dev rows", len(dev)) as advance:
        opinions = members.opinions([row.text for row in dev], advance=advance)
    text: dict[str, tuple[Stacker, ...]] = {}
    prior: dict[str, float] = {}
    abstains: dict[str, str] = {}
    for category in dict.fromkeys((*job.recipe.heads, *job.recipe.ngrams)):
        target = target_of(dev, category)
        columns = _columns(opinions, LABELS.index(category))
        stackers = fit_stackers(columns, target, [row.source for row in dev])
        reached = _dev_auroc(stackers, columns, target)
        if not stackers or not reached >= job.recipe.least_dev_auroc:
            abstains[category] = f"dev AUROC {reached:.3f} is below {job.recipe.least_dev_auroc}"
            continue
        share = float(np.nanmean(target))
        text[category] = stackers
        prior[category] = float(np.log(share / (1.0 - share)))
    return Fuser(text=text, image={}, prior_logit=prior), abstains


def _columns(opinions: Mapping[str, FloatArray], column: int) -> dict[str, Any]:
    found = {name: scores[:, column].astype(np.float64) for name, scores in opinions.items()}
    return {name: values for name, values in found.items() if not np.isnan(values).all()}


def _dev_auroc(stackers: Sequence[Stacker], columns: Mapping[str, Any], target: Any) -> float:
    """AUROC of the fullest stacker over the dev rows whose label is certain."""
    if not stackers:
        return float("nan")
    certain = (target == 0) | (target == 1)
    logit = stackers[0].logit({name: columns[name][certain] for name in stackers[0].members})
    judged = ~np.isnan(logit)
    return auroc(target[certain][judged] > 0.5, logit[judged].astype(np.float64))


def _key(job: Job, rows: Sequence[Row], *sections: str) -> str:
    digest = hashlib.blake2b(f"{STAGES_VERSION}{job.recipe.seed}{job.recipe.key(*sections)}".encode(), digest_size=8)
    for row in rows:
        digest.update(f"{row.id}\0{row.text}\0{sorted(row.labels.items())}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _short(identity: str) -> str:
    return hashlib.blake2b(identity.encode(), digest_size=4).hexdigest()
