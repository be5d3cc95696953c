"""A model's whole life in a minute, through the real commands and the real text tower, on sentences of invented words.

fine-tune (killed and taken up again) -> assemble -> train heads on the changed tower -> evaluate -> promote, refused.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.exits import NO, OK
from tests.training_factory import sentence, write_data
from triton_models.assemble import DEFAULT_RELEASE, RELEASES
from triton_models.build import ALIGNMENT
from triton_models.deltas import tuned as with_own_layers
from triton_models.parts import IMAGE_TOWER, TEXT_TOWER, part_file, read_e5
from triton_models.parts.lite0 import read_lite0
from triton_models.serving.text_tower import TextTower
from triton_models.training.align import Alignment
from triton_models.training.export import build_text_tower
from triton_models.training.parity import MAX_DIFFERENCE, MIN_COSINE, TEXTS, Parity, text_parity
from triton_models.training.recipe import load_recipe
from triton_models.training.towers import build_clip

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
BETTER_THAN_CHANCE = 0.70  # of .5; 80 posts of invented words, so three standard errors are about .18
TIMEOUT_S = 240
POLL_S = 0.02
KILLED_AFTER = 5  # steps of 12, between two checkpoints


@dataclass(frozen=True)
class Workshop:
    """Where everything of the run lies."""

    root: Path

    @property
    def release(self) -> Path:
        """The release folder that is made."""
        return self.root / "smoke-release"

    def argv(self, *words: str) -> list[str]:
        """`weir WORDS`."""
        return [sys.executable, "-m", "ops.cli", *words]

    @property
    def env(self) -> dict[str, str]:
        """A home of its own, one thread, nothing of the caller's settings."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("WEIR_")}
        return {**kept, "WEIR_HOME": str(self.root / "home"), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    def __call__(self, *words: str, code: int = OK) -> str:
        """Runs `weir WORDS`; what it printed, once the exit code is as expected."""
        done = subprocess.run(
            self.argv(*words), env=self.env, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Starts `weir WORDS` and does not wait."""
        return subprocess.Popen(self.argv(*words), env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def finetune(self, work: str, out: Path) -> list[str]:
        """The words of the command that fine-tunes in the work folder of that name."""
        places = ["--data", str(self.root / "data"), "--out", str(out), "--work", str(self.root / work)]
        return ["model", "finetune", "--recipe", "smoke", "--threads", "1", *places, "--json"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, model_repository: Path) -> Workshop:
    """A home with the real parts in it, invented data, and a release folder that has graphs and nothing learned."""
    shop = Workshop(tmp_path_factory.mktemp("smoke"))
    (shop.root / "home").mkdir()
    shutil.copytree(model_repository.parent / "parts", shop.root / "home" / "parts", copy_function=os.link)
    write_data(shop.root / "data", rows=100)
    shutil.copytree(RELEASES / DEFAULT_RELEASE / "graphs", shop.release / "graphs")
    shutil.copy(RELEASES / DEFAULT_RELEASE / ALIGNMENT, shop.release)
    (shop.release / "release.yaml").write_text('name: smoke\nversion: "1"\ntier: reference\n', encoding="utf-8")
    (shop.root / "recipe.yaml").write_text(yaml.safe_dump(small_recipe()), encoding="utf-8")
    (shop.root / "posts.jsonl").write_text("\n".join(map(json.dumps, posts(80))), encoding="utf-8")
    return shop


@pytest.fixture(scope="module")
def tuned(shop: Workshop) -> Mapping[str, Any]:
    """The record of a fine-tuning killed without warning and started again; beside it ran one that nobody disturbed."""
    beside = shop.start(*shop.finetune("undisturbed", shop.root / "undisturbed-release"))
    words = shop.finetune("killed", shop.release)
    running = shop.start(*words)
    try:
        deadline = time.monotonic() + TIMEOUT_S
        while steps_logged(shop.root / "killed") < KILLED_AFTER and time.monotonic() < deadline:
            assert running.poll() is None, "it ended before it could be killed"
            time.sleep(POLL_S)
        running.kill()
        assert running.wait() == -signal.SIGKILL
        assert list((shop.root / "killed").glob("*-checkpoint.pt"))
        assert not (shop.release / "deltas.npz").exists()
        record: Mapping[str, Any] = json.loads(shop(*words))
        assert beside.wait(TIMEOUT_S) == OK
    finally:
        for process in (running, beside):
            process.kill()
            process.wait()
    return record


@pytest.fixture(scope="module")
def version(shop: Workshop, tuned: Mapping[str, Any]) -> Path:
    """The version directory assembled with the deltas."""
    made = json.loads(shop("model", "assemble", "--release", str(shop.release), "--json"))
    assert (made["release"], made["built"]) == ("smoke-1", True)
    return Path(made["repository"]) / "clip_safety" / str(made["version"])


@pytest.fixture(scope="module")
def trained(shop: Workshop, version: Path) -> Mapping[str, Any]:
    """The card of heads and n-grams trained on the changed tower."""
    places = ["--data", str(shop.root / "data"), "--out", str(shop.release), "--towers", str(version)]
    shop("model", "train", "--recipe", str(shop.root / "recipe.yaml"), *places)
    card: Mapping[str, Any] = json.loads((shop.release / "card.json").read_text(encoding="utf-8"))
    return card


def steps_logged(work: Path) -> int:
    """Lines in the log of the run in `work`."""
    return sum(max(0, len(path.read_bytes().splitlines()) - 1) for path in work.glob("finetune-*.csv"))


def small_recipe() -> dict[str, Any]:
    """The starter's recipe made small: two sets, two categories."""
    recipe = load_recipe("starter").model_dump(mode="json")
    recipe |= {"recipe": "smoke", "sets": ["davidson", "edos"], "heads": ["hate", "harassment"]}
    recipe |= {"ngrams": ["hate", "harassment"], "least_dev_auroc": 0.5}
    recipe["augment"] = {"disguised_share": 0.25, "ordinary_long": 0, "jailbreak_pieces": 0}
    recipe["head"] |= {"hidden": 8, "linear_only": [], "epochs": 20, "batch": 64}
    recipe["ngram"]["buckets_log2"] = 12
    return recipe


def posts(count: int) -> list[dict[str, Any]]:
    """Labelled posts that no set has, half of them abuse."""
    rng = random.Random(99)
    return [
        {"text": sentence(rng, harsh=n % 2 == 0, group=n % 2 == 0), "labels": {"hate": int(n % 2 == 0)}}
        for n in range(count)
    ]


def test_a_killed_run_ends_in_the_same_bytes(shop: Workshop, tuned: Mapping[str, Any]) -> None:
    """Killed with SIGKILL and given again, the command ends in the very bytes of a run that nobody disturbed."""
    killed, whole = shop.release / "deltas.npz", shop.root / "undisturbed-release" / "deltas.npz"
    assert killed.read_bytes() == whole.read_bytes()
    logs = [next((shop.root / name).glob("finetune-*.csv")).read_text() for name in ("killed", "undisturbed")]
    assert logs[0] == logs[1]
    assert logs[0].count("\n") == tuned["steps"] + 1


def test_served_is_what_was_trained(shop: Workshop, version: Path) -> None:
    """The exported graph, filled with the deltas, computes what torch does: float32, int8, and the file that serves."""
    model = with_own_layers(shop.release, read_e5(part_file(shop.root / "home", TEXT_TOWER)))
    clip = build_clip(model, read_lite0(part_file(shop.root / "home", IMAGE_TOWER)), Alignment.load(shop.release))
    assert text_parity(clip, model, TEXTS, "float32").greatest_difference <= MAX_DIFFERENCE
    assert text_parity(clip, model, TEXTS, "int8").least_cosine >= MIN_COSINE
    with tempfile.TemporaryDirectory() as folder:
        rebuilt = build_text_tower(model, Path(folder), "int8").encode(TEXTS)
    served = TextTower.load(version).encode(TEXTS)
    assert Parity.of(served, rebuilt).greatest_difference <= MAX_DIFFERENCE


def test_the_whole_model_is_better_than_chance(shop: Workshop, version: Path, trained: Mapping[str, Any]) -> None:
    """On held-out rows by its own card, and on posts that no set has by `weir model evaluate`."""
    assert trained["quality"]["held_out"]["all sets"]["hate"]["fused"]["auroc"] > BETTER_THAN_CHANCE
    words = ["model", "evaluate", str(shop.root / "posts.jsonl"), "--release", str(shop.release)]
    report = json.loads(shop(*words, "--towers", str(version), "--json"))
    assert report["held_out"]["posts.jsonl"]["hate"]["fused"]["auroc"] > BETTER_THAN_CHANCE


@pytest.mark.usefixtures("trained")
def test_its_promotion_is_refused(shop: Workshop) -> None:
    """Exit code 1 and the reasons: what it was not measured on and does not reach; what served before serves still."""
    outcome = json.loads(shop("model", "promote", str(shop.release), "--json", code=NO))
    refused = {gate["name"] for gate in outcome["gates"] if not gate["passed"]}
    assert "prompt attacks are found" in refused  # it was never taught any
    assert outcome["reason"].startswith("refused by ")
    assert all(name in outcome["reason"] for name in refused)
    assert (outcome["done"], outcome["serving"]) == (False, 1)
    listed = json.loads(shop("model", "list", "--json"))
    assert [one["version"] for one in listed["versions"]] == [1]
