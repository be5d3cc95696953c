"""Fine-tuning on a tiny tower: the same result after kill -9, frozen layers stay, stages and warnings, mixtures."""

from __future__ import annotations

import csv
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.towers_factory import write_e5
from tests.training_factory import write_data
from triton_models.parts import E5Model, read_e5
from triton_models.parts.text_rules import PREFIX
from triton_models.parts.tokenizer import build_tokenizer
from triton_models.training.finetune import Finetuned, FinetuneData, finetune
from triton_models.training.finetune_recipe import FinetuneRecipe, LossWeights, load_finetune_recipe
from triton_models.training.finetune_run import FinetuneJob, run_finetune
from triton_models.training.interpolate import Mixture, choose, mix, sweep
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
def dying(self, step, store, data):
    if step.number == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return take(self, step, store, data)
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
    with pytest.raises(RecipeError, match="smoke, text"):
        load_finetune_recipe("nothing")
    with pytest.raises(RecipeError, match=r"no such recipe file; shipped recipes are smoke, text$"):
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
    """From a data folder to deltas and record: a mixture of the sweep, only changed layers, as fp16."""
    data = write_data(tmp_path / "data")
    recipe = RECIPE.model_copy(update={"max_rows": 24, "stages": RECIPE.stages[1:2]})
    job = FinetuneJob(a_model(tmp_path), data, tmp_path, tmp_path / "release", recipe, Silent())
    record = run_finetune(job)
    assert record["alpha"] in {one["alpha"] for one in record["sweep"]}
    with np.load(tmp_path / "release" / "deltas.npz") as saved:
        assert {name.split(".")[0] for name in saved.files} == {"l2", "l3"}
        assert saved["l3.q.w"].shape == (384, 384)
        assert saved["l3.q.w"].dtype == np.float16
    assert (tmp_path / "release" / "finetune.json").is_file()
