"""Mixed and framed texts: seeded, the same meaning, and tables that are whole."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from triton_models.training.augment import MIXES, frame, mix
from triton_models.training.augment.mixing import language_of, mixed_languages, tables
from triton_models.training.augment.paraphrase import frames

CONTRAST = Path(__file__).resolve().parents[2] / "triton_models/training/written/contrast"
LANGUAGES = sorted(path.stem for path in CONTRAST.glob("*.yaml"))


def ways(name: str, text: str, locale: str) -> set[str]:
    """What one mix makes of a text with many seeds."""
    return {MIXES[name](text, locale, random.Random(seed)) for seed in range(200)}


def test_every_language_that_we_wrote_in_has_tables() -> None:
    """The contrast sentences' languages can all be mixed and framed."""
    assert set(LANGUAGES) <= set(mixed_languages())
    assert set(LANGUAGES) <= set(frames())


def test_the_tables_name_only_their_languages() -> None:
    """A misspelt language would never be found; guests have words; pinyin is plain letters."""
    known = set(mixed_languages())
    for entry in (*tables().things, *tables().phrases):
        assert set(entry) - {"emoji"} <= known
    for host, guests in tables().guests.items():
        assert host not in guests
        assert set(guests) <= known
    assert all(form.isascii() and form.isalpha() for forms in tables().pinyin.values() for form in forms)


def test_emoji_are_put_in_and_nothing_is_taken_out() -> None:
    """Without the emoji the words are as they were."""
    text = "We had breakfast in the garden"
    for found in ways("emoji", text, "en"):
        signs = [word for word in found.split(" ") if word in tables().anywhere]
        assert 1 <= len(signs) <= 3
        assert [word for word in found.split(" ") if word not in tables().anywhere] == text.split(" ")


def test_words_give_way_to_what_shows_them() -> None:
    """A named thing becomes its emoji, a longer word with the same letters does not."""
    assert "My 🐶 has 💰" in ways("emoji_words", "My dog has money", "en")
    assert ways("emoji_words", "dogma and housework", "en") == {"dogma and housework"}


def test_function_words_change_language() -> None:
    """A German sentence takes English or Turkish small words, and keeps its others and its first capital."""
    found = ways("languages", "Heute war der Garten wirklich leer", "de")
    assert "Today war der Garten really leer" in found
    assert "Bugün war der Garten gerçekten leer" in found
    assert all("war der Garten" in one for one in found)


def test_words_without_spaces_are_found() -> None:
    """Chinese and Japanese have no spaces around words; what is put in gets them."""
    assert "我觉得 today 很好" in ways("languages", "我觉得今天很好", "zh")
    assert ways("languages", "今日は", "ja") == {"today は"}


def test_pinyin_is_for_chinese_only() -> None:
    """Listed Chinese words in letters; a text of another language stays."""
    assert "pengyou 来了" in ways("pinyin", "朋友来了", "zh-CN")
    assert ways("pinyin", "朋友", "ja") == {"朋友"}


def test_a_mix_is_named_and_repeats() -> None:
    """The name is one of the mixes, the same seed gives the same, and a text that nothing changes says so."""
    for seed in range(60):
        text, name = mix("But today we are here with people", "en", rng=random.Random(seed))
        assert (text, name) == mix("But today we are here with people", "en", rng=random.Random(seed))
        assert name in {"emoji", "emoji_words", "languages"}
    assert mix("", "en", rng=random.Random(0)) == ("", "")


def test_a_region_is_no_language_of_its_own() -> None:
    """`en-GB` reads English tables; `hi-Latn` is not Hindi's."""
    assert [language_of(one) for one in ("en-GB", "hi_IN", "hi-Latn", "zh-Hans")] == ["en", "hi", "hi-Latn", "zh"]


@pytest.mark.parametrize("locale", LANGUAGES)
def test_a_frame_keeps_the_sentence_to_the_letter(locale: str) -> None:
    """Something stands before or after, little in all, and the sentence is in it whole."""
    text = "The sentence stays."
    framed = {frame(text, locale, rng=random.Random(seed)) for seed in range(100)}
    assert len(framed) > 10
    assert all(text in one and len(text) < len(one) <= len(text) + 80 for one in framed)
    assert {one.startswith(text) for one in framed} == {one.endswith(text) for one in framed} == {True, False}


@pytest.mark.parametrize(("text", "locale"), [("no frames here", "cy"), ("  ", "en"), ("privet", "ru-Latn")])
def test_what_has_no_frame_comes_back(text: str, locale: str) -> None:
    """Languages and scripts without frames, and empty texts."""
    assert frame(text, locale, rng=random.Random(0)) == text
