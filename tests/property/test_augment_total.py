"""No text whatever breaks an augmentation, none grows out of bounds, and the same seed gives the same."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triton_models.training.augment import DISGUISES, MIXES, disguise, frame, mix, roman_languages, romanise, scripts

_LETTERS = "".join(
    sorted(
        {
            letter
            for table in (scripts.RUSSIAN, scripts.GREEK, scripts.ARABIC, scripts.DEVANAGARI, scripts.KANA)
            for key in (*table, *scripts.DEVANAGARI_VOWELS, *scripts.JAPANESE_WORDS, *scripts.DEVANAGARI_WORDS)
            for letter in key
        }
    )
)
TEXTS = st.text() | st.text(st.sampled_from(_LETTERS + "्ंःँािﾊﾞｯー\u0301\u0308 .\n")) | st.text(st.sampled_from("ab c😀"))
LOCALES = st.sampled_from((*roman_languages(), "en", "de", "zh", "hi-Latn", "ru_RU", "x", "", "-"))
SEEDS = st.integers(0, 2**32)


@given(TEXTS, LOCALES, SEEDS)
def test_romanising_is_total_and_bounded(text: str, locale: str, seed: int) -> None:
    """A letter becomes at most a handful."""
    found = romanise(text, locale, rng=random.Random(seed))
    assert found == romanise(text, locale, rng=random.Random(seed))
    assert len(found) <= 9 * len(text) + 4


@given(st.text(st.sampled_from("".join(key for key in scripts.DEVANAGARI) + "ािीुूेैोौंँ् ")), SEEDS)
def test_hindi_letters_in_any_order_come_out_in_ascii(text: str, seed: int) -> None:
    """Even where the order makes no word, nothing but ASCII is left of letters that follow a letter."""
    found = romanise("क" + text, "hi", rng=random.Random(seed))
    assert [one for one in found if one.isalpha() and not one.isascii()] == []


@given(TEXTS, LOCALES, SEEDS)
def test_mixing_and_framing_are_total_and_bounded(text: str, locale: str, seed: int) -> None:
    """Mixes put in at most a few words for each word, frames a remark at either end."""
    mixed, name = mix(text, locale, rng=random.Random(seed))
    assert (mixed, name) == mix(text, locale, rng=random.Random(seed))
    assert (name in MIXES) == (mixed != text)
    assert len(mixed) <= 20 * len(text) + 12
    framed = frame(text, locale, rng=random.Random(seed))
    assert text in framed
    assert len(framed) <= len(text) + 80


@given(TEXTS, SEEDS)
def test_disguises_are_total_and_bounded(text: str, seed: int) -> None:
    """A disguise at most makes every letter four, and has a name from the table."""
    found, name = disguise(text, str(seed))
    assert name in DISGUISES
    assert len(found) <= 4 * len(text) + 4


@pytest.mark.parametrize("name", sorted(MIXES))
@given(text=TEXTS, locale=LOCALES)
def test_each_mix_takes_any_text(name: str, text: str, locale: str) -> None:
    """Not only the mix that was drawn."""
    assert isinstance(MIXES[name](text, locale, random.Random(1)), str)
