"""Fine-tuning on a tiny tower: the same result after kill -9, frozen layers stay, stages and warnings, mixtures."""

from __future__ import annotations

import csv
import itertools
import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.towers_factory import write_e5
from tests.training_factory import write_data
from triton_models.deltas import SIZE
from triton_models.parts import E5Model, read_e5
from triton_models.parts.text_rules import PREFIX
from triton_models.parts.tokenizer import build_tokenizer
from triton_models.training.datasets import Row
from triton_models.training.datasets.sample import capped, thinned
from triton_models.training.finetune import Finetuned, finetune, run_key, runs_in_half
from triton_models.training.finetune_log import Log
from triton_models.training.finetune_losses import SCALE, FinetuneData
from triton_models.training.finetune_recipe import FinetuneRecipe, LossWeights, load_finetune_recipe
from triton_models.training.finetune_run import FinetuneJob, mean_auroc, run_finetune, targets_of
from triton_models.training.interpolate import Mixture, choose, mix, sweep
from triton_models.training.pairs.icons import NAMES
from triton_models.training.progress import Silent
from triton_models.training.recipe import RecipeError
from triton_models.training.text_layers import TextLayers, store_hidden
from triton_models.training.unfreeze import Stage, unfreeze, warnings_of

torch.set_num_threads(1)

RECIPE = FinetuneRecipe(
    recipe="tiny",
    version="1",
    sets=("davidson",),
    categories=("hate", "harassment"),
    batch=8,
    ema=0.5,
    checkpoint_steps=2,
    losses=LossWeights(harm=1.0, distil=0.5, adversarial=0.2, prompts=0.1),
    stages=(
        Stage(share=0.0, epochs=1, learning_rate=1e-2),
        Stage(share=0.5, epochs=2, learning_rate=5e-5),
        Stage(share=0.75, epochs=1, learning_rate=3e-5),
    ),
)
FORBIDDEN = """
recipe: a
version: b
sets: [x]
categories: [sexual_minors]
stages: [{share: 0, epochs: 1, learning_rate: 1}]
"""
CHILD = """
import os, signal, sys
from pathlib import Path
from tests.unit import test_finetune as own
from triton_models.training import finetune as module
take = module._Run.take
def dying(self, step):
    if step.number == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return take(self, step)
module._Run.take = dying
own.run(Path(sys.argv[1]))
"""


def a_model(folder: Path) -> E5Model:
    """A tower of four layers."""
    folder.mkdir(parents=True, exist_ok=True)
    return read_e5(write_e5(folder / "tiny.bin", layers=4))


def some_data() -> FinetuneData:
    """Texts with a word that tells the label, one label not asked."""
    texts = [f"hello {'ab' if number % 2 else 'a'} {'world ' * (number % 5)}" for number in range(40)]
    targets = np.array([[number % 2, (number + 1) % 2] for number in range(40)], dtype=np.float32)
    targets[3, 1] = np.nan
    return FinetuneData(texts, targets)


def run(work: Path, recipe: FinetuneRecipe = RECIPE) -> Finetuned:
    """Fine-tunes in `work`."""
    torch.set_num_threads(1)
    return finetune(a_model(work), some_data(), recipe, work, Silent())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Finetuned]:
    """A run that nobody disturbed, and its folder."""
    work = tmp_path_factory.mktemp("run")
    return work, run(work)


@pytest.mark.parametrize("dies_at", [3, 13])
def test_killed_runs_end_the_same(tmp_path: Path, finished: tuple[Path, Finetuned], dies_at: int) -> None:
    """Kill -9 between checkpoints, in the first or a later stage: going on ends in the very same weights and log."""
    argv = [sys.executable, "-c", CHILD, str(tmp_path), str(dies_at)]
    root = Path(__file__).resolve().parents[2]
    child = subprocess.run(argv, cwd=root, check=False, capture_output=True, timeout=240)
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()
    again = run(tmp_path)
    work, whole = finished
    assert again.changed.keys() == whole.changed.keys()
    assert all(np.array_equal(again.changed[name], whole.changed[name]) for name in whole.changed)
    assert np.array_equal(again.head_weight, whole.head_weight)
    name = f"finetune-{RECIPE.key}.csv"
    assert (tmp_path / name).read_text() == (work / name).read_text()


def test_only_what_may_move_moves(finished: tuple[Path, Finetuned]) -> None:
    """Layers that some stage unfreezes change, the lowest is not even in the result; stages count what they train."""
    work, tuned = finished
    model = a_model(work)
    assert {name.split(".")[0] for name in tuned.changed} == {"l1", "l2", "l3"}
    moved = {
        layer: max(
            float(np.abs(tuned.changed[name] - model.array(name).reshape(tuned.changed[name].shape)).max())
            for name in tuned.changed
            if name.startswith(layer)
        )
        for layer in ("l1", "l2", "l3")
    }
    assert 0 < moved["l1"] < moved["l3"]
    heads, half, most = tuned.trainable
    assert heads == 2 * 384 + 2
    assert heads < half < most


def test_it_learns_and_draws(finished: tuple[Path, Finetuned]) -> None:
    """The harm loss falls, every step is in the CSV once, and the curves are drawn."""
    work, tuned = finished
    with (work / f"finetune-{RECIPE.key}.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [int(line["step"]) for line in lines] == list(range(tuned.steps))
    assert float(lines[-1]["harm"]) < float(lines[0]["harm"])
    assert (work / f"finetune-{RECIPE.key}.png").read_bytes().startswith(b"\x89PNG")


def test_cached_states_give_the_towers_own_vector(tmp_path: Path) -> None:
    """Lower layers from the store and upper ones in torch are the whole tower; a text does not feel its companions."""
    model = a_model(tmp_path)
    texts = ["hello world", "ab", "hello " * 9]
    whole = store_hidden(model, texts, 0, tmp_path)
    partly = store_hidden(model, texts, 2, tmp_path)
    with torch.no_grad():
        wanted = TextLayers(model, 0)(*whole.batch([0, 1, 2]))
        found = TextLayers(model, 2)(*partly.batch([0, 1, 2]))
        alone = TextLayers(model, 2)(*partly.batch([1]))
    assert torch.allclose(found, wanted, atol=3e-3)  # the store holds fp16
    assert torch.allclose(alone[0], found[1], atol=1e-5)
    count = len(build_tokenizer(model.vocabulary).encode(PREFIX + texts[0]).ids)
    assert whole.offsets[1] == count


def test_unfreezing_falls_with_depth() -> None:
    """The topmost layer has the stage's rate, each lower one a share of it, none under the least of the reference."""
    one = unfreeze(Stage(share=0.5, epochs=1, learning_rate=5e-5), 12, 0.85)
    assert one.first == 6
    assert one.rates[11] == 5e-5
    assert one.rates[6] == pytest.approx(5e-5 * 0.85**5)
    assert unfreeze(Stage(share=0.0, epochs=1, learning_rate=1e-3), 12, 0.85).rates == {}
    assert min(unfreeze(Stage(share=1.0, epochs=1, learning_rate=2e-6), 12, 0.5).rates.values()) == 1e-6


def test_warnings_name_what_is_outside() -> None:
    """Batch, epochs, rates, shares and order: each outside the reference is told; the shipped recipe has none."""
    stages = [Stage(share=0.9, epochs=20, learning_rate=1e-3), Stage(share=0.2, epochs=1, learning_rate=1e-7)]
    told = "\n".join(warnings_of(stages, 8))
    assert all(word in told for word in ("batch 8", "21 epochs", "stage 1: learning rate", "90%", "20%", "freezes"))
    assert load_finetune_recipe("text").warnings == []


def test_accumulation_is_the_same_batch(tmp_path: Path) -> None:
    """Two halves added up give nearly the weights of the whole batch."""
    plain = RECIPE.model_copy(update={"losses": LossWeights(harm=1, distil=0), "stages": RECIPE.stages[:1]})
    whole = run(tmp_path / "whole", plain)
    halves = run(tmp_path / "halves", plain.model_copy(update={"accumulate": 2}))
    assert np.allclose(whole.head_bias, halves.head_bias, atol=2e-2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("recipe: a", "Field required"),
        ("[", "not YAML"),
        (FORBIDDEN, "never modelled"),
    ],
)
def test_bad_recipes_say_why(tmp_path: Path, text: str, said: str) -> None:
    """A recipe that cannot be used is an error that names file and problem."""
    path = tmp_path / "own.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError, match=said):
        load_finetune_recipe(str(path))
    with pytest.raises(RecipeError, match="left-out, reference, smoke, text, update"):
        load_finetune_recipe("nothing")
    with pytest.raises(RecipeError, match=r"no such recipe file; shipped recipes are left-out, .*, update$"):
        load_finetune_recipe(str(tmp_path / "gone.yaml"))


def test_mixtures_lie_between() -> None:
    """At 0 the start, at 1 the tuned, between them the straight line."""
    start, tuned = {"l1.q.w": np.zeros(4, np.float32)}, {"l1.q.w": np.full((2, 2), 2.0, np.float32)}
    assert mix(start, tuned, 0.25)["l1.q.w"].tolist() == [[0.5, 0.5], [0.5, 0.5]]
    points = sweep(start, tuned, lambda one: (float(one["l1.q.w"].sum()), 10.0 - float(one["l1.q.w"].sum())))
    assert [round(point.kept, 2) for point in points] == [1.0, 0.84, 0.68, 0.52, 0.36, 0.2]


def test_the_choice_keeps_what_must_stay() -> None:
    """The best among those that keep enough, the smaller of equals, and the start when none keeps enough."""
    points = [Mixture(0.0, 0.7, 1.0), Mixture(0.5, 0.8, 0.98), Mixture(0.7, 0.8, 0.98), Mixture(1.0, 0.9, 0.5)]
    assert choose(points).alpha == 0.5
    assert choose([Mixture(0.0, 0.7, 0.1), Mixture(1.0, 0.9, 0.2)]).alpha == 0.0


def test_a_whole_run_writes_a_release(tmp_path: Path) -> None:
    """From a data folder to deltas and record: a mixture of the sweep, only changed layers, in int8 steps."""
    data = write_data(tmp_path / "data")
    recipe = RECIPE.model_copy(update={"max_rows": 24, "stages": RECIPE.stages[1:2]})
    job = FinetuneJob(a_model(tmp_path), data, tmp_path, tmp_path / "release", recipe, Silent())
    record = run_finetune(job)
    assert record["alpha"] in {one["alpha"] for one in record["sweep"]}
    with np.load(tmp_path / "release" / "deltas.npz") as saved:
        assert {name.split(".")[0] for name in saved.files} == {"l2", "l3"}
        assert saved["l3.q.w"].shape == (384, 384)
        assert saved["l3.q.w"].dtype == np.int8
        assert saved[f"l3.q.w{SIZE}"].shape == (384, 1)
        assert saved[f"l3.q.b{SIZE}"].dtype == np.float32
        assert {name.removesuffix(SIZE) for name in saved.files} == {n for n in saved.files if not n.endswith(SIZE)}
    assert (tmp_path / "release" / "finetune.json").is_file()


def test_a_run_goes_on_from_a_release(tmp_path: Path) -> None:
    """From a release's tower: its changes are where the run starts, deltas count from the part, the record tells."""
    data = write_data(tmp_path / "data")
    recipe = RECIPE.model_copy(update={"max_rows": 24, "stages": RECIPE.stages[1:2]})
    part = a_model(tmp_path)
    moved = replace(part, changed={"l1.q.w": part.array("l1.q.w") + np.float32(0.5)})
    assert run_key(moved, recipe) != run_key(part, recipe) == recipe.key
    work, out = tmp_path / "work", tmp_path / "release"
    record = run_finetune(FinetuneJob(moved, data, work, out, recipe, Silent(), {"release": "old-1"}))
    assert record["parent"] == {"release": "old-1"}
    assert [path.name for path in work.glob("*.pt")] == [f"{run_key(moved, recipe)}-checkpoint.pt"]
    with np.load(out / "deltas.npz") as saved:
        steps, size = saved["l1.q.w"].astype(np.float32), saved[f"l1.q.w{SIZE}"]
        # Layer 1 does not move in this recipe: what it is away from the part is what the release had changed.
        assert np.allclose(steps * size, 0.5 * record["alpha"], atol=0.01)
        assert {name.split(".")[0] for name in saved.files} == {"l1", "l2", "l3"}


def test_training_reads_what_serving_reads(tmp_path: Path) -> None:
    """A disguised text and its plain form have the same hidden states."""
    model = a_model(tmp_path)
    store = store_hidden(model, ["h\u200bello world", "hello world"], 2, tmp_path)
    assert store.lengths[0] == store.lengths[1]
    assert np.array_equal(store.states[: store.offsets[1]], store.states[store.offsets[1] :])


def test_every_loss_is_in_the_log(tmp_path: Path) -> None:
    """Replay, pairing and confounders are logged: the two of families from the first stage, replay once layers move."""
    losses = LossWeights(harm=1.0, distil=0.0, replay=1.0, pairing=0.5, confounders=0.5)
    recipe = RECIPE.model_copy(update={"losses": losses, "stages": RECIPE.stages[:2]})
    plain = some_data()
    families = [f"f{number // 4}" if number < 32 else None for number in range(len(plain.texts))]
    data = FinetuneData(plain.texts, plain.targets, families, replay=("hello", "world hello", "ab world"))
    finetune(a_model(tmp_path), data, recipe, tmp_path, Silent())
    lines = Log(tmp_path / f"finetune-{recipe.key}.csv").read()
    heads, moving = ([line for line in lines if line["stage"] == stage] for stage in ("0", "1"))
    assert {line["replay"] for line in heads} == {""}
    assert all(line["replay"] for line in moving)
    for name in ("replay", "pairing", "confounders"):
        assert max(float(line[name]) for line in lines if line[name]) > 0, name
    assert {line["distil"] for line in lines} == {""}  # a loss of weight 0 is not computed


def test_pairs_are_held_together(tmp_path: Path) -> None:
    """With a heavy pairing loss, texts of one family and one label end up with logits nearer to each other."""
    plain = some_data()
    families = [f"f{number % 4}" for number in range(len(plain.texts))]
    data = FinetuneData(plain.texts, plain.targets, families)
    gaps = []
    for weight in (0.0, 20.0):
        stages = (Stage(share=0.0, epochs=4, learning_rate=1e-2),)
        recipe = RECIPE.model_copy(update={"losses": LossWeights(distil=0, pairing=weight), "stages": stages})
        gaps.append(mean_gap(finetune(a_model(tmp_path), data, recipe, tmp_path, Silent()), data, tmp_path))
    assert gaps[1] < 0.9 * gaps[0]


def mean_gap(tuned: Finetuned, data: FinetuneData, work: Path) -> float:
    """How far apart the logits of two rows of a family with the same labels are, on the average."""
    model = a_model(work)
    store = store_hidden(model, data.texts, 4, work, most=128)
    with torch.no_grad():
        vectors = TextLayers(model, 4)(*store.batch(range(len(data.texts)))).numpy()
    logits = SCALE * vectors @ tuned.head_weight.T
    same = [
        np.abs(logits[left] - logits[right]).mean()
        for left, right in itertools.combinations(range(len(data.texts)), 2)
        if data.families[left] == data.families[right] and (data.targets[left] == data.targets[right]).all()
    ]
    return float(np.mean(same))


def test_half_precision_is_asked_for_by_the_recipe() -> None:
    """float32 unless the recipe says otherwise; `auto` is what this processor can do."""
    assert not runs_in_half("fp32")
    assert runs_in_half("bf16")
    assert runs_in_half("auto") in {True, False}


def row(number: int, source: str, locale: str) -> Row:
    """A train row."""
    return Row(f"{source}:{number}", f"text {number}", locale, source, "train", {"hate": 1.0})


def test_sets_are_capped() -> None:
    """Each set gives at most its number, drawn by the seed and in order; a set not named comes whole."""
    rows = [row(number, source, "en") for source in ("b", "a") for number in range(20)]
    kept = capped(rows, {"a": 7}, seed=3)
    assert [one.source for one in kept] == ["b"] * 20 + ["a"] * 7
    numbers = [int(one.id.split(":")[1]) for one in kept if one.source == "a"]
    assert numbers == sorted(set(numbers))
    assert capped(rows, {"a": 7}, seed=3) == kept
    assert capped(rows, {"a": 7}, seed=4) != kept


class Enough(Exception):  # noqa: N818 - it stops the run where the test has seen what it came for
    """Carries what would have been trained on."""


def test_what_is_trained_on_is_what_the_recipe_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Languages left out are not there, a set's cap holds, families and captions come along."""
    data = write_data(tmp_path / "data")
    names = tmp_path / "data" / NAMES
    names.mkdir(parents=True)
    entries = {chr(0x1F600 + n): {"tts": [f"face {n}"]} for n in range(40)}
    (names / "en.json").write_text(json.dumps({"annotations": {"annotations": entries}}), encoding="utf-8")
    seen: list[FinetuneData] = []

    def stop(_model: E5Model, given: FinetuneData, *_rest: object) -> Finetuned:
        seen.append(given)
        raise Enough

    monkeypatch.setattr("triton_models.training.finetune_run.finetune", stop)
    sets = {"sets": ("davidson", "germeval2018_de", "contrast"), "most_per_set": {"davidson": 9, "contrast": 50}}
    recipe = RECIPE.model_copy(update={**sets, "without_locales": ("de", "zh")})
    with pytest.raises(Enough):
        run_finetune(FinetuneJob(a_model(tmp_path), data, tmp_path, tmp_path / "out", recipe, Silent()))
    (given,) = seen
    assert len(given.texts) == len(given.targets) == len(given.families) == 9 + 50
    families = [family for family in given.families if family is not None]
    assert len(families) == 50
    assert not {family.split("/")[0] for family in families} & {"de", "zh"}
    assert set(given.replay) < {f"face {n}" for n in range(40)}
    assert given.replay


def test_thinning_draws_without_repeating() -> None:
    """No more than asked, none twice, in their order; fewer rows than that stay as they are."""
    rows = [row(number, "a", "en") for number in range(20)]
    drawn = thinned(rows, 5, seed=3)
    assert len(drawn) == 5
    assert drawn == [one for one in rows if one in drawn]
    assert thinned(rows, 20, seed=3) == thinned(rows, None, seed=3) == rows


def test_targets_say_nan_where_nobody_asked() -> None:
    """A column per category in the recipe's order."""
    found = targets_of([row(0, "a", "en"), row(1, "a", "en")], RECIPE)
    assert found.shape == (2, 2)
    assert found[:, 0].tolist() == [1.0, 1.0]
    assert np.isnan(found[:, 1]).all()


def test_the_mean_auroc_leaves_out_what_cannot_be_measured() -> None:
    """A category with one side only, or with shares in place of answers, does not count; none at all is NaN."""
    targets = np.array([[1, 1, 0.85], [0, 1, 0.2], [1, 1, np.nan], [0, 1, 0.85]], dtype=np.float32)
    scores = np.array([[2, 0, 0], [1, 1, 1], [3, 2, 2], [0, 3, 3]], dtype=np.float32)
    assert mean_auroc(targets, scores) == 1.0
    assert np.isnan(mean_auroc(targets[:, 1:], scores[:, 1:]))
