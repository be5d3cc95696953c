"""Generated pairs: exact truth, balanced halves, and splits that share no sentence, icon or language."""

from __future__ import annotations

import io
from collections import defaultdict
from difflib import SequenceMatcher
from importlib import resources
from pathlib import Path

import pytest
import yaml
from PIL import Image
from pydantic import ValidationError

from tests.pairs_factory import write_pair_data
from triton_models.training.pairs import (
    Pair,
    PairDataError,
    PairPlan,
    Phrases,
    Style,
    build_pairs,
    find_icons,
    load_phrases,
    pair_label,
    render_icon,
)
from triton_models.training.pairs.phrases import HELD_OUT_LANGUAGES, Kind
from triton_models.training.pairs.quadruples import ENGLISH_SHARE


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


def every_further(phrases: Phrases) -> list[tuple[str, str]]:
    """Language and sentence of all that is for training only, as the generator gets it."""
    return [
        (language, sentence)
        for family in (*phrases.families, None)
        for language in phrases.languages_of("train")
        for sentence in phrases.further(family, "neutral" if family is None else "joint", "train", language)
    ]


def test_every_training_language_has_further_sentences() -> None:
    """Each family and the neutral ones have a list in every training language; other splits and languages get none."""
    phrases = load_phrases()
    for family in (*phrases.families, None):
        kind: Kind = "neutral" if family is None else "joint"
        least = 40 if family is None else 18
        for language in phrases.languages_of("train"):
            assert len(phrases.further(family, kind, "train", language)) >= least, (family, language)
            assert (
                phrases.further(family, kind, "dev", language) == phrases.further(family, kind, "test", language) == ()
            )
            assert phrases.further(family, "explicit", "train", language) == ()
        assert not any(phrases.further(family, kind, "train", language) for language in HELD_OUT_LANGUAGES)


def test_no_further_sentence_is_or_resembles_a_held_out_one() -> None:
    """None is a sentence of dev or test in any case, nor nearly one; none stands twice or is a training sentence."""
    phrases, held, known = load_phrases(), defaultdict[str, list[str]](list), set[str]()
    for family in (*phrases.families, None):
        kinds: tuple[Kind, ...] = ("neutral",) if family is None else ("joint", "explicit")
        for kind in kinds:
            for language in phrases.languages:
                for split in ("train", "dev", "test"):
                    for number in phrases.usable(family, kind, split):
                        sentence = phrases.text(family, kind, number, language).casefold()
                        known.add(sentence)
                        if split != "train":
                            held[language].append(sentence)
    further = [(language, sentence.casefold()) for language, sentence in every_further(phrases)]
    assert len({sentence for _, sentence in further}) == len(further)
    assert not known & {sentence for _, sentence in further}
    likest = max(
        (SequenceMatcher(None, mine, other).ratio(), mine, other)
        for language, mine in further
        for other in held[language]
    )
    assert likest[0] < 0.75, likest


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"tr": ["Bu sana."]}, "threat.more.tr: .* tr is no training language"),
        ({"xx": ["Hm."]}, "threat.more.xx: .* xx is no training language"),
        ({"en": []}, "threat.more.en is empty"),
        ({"en": ["For you.", " "]}, r"threat.more.en\[1\] is blank"),
        ({"en": ["For you.", "FOR YOU."]}, r"threat.more.en\[1\] stands in threat.more.en\[0\] already"),
        ({"de": ["t4 DE"]}, r"threat.more.de\[0\] is held out for dev or test"),
        ({"de": ["e1 de"]}, r"threat.more.de\[0\] is held out for dev or test"),
        ({"de": ["n2 de"]}, r"threat.more.de\[0\] is held out for dev or test"),
    ],
)
def test_wrong_further_sentences_say_where(more: dict[str, list[str]], said: str) -> None:
    """A held-out language or sentence, an empty list, a blank, a double one: the error names the place."""
    languages = ["en", "de", "tr"]

    def sentences(sign: str, count: int) -> list[list[str]]:
        return [[f"{sign}{number} {language}" for language in languages] for number in range(count)]

    family = {"category": "violence", "shows": ["guns"], "instead": ["food"], "joint": sentences("t", 5)}
    raw = {"languages": languages, "neutral": sentences("n", 4)}
    threat = {**family, "explicit": sentences("e", 2)}
    Phrases.model_validate({**raw, "families": {"threat": {**threat, "more": {"en": ["For you."]}}}})
    with pytest.raises(ValidationError, match=said):
        Phrases.model_validate({**raw, "families": {"threat": {**threat, "more": more}}})


def test_sentences_are_drawn_about_equally_often_in_all_languages(pairs: list[Pair]) -> None:
    """English has twice as many sentences for training as another language, and about twice as many posts."""
    phrases = load_phrases()
    per_language: dict[str, int] = defaultdict(int)
    for language, _ in every_further(phrases):
        per_language[language] += 1
    others = [count for language, count in per_language.items() if language != "en"]
    wanted = per_language["en"] / sum(per_language.values())
    assert ENGLISH_SHARE + (1 - ENGLISH_SHARE) / len(per_language) == pytest.approx(wanted, abs=0.03)
    assert max(others) - min(others) <= 0.05 * max(others)


def test_colour_is_no_sign(tmp_path: Path) -> None:
    """Emoji are coloured: beside a harmful icon more harmless icons than emoji stand, and the other way round."""
    made = build_pairs(load_phrases(), find_icons(write_pair_data(tmp_path / "data")), PairPlan(120, seed=5))
    shares: dict[str, list[bool]] = defaultdict(list)
    for four in quadruples(made):
        if four["11"].split == "train":
            shares[four["11"].icon.path.suffix].append(four["01"].icon.path.suffix == ".png")
    assert sum(shares[".png"]) / len(shares[".png"]) > sum(shares[".svg"]) / len(shares[".svg"]) + 0.25


def test_no_picture_is_both_harmful_and_harmless() -> None:
    """In no family does a name stand both among what harms and among what stands in its place."""
    text = (resources.files("triton_models.training.pairs") / "concepts.yaml").read_text(encoding="utf-8")
    concepts = yaml.load(text, Loader=yaml.BaseLoader)["concepts"]
    names = {name: [*one["icons"], *one["emoji"]] for name, one in concepts.items()}
    assert {name for name, shown in names.items() if len(set(shown)) != len(shown)} == set()
    for family in load_phrases().families.values():
        harmful = {shown for concept in family.shows for shown in names[concept]}
        assert harmful & {shown for concept in family.instead for shown in names[concept]} == set()


def test_pictures_are_printed_in_many_ways(pairs: list[Pair]) -> None:
    """Forty renderings of one icon and of one emoji are forty different pictures of the same size."""
    for suffix in (".svg", ".png"):
        icon = next(pair.icon for pair in pairs if pair.icon.path.suffix == suffix)
        drawn = [render_icon(icon, Style(f"{number}")) for number in range(40)]
        assert len(set(drawn)) == 40
        assert {Image.open(io.BytesIO(one)).size for one in drawn} == {(256, 256)}


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
