"""Texts of other scripts as people type them with Latin letters, for the languages whose tables are in `scripts.py`.

One text is one person: a letter that has several spellings keeps the one that was drawn for the whole text. Readings
that only a dictionary knows are not guessed: Japanese with other Chinese characters than those of our short list, and
Chinese, are given back as they came. It changes spelling only, so what a text says stays what it says.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Final

from triton_models.training.augment import scripts
from triton_models.training.augment.devanagari import roman_hindi
from triton_models.training.augment.habit import Habit
from triton_models.training.augment.kana import roman_japanese
from triton_models.training.augment.scripts import Spellings

_MARKED_GREEK: Final = re.compile("([\u0370-\u03ff])([\u0300-\u036f]+)")
_ARABIC_WORD: Final = re.compile("[\u0600-\u06ff]+")
_HARAKAT: Final = re.compile("[\u0640\u064b-\u0652\u0670]")
_SHADDA: Final = "\u0651"
_ARTICLE: Final = "ال"
_LONG_VOWELS: Final = frozenset("اأآويىةإ")
_FILLERS: Final = ("a", "e", "")
"""What stands for the short vowels that Arabic script leaves out; some write none (`m7md`)."""


RESPELLED: Final = frozenset({"hi-Latn", "ur-Latn", "bn-Latn", "mr-Latn"})
NASAL_M_SHARE: Final = 0.25
"""Of texts whose nasal vowels end in an m: haim, nahim, where most write hain, nahin."""
_FINAL_NASAL: Final = re.compile(r"(?<=[aeiou])n\b")


def romanise(text: str, locale: str, *, rng: random.Random) -> str:
    """`text` in Latin letters, or just as it came where its language has no table or it has no letter of the script."""
    language = locale.replace("_", "-").partition("-")[0].lower()
    known = _WRITERS.get(language)
    if known is None or not known[0].search(text):
        return text
    return known[1](unicodedata.normalize("NFC", text), rng)


def respell(text: str, locale: str, *, rng: random.Random) -> str:
    """A text in romanised Hindi, Urdu or Bengali as another person would spell it; any other just as it came."""
    if locale not in RESPELLED:
        return text
    said = _write_roman_hindi(text, rng)
    return _FINAL_NASAL.sub("m", said) if rng.random() < NASAL_M_SHARE else said


def roman_locale(locale: str) -> str:
    """The locale of a romanised text: `hi` -> `hi-Latn`."""
    return f"{locale.replace('_', '-').partition('-')[0].lower()}-Latn"


def roman_languages() -> tuple[str, ...]:
    """The languages that have a table."""
    return tuple(_WRITERS)


def _letters(table: Spellings) -> Callable[[str, random.Random], str]:
    """A writer that goes letter by letter, the longest entry first, and keeps capitals."""
    pattern = re.compile("|".join(map(re.escape, sorted(table, key=len, reverse=True))), re.IGNORECASE)

    def write(text: str, rng: random.Random) -> str:
        habit = Habit(table, rng)

        def spell(found: re.Match[str]) -> str:
            letters = found.group()
            said = habit.spell(letters.lower()) if letters.lower() in table else letters
            if not letters[0].isupper():
                return said
            beside = text[max(0, found.start() - 1) : found.start()], text[found.end() : found.end() + 1]
            return said.upper() if any(one.isupper() for one in beside) else said[:1].upper() + said[1:]

        return pattern.sub(spell, text)

    return write


def _greek(text: str, rng: random.Random) -> str:
    """Greek without its accents; a diaeresis stays until then, because it parts what looks like a digraph."""
    bare = _MARKED_GREEK.sub(
        lambda found: found[1] + ("\u0308" if "\u0308" in found[2] else ""), unicodedata.normalize("NFD", text)
    )
    return _write_greek(unicodedata.normalize("NFC", bare), rng)


def _arabic(text: str, rng: random.Random) -> str:
    """Arabizi: digits for the letters that Latin has not, short vowels guessed or left out."""
    letters, words = Habit(scripts.ARABIC, rng), Habit(scripts.ARABIC_WORDS, rng)
    filler, article = rng.choice(_FILLERS), rng.choice(("al", "el", "el-", "il"))

    def spell(found: re.Match[str]) -> str:
        word = found.group()
        bare = _HARAKAT.sub("", word)
        if bare in scripts.ARABIC_WORDS:
            return words.spell(bare)
        if bare.startswith(_ARTICLE) and len(bare) > len(_ARTICLE) + 1:
            return article + _arabic_word(word[word.index("ل") + 1 :], letters, filler)
        return _arabic_word(word, letters, filler)

    return _ARABIC_WORD.sub(spell, text)


def _arabic_word(word: str, letters: Habit, filler: str) -> str:
    """The letters of one word; between two consonants `filler`, but never twice in a row."""
    out: list[str] = []
    consonants = 0  # since the last vowel
    for at, letter in enumerate(word):
        if letter == _SHADDA:
            out.append(out[-1] if out and consonants else "")
            continue
        if unicodedata.category(letter) == "Nd":
            out.append(str(unicodedata.digit(letter)))
            continue
        glide = letter in "وي" and (at == 0 or word[at + 1 : at + 2] in _LONG_VOWELS)
        said = ("w" if letter == "و" else "y") if glide else letters.spell(letter)
        vowel = not glide and (said[:1] in "aeiou" or not said[:1].isalnum())
        if not vowel and consonants % 2 == 1:
            out.append(filler)
        consonants = 0 if vowel else consonants + 1
        out.append(said)
    return "".join(out)


_write_greek = _letters(scripts.GREEK)

_write_roman_hindi = _letters(scripts.ROMAN_HINDI)

_DEVANAGARI: Final = re.compile("[\u0904-\u0939\u0950]")
_CYRILLIC: Final = re.compile("[\u0400-\u04ff]")
_WRITERS: Final[Mapping[str, tuple[re.Pattern[str], Callable[[str, random.Random], str]]]] = {
    # Each with the other's letters too: people mix the keyboards.
    "ru": (_CYRILLIC, _letters({**scripts.UKRAINIAN, **scripts.RUSSIAN})),
    "uk": (_CYRILLIC, _letters({**scripts.RUSSIAN, **scripts.UKRAINIAN})),
    "el": (re.compile("[\u0370-\u03ff\u1f00-\u1fff]"), _greek),
    "ar": (re.compile("[\u0620-\u064a\u0671-\u06d3]"), _arabic),
    "hi": (_DEVANAGARI, roman_hindi),
    "mr": (_DEVANAGARI, roman_hindi),
    "ne": (_DEVANAGARI, roman_hindi),
    "ja": (re.compile("[\u3041-\u30ff\u4e00-\u9fff\uff66-\uff9d]"), roman_japanese),
}
