"""Generated pairs: exact truth, balanced halves, and splits that share no sentence, icon or language."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from tests.pairs_factory import write_pair_data
from triton_models.training.pairs import (
    Pair,
    PairDataError,
    PairPlan,
    Style,
    build_pairs,
    find_icons,
    load_phrases,
    pair_label,
    render_icon,
)
from triton_models.training.pairs.phrases import HELD_OUT_LANGUAGES


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[Pair]:
    """Pairs of a small data folder."""
    data = write_pair_data(tmp_path_factory.mktemp("pairs"))
    return build_pairs(load_phrases(), find_icons(data), PairPlan(24, seed=3))


def quadruples(pairs: list[Pair]) -> list[dict[str, Pair]]:
    """The groups of four."""
    groups: dict[str, dict[str, Pair]] = defaultdict(dict)
    for pair in pairs:
        if pair.corner != "T":
            groups[pair.group][pair.corner] = pair
    return list(groups.values())


def test_only_the_pair_is_harmful(pairs: list[Pair]) -> None:
    """Of the four posts one is harmful, and it shares its sentence with one harmless post and its icon with another."""
    for four in quadruples(pairs):
        assert [pair_label(four[corner]) for corner in ("11", "10", "01", "00")] == [1, 0, 0, 0]
        assert four["11"].text == four["01"].text != four["10"].text == four["00"].text
        assert (four["11"].icon, four["11"].style) == (four["10"].icon, four["10"].style)
        assert four["01"].icon == four["00"].icon
        assert len({pair.locale for pair in four.values()}) == 1


def test_neither_half_tells_the_answer(pairs: list[Pair]) -> None:
    """Every pointing sentence stands in as many harmful as harmless posts, and so does every harmful icon."""
    for half in ("text", "icon"):
        harmful: dict[object, list[int]] = defaultdict(list)
        for four in quadruples(pairs):
            for corner in ("11", "01" if half == "text" else "10"):
                one = four[corner]
                harmful[one.text if half == "text" else (one.family, one.icon.name)].append(pair_label(one))
        assert all(2 * sum(labels) == len(labels) for labels in harmful.values())


def test_splits_share_nothing(pairs: list[Pair]) -> None:
    """No sentence and no icon is in two splits, and three languages are in test only."""
    seen: dict[str, set[str]] = defaultdict(set)
    for pair in pairs:
        seen[pair.icon.name].add(pair.split)
        if pair.template != "name":
            seen[pair.text].add(pair.split)
    assert {name: splits for name, splits in seen.items() if len(splits) > 1} == {}
    languages = {split: {pair.locale for pair in pairs if pair.split == split} for split in ("train", "test")}
    assert not languages["train"] & set(HELD_OUT_LANGUAGES)
    assert languages["test"] & set(HELD_OUT_LANGUAGES)


def test_an_explicit_sentence_is_harmful_with_anything(pairs: list[Pair]) -> None:
    """Posts whose sentence says it outright are harmful whatever they show."""
    outright = [pair for pair in pairs if pair.corner == "T"]
    assert outright
    assert all(pair.harmful for pair in outright)
    assert {pair.icon.concept in {"nice", "food", "things", "rest"} for pair in outright} == {True, False}


def test_pictures_keep_what_they_show_by_themselves(pairs: list[Pair]) -> None:
    """A harmless post with a gun still says that a weapon is shown, with a low severity."""
    shown = [pair for pair in pairs if pair.icon.concept == "guns" and pair.family == "threat" and pair.corner == "10"]
    assert shown
    assert all(pair.labels == {"weapons": 1} for pair in shown)


def test_the_same_plan_gives_the_same_pairs(tmp_path: Path) -> None:
    """Building twice gives the same posts; another seed gives others."""
    icons = find_icons(write_pair_data(tmp_path / "data"))
    once, again, other = (build_pairs(load_phrases(), icons, PairPlan(3, seed=seed)) for seed in (1, 1, 2))
    assert once == again
    assert [pair.text for pair in once] != [pair.text for pair in other]


def test_pictures_are_repeatable(pairs: list[Pair]) -> None:
    """The same icon and style is the same picture; another style is another one."""
    icon = pairs[0].icon
    assert render_icon(icon, Style("a")) == render_icon(icon, Style("a"))
    assert render_icon(icon, Style("a")) != render_icon(icon, Style("b"))
    assert render_icon(icon, Style("", plain=True)).startswith(b"\xff\xd8")


def test_a_folder_without_icons_says_what_it_lacks(tmp_path: Path) -> None:
    """No icons, or too few to fill the splits: the error names the folder or the concept."""
    with pytest.raises(PairDataError, match="has neither"):
        find_icons(tmp_path)
    (tmp_path / "images/game_icons/x").mkdir(parents=True)
    (tmp_path / "images/game_icons/x/ak47.svg").write_text("<svg/>", encoding="utf-8")
    with pytest.raises(PairDataError, match="concept guns: 1 pictures"):
        find_icons(tmp_path)
