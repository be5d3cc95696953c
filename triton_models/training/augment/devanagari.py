"""Devanagari with Latin letters, the way Hindi is typed on phones: unspoken vowels left out, frequent words short.

A consonant carries an `a` unless another vowel or a virama follows. It is not spoken, and so not typed, at a word's end
and between a vowel-consonant and a consonant-vowel (V C _ C V), looked for from the right (Ohala 1983, "Aspects of
Hindi Phonology"). The letters are in `scripts.py`.
"""

from __future__ import annotations

import random
import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from triton_models.training.augment import scripts
from triton_models.training.augment.habit import Habit

_WORD: Final = re.compile("[\u0900-\u0963\u0971-\u097f\u200c\u200d]*[\u0900-\u0963\u0971-\u097f]")
_SIGN: Final = re.compile("[\u0964-\u0970]")  # danda, double danda, digits, abbreviation sign
_JOINERS: Final = ("\u200c", "\u200d")
_NUKTA, _VIRAMA, _LONG_A, _AVAGRAHA = "\u093c", "\u094d", "\u093e", "\u093d"
_NASALS: Final = ("\u0900", "\u0901", "\u0902")
_VISARGA: Final = "\u0903"
_LABIALS: Final = frozenset("पफबभम")
_KEEPS_A: Final = frozenset("यरवल")
"""After another consonant these keep their `a` at a word's end: mitra, satya, tatva, shukla; but dost, sharm."""


@dataclass(slots=True)
class _Syllable:
    """What is typed before, as and after a vowel."""

    letter: str
    onset: str
    vowel: str
    coda: str = ""
    inherent: bool = False  # its vowel is the one that is not written


def roman_hindi(text: str, rng: random.Random) -> str:
    """`text` (NFC) with its Devanagari in Latin letters; all else as it came."""
    consonants = Habit(scripts.DEVANAGARI, rng)
    vowels = Habit(scripts.DEVANAGARI_VOWELS, rng)
    words = Habit(scripts.DEVANAGARI_WORDS, rng)
    nasal_end = rng.choice(("n", ""))  # maan or maa

    def spell(found: re.Match[str]) -> str:
        word = found.group()
        for joiner in _JOINERS:
            word = word.replace(joiner, "")
        if word in scripts.DEVANAGARI_WORDS:
            return words.spell(word)
        syllables = _syllables(word.replace("ज्ञ", "ग्य"), consonants, vowels)  # it is spoken so
        _drop_silent(syllables)
        if syllables and syllables[-1].coda == "n":
            syllables[-1].coda = nasal_end
        return "".join(one.onset + one.vowel + one.coda for one in syllables)

    return _SIGN.sub(_sign, _WORD.sub(spell, text))


def _syllables(word: str, consonants: Habit, vowels: Habit) -> list[_Syllable]:
    out: list[_Syllable] = []
    at = 0
    while at < len(word):
        letter = word[at]
        if word[at + 1 : at + 2] == _NUKTA:
            letter = letter + _NUKTA if letter + _NUKTA in scripts.DEVANAGARI else letter
            at += 1
        at += 1
        last = out[-1] if out else None
        if letter in scripts.DEVANAGARI:
            out.append(_Syllable(letter, consonants.spell(letter), "a", inherent=True))
        elif letter in scripts.DEVANAGARI_VOWELS:
            final_a = letter == _LONG_A and at == len(word)  # ladka, not ladkaa
            said = "a" if final_a else vowels.spell(letter)
            if last is not None and last.inherent and unicodedata.category(letter) != "Lo":
                last.vowel, last.inherent = said, False
            else:
                out.append(_Syllable(letter, "", said))
        elif letter == _VIRAMA and last is not None:
            last.vowel, last.inherent = ("", False) if last.inherent else (last.vowel, False)
        elif letter in _NASALS and last is not None:
            last.coda = "m" if word[at : at + 1] in _LABIALS and at < len(word) else "n"
        elif letter == _VISARGA and last is not None:
            last.coda = "h"
        elif letter == _AVAGRAHA:
            out.append(_Syllable(letter, "'", ""))
        elif letter not in {_NUKTA, _VIRAMA, _VISARGA, *_NASALS}:
            out.append(_Syllable(letter, letter, ""))  # not Hindi: left as it is
    return out


def _drop_silent(syllables: list[_Syllable]) -> None:
    """Takes the unspoken vowels out; the first syllable always keeps its own."""
    for at in range(len(syllables) - 1, 0, -1):
        one, before = syllables[at], syllables[at - 1]
        if not one.inherent or one.coda:
            continue
        if at == len(syllables) - 1:
            one.vowel = "a" if not before.vowel and one.letter in _KEEPS_A else ""
        elif before.vowel and syllables[at + 1].onset and syllables[at + 1].vowel:
            one.vowel = ""


def _sign(found: re.Match[str]) -> str:
    sign = found.group()
    return str(unicodedata.digit(sign)) if sign.isdigit() else "."
