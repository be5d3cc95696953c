"""Recipes, augmentation, targets and stackers: small laws of the parts between data and release."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from triton_models.serving.ngrams import normalise
from triton_models.training.augment import DISGUISES, disguise
from triton_models.training.datasets import Row
from triton_models.training.enlarge import enlarge
from triton_models.training.recipe import Augment, RecipeError, load_recipe, shipped_recipes
from triton_models.training.stack import Values, fit_stackers
from triton_models.training.targets import LEAST_POSITIVE_SHARE, target_of, weights_of

SENTENCE = "Nobody expected the martians to arrive before breakfast on Tuesday"


def row(number: int, *, source: str = "edos", hate: float = 0, text: str = SENTENCE) -> Row:
    """A train row."""
    return Row(f"{source}:{number}", f"{text} {number}", "en", source, "train", {"hate": hate, "prompt_attack": 0})


def test_shipped_recipes_load() -> None:
    """Every shipped recipe is valid, and `starter` is among them."""
    assert "starter" in shipped_recipes()
    for name in shipped_recipes():
        assert load_recipe(name).recipe == name


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("heads: [hate, sexual_minors]", "never modelled"),
        ("headz: [hate]", "headz"),
        ("ngram: {buckets_log2: 40}", "buckets_log2"),
        ("seed: often", "seed"),
    ],
)
def test_a_wrong_recipe_names_its_problem(tmp_path: Path, change: str, said: str) -> None:
    """Unknown keys, values out of range and never-modelled categories are refused by name."""
    base = {"recipe": "recipe: r", "version": 'version: "1"', "seed": "seed: 1", "sets": "sets: [edos]"}
    base |= {"heads": "heads: [hate]", "ngrams": "ngrams: [hate]"}
    base[change.split(":", maxsplit=1)[0]] = change
    path = tmp_path / "r.yaml"
    path.write_text("\n".join(base.values()), encoding="utf-8")
    with pytest.raises(RecipeError, match=said):
        load_recipe(str(path))


def test_an_unknown_recipe_lists_the_shipped_ones() -> None:
    """A misspelt name shows what there is."""
    with pytest.raises(RecipeError, match="starter"):
        load_recipe("startr")


@pytest.mark.parametrize("name", sorted(DISGUISES))
def test_a_disguise_changes_the_text_and_keeps_it_readable(name: str) -> None:
    """A disguise alters something, is the same for the same seed, and keeps most of the length."""
    change = DISGUISES[name]
    found = change(SENTENCE, random.Random(1))
    assert found != SENTENCE
    assert found == change(SENTENCE, random.Random(1))
    assert 0.8 * len(SENTENCE) <= len(found) <= 2 * len(SENTENCE)


@pytest.mark.parametrize("name", ["homoglyphs", "zero_width", "full_width"])
def test_the_ngrams_normalising_undoes_what_it_can(name: str) -> None:
    """Look-alikes, invisible characters and full-width letters are undone before n-grams are counted."""
    assert normalise(DISGUISES[name](SENTENCE, random.Random(3))) == normalise(SENTENCE)


@pytest.mark.parametrize("text", ["", " ", "a", "你好", "!!", "ab cd"])
def test_no_text_breaks_a_disguise(text: str) -> None:
    """Empty, tiny and non-Latin texts pass every disguise."""
    for number in range(40):
        disguise(text, str(number))


def test_enlarging_keeps_rows_and_labels() -> None:
    """Copies carry their row's labels, only the asked share is copied, and the originals stay."""
    rows = [row(number, hate=number % 2) for number in range(400)]
    enlarged = enlarge(rows, Augment(disguised_share=0.25, ordinary_long=7, jailbreak_pieces=0), seed=1)
    assert enlarged[:400] == rows
    copies = [one for one in enlarged if "~" in one.id]
    assert 60 < len(copies) < 140
    by_id = {one.id: one for one in rows}
    assert all(copy.labels == by_id[copy.id.split("~")[0]].labels for copy in copies)
    long = [one for one in enlarged if ":long" in one.id]
    assert len(long) == 7
    assert all(one.labels == {"prompt_attack": 0} and len(one.text) >= 400 for one in long)


def test_long_prompts_give_pieces() -> None:
    """Pieces of a long jailbreak prompt still teach the attack, as less than certain."""
    text = " ".join(f"word{number}" for number in range(400))
    rows = [Row("jailbreaks_in_the_wild:1", text, "en", "jailbreaks_in_the_wild", "train", {"prompt_attack": 1})]
    pieces = enlarge(rows, Augment(disguised_share=0, ordinary_long=0, jailbreak_pieces=3), seed=1)[1:]
    assert len(pieces) == 3
    assert all(piece.text in text and 0.5 < piece.labels["prompt_attack"] < 1 for piece in pieces)


def test_small_sets_and_rare_positives_are_heard() -> None:
    """A set 100 times larger weighs 10 times more, and rare positives get their least share of the weight."""
    rows = [row(n, source="edos") for n in range(1000)] + [row(n, source="davidson") for n in range(9)]
    rows.append(row(99, source="davidson", hate=1))
    weights = weights_of(rows, "hate")
    target = target_of(rows, "hate")
    large, small = weights[:1000].sum(), weights[1000:1009].sum() + weights[1000]
    assert large / small == pytest.approx(10, rel=0.01)
    assert weights[target == 1].sum() / weights.sum() == pytest.approx(LEAST_POSITIVE_SHARE, rel=0.01)


def test_rows_that_do_not_say_weigh_nothing() -> None:
    """A row without the category has no target and no weight."""
    rows = [row(1), Row("x:1", "t", "en", "x", "train", {})]
    assert np.isnan(target_of(rows, "hate")[1])
    assert weights_of(rows, "hate")[1] == 0


def opinions(rows: int, *, seed: int = 0) -> tuple[dict[str, Values], Values]:
    """Two members of different strength and the truth they were drawn from."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(rows) < 0.4).astype(np.float64)
    signal = 2 * truth - 1
    return {
        "towers": signal * 2 + rng.standard_normal(rows) * 2,
        "ngrams": signal + rng.standard_normal(rows) * 3,
    }, truth


def test_there_is_a_stacker_for_every_set_of_members() -> None:
    """Two members give three stackers, fullest first, and the better member weighs more."""
    values, truth = opinions(2000)
    found = fit_stackers(values, truth)
    assert [set(stacker.members) for stacker in found] == [{"towers", "ngrams"}, {"towers"}, {"ngrams"}]
    assert found[0].weights[0] > found[0].weights[1] > 0


def test_a_stackers_probability_is_calibrated() -> None:
    """On new rows of the same kind the mean probability is the share of positives, by tenths of score."""
    values, truth = opinions(4000)
    (full, *_) = fit_stackers(values, truth)
    fresh, wanted = opinions(4000, seed=1)
    probability = 1 / (1 + np.exp(-full.logit({name: column.astype(np.float32) for name, column in fresh.items()})))
    for part in np.array_split(np.argsort(probability), 10):
        assert abs(probability[part].mean() - wanted[part].mean()) < 0.08


def test_a_member_that_misleads_is_left_out() -> None:
    """A member that points the wrong way gets no negative weight: it gets none."""
    values, truth = opinions(2000)
    values["ngrams"] = -values["ngrams"]
    values["towers"] = values["towers"] * 0.1
    full = fit_stackers(values, truth)[0]
    assert dict(zip(full.members, full.weights, strict=True))["ngrams"] == 0


def test_too_few_positives_fit_nothing() -> None:
    """Without positives there is no stacker, so the category abstains."""
    values, truth = opinions(200)
    assert fit_stackers(values, np.zeros_like(truth)) == ()


def test_hints_do_not_move_a_probability() -> None:
    """Rows whose label is only a hint leave the stackers as they were."""
    values, truth = opinions(2000)
    hints = np.tile((0.02, 0.4, 0.85, np.nan), 125)
    longer = {name: np.concatenate((column, np.full(500, 9.0))) for name, column in values.items()}
    assert fit_stackers(longer, np.concatenate((truth, hints))) == fit_stackers(values, truth)
