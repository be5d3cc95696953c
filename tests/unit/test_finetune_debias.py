"""Group gap and gradient reversal in fine-tuning: what each moves, whose key they change, kill -9."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.unit.test_finetune import RECIPE, a_model, some_data
from triton_models.training.datasets.contrast import identity_of
from triton_models.training.finetune import Finetuned, finetune
from triton_models.training.finetune_debias import LocaleAdversary, identity_gap
from triton_models.training.finetune_losses import SCALE, FinetuneData
from triton_models.training.finetune_recipe import FinetuneRecipe, LossWeights, load_finetune_recipe
from triton_models.training.progress import Silent
from triton_models.training.recipe import RecipeError
from triton_models.training.text_layers import TextLayers, store_hidden
from triton_models.training.unfreeze import Stage

REVERSING = RECIPE.model_copy(
    update={"losses": LossWeights(harm=1.0, distil=0.0, reversal=0.3), "stages": RECIPE.stages[:2]}
)
KEY = "e6a571037487a574"
"""What the key of `RECIPE` was before there were these two losses."""
BEFORE = {"steps", "stage", "trainable", "net", "head", "mean", "optimiser"}
"""What a checkpoint held before there was an adversary."""
CHILD = """
import os, signal, sys
from pathlib import Path
from tests.unit import test_finetune_debias as own
from triton_models.training import finetune as module
take = module._Run.take
def dying(self, step):
    if step.number == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return take(self, step)
module._Run.take = dying
own.run(Path(sys.argv[1]), own.REVERSING)
"""


def located() -> FinetuneData:
    """Texts in two made-up languages: one has the word `ab`, and so all that is harmful."""
    plain = some_data()
    return FinetuneData(plain.texts, plain.targets, locales=["en" if "ab" in text else "de" for text in plain.texts])


def run(work: Path, recipe: FinetuneRecipe) -> Finetuned:
    """Fine-tunes in `work`."""
    torch.set_num_threads(1)
    return finetune(a_model(work), located(), recipe, work, Silent())


def checkpoint(work: Path, recipe: FinetuneRecipe) -> dict[str, dict[str, torch.Tensor]]:
    """What the run left."""
    state: dict[str, dict[str, torch.Tensor]] = torch.load(work / f"{recipe.key}-checkpoint.pt", weights_only=True)
    return state


def test_killed_runs_with_an_adversary_end_the_same(tmp_path: Path) -> None:
    """Kill -9 in the second stage: weights and adversary end as they would have, and the adversary had learned."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    tuned = run(whole, REVERSING)
    root = Path(__file__).resolve().parents[2]
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(killed)], cwd=root, check=False, capture_output=True, timeout=400
    )
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()
    again = run(killed, REVERSING)
    assert all(np.array_equal(again.changed[name], tuned.changed[name]) for name in tuned.changed)
    assert np.array_equal(again.head_weight, tuned.head_weight)
    left, right = (checkpoint(work, REVERSING)["adversary"] for work in (whole, killed))
    assert all(torch.equal(left[name], right[name]) for name in left)
    assert float(left["probe.weight"].abs().max()) > 0


def test_without_reversal_a_checkpoint_is_as_it_was(tmp_path: Path) -> None:
    """No adversary is made or kept, so that a checkpoint of before is taken up: going on has nothing left to do."""
    plain = REVERSING.model_copy(update={"losses": LossWeights(), "stages": RECIPE.stages[:1]})
    tuned = run(tmp_path, plain)
    assert checkpoint(tmp_path, plain).keys() == BEFORE
    assert np.array_equal(run(tmp_path, plain).head_weight, tuned.head_weight)


def test_reversal_needs_locales(tmp_path: Path) -> None:
    """A weight that could do nothing is an error, not silence."""
    with pytest.raises(ValueError, match="locale"):
        finetune(a_model(tmp_path), some_data(), REVERSING, tmp_path, Silent())


def test_keys_of_recipes_without_them_stay() -> None:
    """Off, both are no part of the key; on, each changes it."""
    keys = {RECIPE.model_copy(update={"losses": RECIPE.losses.model_copy(update=on)}).key for on in ONE_ON}
    assert RECIPE.key == KEY
    assert len(keys | {KEY}) == 3


ONE_ON = ({"group_gap": 0.1}, {"reversal": 0.1})


def test_a_gap_without_its_rows_is_refused(tmp_path: Path) -> None:
    """`group_gap` without the set or the category that it reads says so, and what to do."""
    path = tmp_path / "own.yaml"
    path.write_text(
        "{recipe: a, version: b, sets: [davidson], categories: [hate], losses: {group_gap: 1},"
        " stages: [{share: 0, epochs: 1, learning_rate: 0.001}]}",
        encoding="utf-8",
    )
    with pytest.raises(RecipeError, match="needs `contrast` in sets"):
        load_finetune_recipe(str(path))


@pytest.mark.parametrize(
    ("row_id", "identity"),
    [
        ("contrast:en/harmless.neutral.3/g4", "en/g4"),
        ("contrast:hi-Latn/harmless.neutral.3/g11~leet", "hi-Latn/g11"),
        ("contrast:en/hateful.statements.3/o1", None),
        ("contrast:en/rude.0/-", None),
        ("contrast:long3", None),
        ("edos:17", None),
    ],
)
def test_a_group_is_read_from_the_id(row_id: str, identity: str | None) -> None:
    """Rows filled with a group name it, disguised copies too; rows about other things and other sets have none."""
    assert identity_of(row_id) == identity


def test_the_gap_reads_harmless_rows_only() -> None:
    """A group above the harmless mean costs the square of the gap; attacks and rows not asked count nothing."""
    logits, target = torch.tensor([3.0, 1.0, 9.0, 9.0]), torch.tensor([0.0, 0.0, 1.0, float("nan")])
    assert identity_gap(logits, target, ["en/g1", "en/g2", "en/g1", "en/g2"]).item() == pytest.approx(0.5)
    assert identity_gap(logits, target, [None] * 4).item() == 0.0


def test_a_group_is_no_sign_of_hate(tmp_path: Path) -> None:
    """With a heavy gap loss, harmless rows of a group that is mostly attacked end nearer to those of another."""
    texts = [f"hello {'ab' if number % 2 else 'a'} {'world ' * (number % 5)}" for number in range(40)]
    hate = [[float(number % 2 and number % 4 == 1)] for number in range(40)]
    identities = [f"en/g{number % 2}" for number in range(40)]
    data = FinetuneData(texts, np.array(hate, dtype=np.float32), identities=identities)
    gaps = []
    for weight in (0.0, 20.0):
        update = {
            "categories": ("hate",),
            "losses": LossWeights(distil=0, group_gap=weight),
            "stages": (Stage(share=0.0, epochs=4, learning_rate=1e-2),),
        }
        model = a_model(tmp_path)
        tuned = finetune(model, data, RECIPE.model_copy(update=update), tmp_path, Silent())
        store = store_hidden(model, texts, 4, tmp_path, most=128)
        with torch.no_grad():
            vectors = TextLayers(model, 4)(*store.batch(range(len(texts)))).numpy()
        logits = SCALE * (vectors @ tuned.head_weight.T)[:, 0]
        gaps.append(float(logits[3::4].mean() - logits[::2].mean()))
    assert gaps[0] > 0
    assert gaps[1] < 0.9 * gaps[0]


def test_the_probe_learns_and_the_vectors_hide() -> None:
    """A step down the loss's own gradient: the probe's makes the language plainer, the vectors' less plain."""
    torch.manual_seed(0)
    vectors, locales = torch.randn(8, 4, requires_grad=True), ["en", "de"] * 4
    adversary = LocaleAdversary(4, locales)
    with torch.no_grad():
        adversary.probe.weight.normal_()
    loss = adversary(vectors, locales)
    loss.backward()
    with torch.no_grad():
        assert vectors.grad is not None
        assert adversary(vectors - 0.1 * vectors.grad, locales) > loss
        for value in adversary.parameters():
            assert value.grad is not None
            value.sub_(0.1 * value.grad)
        assert adversary(vectors, locales) < loss
