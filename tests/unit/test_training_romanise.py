"""Other scripts in Latin letters: what people would type, the same for the same seed, ASCII for every listed letter."""

from __future__ import annotations

import random

import pytest

from triton_models.training.augment import respell, roman_languages, roman_locale, romanise, scripts

#: Language, text, and some of the ways in which it may come out.
TYPED = (
    ("hi", "यह लड़का समझना नहीं चाहता", {"yeh ladka samajhna nahi chaahta"}),
    ("hi", "दोस्त, नमक और पत्र।", {"dost, namak aur patra."}),
    ("mr", "१२", {"१२"}),
    ("ru", "Юля пьёт чай. ПРИВЕТ", {"Yulya pyot chay. PRIVET"}),
    ("uk", "Їжак і ґудзик", {"Yizhak i gudzyk"}),
    ("el", "Καλημέρα, πώς είσαι;", {"Kalimera, pos eisai;"}),
    ("ar", "كلهم هنا؟", {"kolhom hna?", "kolhom hena?", "kolhom hana?"}),
    ("ja", "私はラーメンが好きです。", {"watashi wa raamen ga suki desu."}),
    ("ja", "ちょっとまって", {"chottomatte"}),
)
TABLES = {
    "ru": scripts.RUSSIAN,
    "uk": scripts.UKRAINIAN,
    "el": scripts.GREEK,
    "ar": {**scripts.ARABIC, **scripts.ARABIC_WORDS},
    "hi": {**scripts.DEVANAGARI_VOWELS, **scripts.DEVANAGARI, **scripts.DEVANAGARI_WORDS},
    "ja": {**scripts.KANA, **scripts.JAPANESE_WORDS},
}


@pytest.mark.parametrize(("locale", "text", "typed"), TYPED)
def test_texts_come_out_as_people_type_them(locale: str, text: str, typed: set[str]) -> None:
    """Unspoken vowels are left out, digraphs are read together, capitals stay, and the common spelling is drawn."""
    found = {romanise(text, locale, rng=random.Random(seed)) for seed in range(300)}
    assert found & typed


@pytest.mark.parametrize("locale", sorted(TABLES))
def test_every_listed_letter_comes_out_in_ascii(locale: str) -> None:
    """Whatever spelling is drawn, alone and among others, lower case and upper case."""
    # Signs are read beside letters.
    first = {"hi": "क", "ja": "か", "ar": "ب", "ru": "а", "uk": "а", "el": "α"}[locale]
    for seed in range(20):
        for letter in TABLES[locale]:
            for text in (first + letter, letter + first, first + letter.upper() + first):
                assert romanise(text, locale, rng=random.Random(seed)).isascii(), text


def test_spellings_vary_and_seeds_repeat() -> None:
    """Different people type differently; the same seed is the same person."""
    text = "Я думаю, что это хорошо"
    found = [romanise(text, "ru", rng=random.Random(seed)) for seed in range(30)]
    assert len(set(found)) > 5
    assert found == [romanise(text, "ru", rng=random.Random(seed)) for seed in range(30)]


def test_a_writer_keeps_a_habit() -> None:
    """One letter is spelled one way within a text."""
    for seed in range(20):
        words = romanise("шум шум шум", "ru", rng=random.Random(seed)).split()
        assert len(set(words)) == 1


@pytest.mark.parametrize(
    ("text", "locale"),
    [
        ("already latin", "ru"),
        ("yeh bhi", "hi-Latn"),
        ("你好", "zh"),
        ("안녕", "ko"),
        ("憂鬱な日", "ja"),
        ("", "ar"),
        ("!?", "el"),
    ],
)
def test_what_has_no_table_comes_back(text: str, locale: str) -> None:
    """Latin letters, languages without a table and characters whose reading is not known stay as they are."""
    assert romanise(text, locale, rng=random.Random(0)) == text


def test_foreign_parts_of_a_text_stay() -> None:
    """Latin words, emoji and signs between the letters are untouched."""
    assert "iPhone 🔥 @x" in romanise("это iPhone 🔥 @x да", "ru-RU", rng=random.Random(1))


def test_the_locale_says_so() -> None:
    """A romanised text is of the same language in Latin script."""
    assert roman_locale("hi") == roman_locale("hi_IN") == "hi-Latn"
    assert {"hi", "ru", "uk", "el", "ar", "ja"} <= set(roman_languages())


def test_another_person_spells_otherwise() -> None:
    """Romanised Hindi comes back in many spellings, word for word, one habit a text, capitals kept."""
    text = "Main tumhare saath hoon, accha phir bhi nahin"
    spelled = {respell(text, "hi-Latn", rng=random.Random(seed)) for seed in range(60)}
    assert len(spelled) > 25
    assert all(len(one.split()) == len(text.split()) and one[0] == "M" for one in spelled)
    assert {one.split()[5] for one in spelled} >= {"phir", "fir", "pheer"}
    assert any("hoom," in one for one in spelled)


@pytest.mark.parametrize("locale", ["hi", "en", "ru-Latn"])
def test_only_what_has_no_spelling_is_respelled(locale: str) -> None:
    """Languages with a spelling, and those that another table romanises, are left alone."""
    assert all(respell("phir bhi", locale, rng=random.Random(seed)) == "phir bhi" for seed in range(20))
