"""The starter recipe through its real code on invented data: it learns, resumes, and writes an honest card."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training_factory import GROUPS, HARSH, HashEncoder, write_data
from triton_models.contract import LABELS
from triton_models.training.card import make_card, render_card
from triton_models.training.evaluate import evaluate_release
from triton_models.training.judge import fused_text
from triton_models.training.progress import Silent
from triton_models.training.recipe import Recipe, RecipeError, load_recipe
from triton_models.training.release import LEARNED_FILES, read_members, write_card, write_learned
from triton_models.training.starter import Job, Trained, train

HATE, HARASSMENT = LABELS.index("hate"), LABELS.index("harassment")


def small() -> Recipe:
    """The shipped starter recipe, made small."""
    recipe = load_recipe("starter")
    return recipe.model_copy(
        update={
            "augment": recipe.augment.model_copy(update={"ordinary_long": 10}),
            "head": recipe.head.model_copy(update={"hidden": 8, "epochs": 12, "batch": 64}),
            "ngram": recipe.ngram.model_copy(update={"buckets_log2": 12}),
        }
    )


def job(data: Path, work: Path, encoder: HashEncoder | None = None) -> Job:
    """A run on `data`."""
    return Job(data=data, work=work, recipe=small(), encoder=encoder or HashEncoder(), progress=Silent())


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny data folder."""
    return write_data(tmp_path_factory.mktemp("data"), rows=80)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work folder of the shared run."""
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def trained(data: Path, work: Path) -> Trained:
    """One finished run, shared because it takes seconds."""
    return train(job(data, work))


def test_it_learns_to_tell_harm_from_none(trained: Trained) -> None:
    """New sentences with the invented abuse score above new sentences without."""
    texts = [
        f"the {HARSH[0]} {GROUPS[0]} at the garden market",
        f"breakfast with {GROUPS[0]} by the river",
        f"you {HARSH[1]} at the window",
        "music in the garden at breakfast",
    ]
    scores = fused_text(trained.fuser, trained.members.opinions(texts))
    assert scores[0, HATE] > 0.5 > scores[3, HATE]
    assert scores[2, HARASSMENT] > 0.5 > scores[3, HARASSMENT]


def test_categories_without_data_abstain(trained: Trained) -> None:
    """What no set speaks about is NaN for every text."""
    scores = fused_text(trained.fuser, trained.members.opinions(["any text at all"]))
    for name in ("drugs", "spam_scam", "sexual", "sexual_minors"):
        assert np.isnan(scores[0, LABELS.index(name)])


def test_a_second_run_encodes_nothing(data: Path, work: Path, trained: Trained, tmp_path: Path) -> None:
    """A rerun finds every stage done, and writes the same bytes."""
    encoder = HashEncoder()
    again = train(job(data, work, encoder))
    assert encoder.encoded == 0
    first, second = write_learned(trained, tmp_path / "a"), write_learned(again, tmp_path / "b")
    assert first["fuser.json"] == second["fuser.json"]
    for name in LEARNED_FILES:
        assert (tmp_path / "a" / name).stat().st_size == second[name]["bytes"]


def test_a_run_from_nothing_gives_the_same_numbers(data: Path, trained: Trained, tmp_path: Path) -> None:
    """Seeded from end to end: another work folder, the same fuser."""
    assert train(job(data, tmp_path)).fuser == trained.fuser


def test_a_killed_run_goes_on(data: Path, trained: Trained, tmp_path: Path) -> None:
    """Interrupted after the n-grams, a second start ends where an undisturbed run does."""

    class Broken(HashEncoder):
        def encode(self, chunks):  # type: ignore[no-untyped-def]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(job(data, tmp_path, Broken()))
    assert list(tmp_path.glob("ngrams-*/ngrams.npz"))
    assert train(job(data, tmp_path)).fuser == trained.fuser


def test_the_report_has_every_view_and_functionality(data: Path, trained: Trained) -> None:
    """The report measures the fused release and each member on held-out rows and on HateCheck in four languages."""
    report = evaluate_release(trained.members, trained.fuser, rows=trained.rows, data=data, progress=Silent())
    assert set(report["held_out"]["all sets"]["hate"]) == {"fused", "towers", "ngrams"}
    assert report["held_out"]["all sets"]["hate"]["fused"]["auroc"] > 0.8
    assert set(report["hatecheck"]["functionality"]) == {"derog_h", "ident_nh"}
    assert {name for name in report if "hatecheck" in name} == {
        "hatecheck",
        "multilingual_hatecheck/de",
        "multilingual_hatecheck/zh",
        "multilingual_hatecheck/es",
    }
    assert "prompts only" in report["held_out"]
    assert report["held_out_toxic"]["davidson"]["fused"]["auroc"] > 0.8


def test_a_release_is_read_back_as_it_was_written(trained: Trained, tmp_path: Path) -> None:
    """A written release judges as the trained one, and its card names licences, abstentions and limits."""
    files = write_learned(trained, tmp_path / "release")
    members, fuser = read_members(tmp_path / "release", HashEncoder(), tmp_path / "cache")
    texts = ["a letter from the river", f"{HARSH[2]} {GROUPS[1]}"]
    np.testing.assert_allclose(
        fused_text(fuser, members.opinions(texts)),
        fused_text(trained.fuser, trained.members.opinions(texts)),
        atol=0.02,
    )
    report: dict[str, Any] = {"held_out": {}, "held_out_toxic": {}}
    made = {"command": "weir model train", "seconds": 1, "cores": 2, "texts_encoded": 3, "files": files}
    card = make_card(trained, small(), report=report, made=made)
    write_card(card, tmp_path / "release")
    kept = json.loads((tmp_path / "release" / "card.json").read_text(encoding="utf-8"))
    assert {one["set"] for one in kept["data"]} == set(small().sets)
    assert kept["abstains_in_text"]["sexual_minors"] == "never modelled"
    text = render_card(card)
    assert "CC-BY-4.0" in text
    assert "cannot do" in text


def test_a_weak_category_abstains(data: Path, work: Path) -> None:
    """A category whose dev AUROC is below the recipe's floor is left out, with the figure as the reason."""
    strict = dataclasses.replace(job(data, work), recipe=small().model_copy(update={"least_dev_auroc": 1.0}))
    result = train(strict)
    assert "AUROC" in result.abstains["violence"]
    scores = fused_text(result.fuser, result.members.opinions(["text"]))
    assert np.isnan(scores[0, LABELS.index("violence")])


def test_a_category_that_no_set_teaches_is_named(data: Path, tmp_path: Path) -> None:
    """A recipe that teaches what its sets do not speak about is refused before anything is encoded."""
    encoder = HashEncoder()
    narrow = dataclasses.replace(job(data, tmp_path, encoder), recipe=small().model_copy(update={"sets": ("edos",)}))
    with pytest.raises(RecipeError, match=r"drugs \(only one side\)"):
        train(narrow)
    assert encoder.encoded == 0
