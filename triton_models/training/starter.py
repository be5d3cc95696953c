"""The recipe `starter` from data to release files, in stages that a killed run picks up again.

rows -> enlarged train rows -> embeddings -> n-grams -> head -> stackers. Each stage's result lies in the work folder
under a name that holds a hash of all it depends on; nothing there ever needs to be deleted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from policies.engine.taxonomy import Category
from triton_models.contract import LABELS
from triton_models.serving.fuse import Fuser
from triton_models.serving.heads import Heads
from triton_models.serving.ngrams import Ngrams
from triton_models.training import datasets
from triton_models.training.calibrate import Evidence, fit_fuser, join
from triton_models.training.datasets import BuildReport, DataError, Row, build_rows
from triton_models.training.datasets.catalog import require_training
from triton_models.training.datasets.sample import capped
from triton_models.training.embed import Encoder, FloatArray, embed_texts
from triton_models.training.enlarge import enlarge
from triton_models.training.head_fit import HeadRecipe, fit_head, with_linear
from triton_models.training.judge import TextMembers
from triton_models.training.linear_fit import cross_fit, fit_linear
from triton_models.training.ngram_fit import NgramRecipe, feature_matrix, fit_ngrams
from triton_models.training.picture_calibrate import Eyes, PictureScale, measure_pictures
from triton_models.training.progress import Progress
from triton_models.training.recipe import Recipe, RecipeError
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
    pictures: PictureScale | None
    reached: Mapping[str, Mapping[str, float]]  # category -> rows, positives and AUROC on what calibrated it


@dataclass(frozen=True, slots=True)
class Job:
    """One run: where data is, where stages are kept, what to make, who watches."""

    data: Path
    work: Path
    recipe: Recipe
    encoder: Encoder
    progress: Progress
    eyes: Eyes | None = None  # without them the release judges no picture


def train(job: Job) -> Trained:
    """Runs every stage that has no result yet; the same job always gives the same numbers."""
    job.work.mkdir(parents=True, exist_ok=True)
    rows, build = _rows(job)
    kept = capped([row for row in rows if row.split == "train"], job.recipe.most_per_set, job.recipe.seed)
    train_rows = enlarge(kept, job.recipe.augment, job.recipe.seed)
    _need_both_sides(train_rows, job.recipe)
    job.progress.note(f"{len(rows):,} rows, {len(train_rows):,} to train on after enlarging")
    ngrams = _ngrams(job, train_rows)
    with job.progress.stage("embed train rows", len(train_rows)) as advance:
        embedded = embed_texts(job.encoder, [row.text for row in train_rows], _store(job), advance=advance)
    heads = _heads(job, train_rows, embedded)
    members = TextMembers(heads=heads, ngrams=ngrams, encoder=job.encoder, cache=_store(job))
    dev = [row for row in rows if row.split == "dev"]
    with job.progress.stage("judge dev rows", len(dev)) as advance:
        opinions = members.opinions([row.text for row in dev], advance=advance)
    taught = dict.fromkeys((*job.recipe.heads, *job.recipe.ngrams))
    evidence = {str(name): _evidence(opinions, dev, name) for name in taught}
    with job.progress.stage("cross-fit small heads", len(job.recipe.head.linear_only)) as advance:
        for name in job.recipe.head.linear_only:
            evidence[name] = join(evidence[name], _cross_fitted(train_rows, embedded, name))
            advance(1)
    fuser, abstains, reached = fit_fuser(evidence, least_auroc=job.recipe.least_dev_auroc)
    pictures = _pictures(job)
    if pictures is not None:
        fuser = replace(fuser, image=pictures.image, alignment_quantiles=pictures.alignment_quantiles)
    return Trained(members, fuser, rows=rows, build=build, abstains=abstains, reached=reached, pictures=pictures)


def _need_both_sides(rows: Sequence[Row], recipe: Recipe) -> None:
    """RecipeError naming every category that the recipe teaches and the sets say nothing, or only one thing, about."""
    lacking = []
    for category in dict.fromkeys((*recipe.heads, *recipe.ngrams)):
        said = {value > 0.5 for row in rows if (value := row.labels.get(category)) is not None}
        if len(said) < 2:
            lacking.append(f"{category} ({'only one side' if said else 'nothing'})")
    if lacking:
        raise RecipeError(
            f"{recipe.recipe}: the sets {', '.join(recipe.sets)} do not teach {', '.join(lacking)}; "
            "add a set, or remove the category from heads and ngrams"
        )


def _pictures(job: Job) -> PictureScale | None:
    def encode(texts: Sequence[str]) -> FloatArray:
        return embed_texts(job.encoder, texts, _store(job))

    if job.eyes is None:
        job.progress.note("no picture members in the given version: pictures are not calibrated")
        return None
    return measure_pictures(job.eyes, job.data, encode=encode, progress=job.progress)


def _rows(job: Job) -> tuple[list[Row], BuildReport]:
    folders = [require_training(name).path(job.data) for name in job.recipe.sets]
    missing = [folder for folder in folders if not folder.is_dir()]
    if missing:
        raise DataError(
            missing[0], "folder not found", "point --data at a folder with the layout that the README describes"
        )
    files = [path for folder in folders for path in sorted(folder.iterdir()) if path.is_file()]
    digest = hashlib.blake2b(f"{STAGES_VERSION}{job.recipe.seed}{job.recipe.sets}".encode(), digest_size=8)
    for path in [*files, *sorted(Path(datasets.__file__).parent.glob("*.py"))]:  # what labels mean is code, too
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


def _heads(job: Job, rows: Sequence[Row], embedded: FloatArray) -> Heads:
    folder = job.work / f"heads-{_key(job, rows, 'head', 'heads')}-{_short(job.encoder.identity)}"
    if not (folder / "heads.npz").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        section = job.recipe.head
        large = [name for name in job.recipe.heads if name not in section.linear_only]
        with job.progress.stage("fit the head", section.epochs) as advance:
            head = fit_head(
                embedded,
                {str(name): target_of(rows, name) for name in large},
                {str(name): weights_of(rows, name) for name in large},
                recipe=HeadRecipe(**section.model_dump(exclude={"linear_only"})),
                seed=job.recipe.seed,
                advance=advance,
            )
        small = {
            str(name): fit_linear(embedded, target_of(rows, name), weights_of(rows, name))
            for name in section.linear_only
        }
        Heads(text_head=with_linear(head, small)).save(folder)
    return Heads.load(folder)


def _evidence(opinions: Mapping[str, FloatArray], rows: Sequence[Row], category: Category) -> Evidence:
    column = LABELS.index(category)
    columns = {name: scores[:, column].astype(np.float64) for name, scores in opinions.items()}
    taught = {name: values for name, values in columns.items() if not np.isnan(values).all()}
    return Evidence(taught, target_of(rows, category))


def _cross_fitted(rows: Sequence[Row], embedded: FloatArray, category: Category) -> Evidence:
    target = target_of(rows, category)
    logits = cross_fit(embedded, target, weights_of(rows, category), [row.id for row in rows])
    kept = ~np.isnan(logits) & np.array(["~" not in row.id for row in rows])
    return Evidence({"towers": logits[kept]}, target[kept])


def _store(job: Job) -> Path:
    return job.work / "embeddings"


def _key(job: Job, rows: Sequence[Row], *sections: str) -> str:
    digest = hashlib.blake2b(f"{STAGES_VERSION}{job.recipe.seed}{job.recipe.key(*sections)}".encode(), digest_size=8)
    for row in rows:
        digest.update(f"{row.id}\0{row.text}\0{sorted(row.labels.items())}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _short(identity: str) -> str:
    return hashlib.blake2b(identity.encode(), digest_size=4).hexdigest()
