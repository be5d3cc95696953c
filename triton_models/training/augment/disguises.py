"""Disguises that people put on words to slip past filters, as seeded text-to-text functions.

Used three ways: on training rows (harmful and harmless alike, so that a disguise is no sign of harm by itself), in the
obfuscation table of the report, and nowhere at serving. Everything here keeps a text readable to a person.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Final

Disguise = Callable[[str, random.Random], str]

LEET: Final = {"a": "4@", "e": "3", "i": "1!", "o": "0", "s": "5$", "t": "7", "b": "8", "g": "9", "l": "1"}
HOMOGLYPHS: Final = {
    "a": "аα",
    "c": "с",
    "e": "е",
    "i": "і",
    "j": "ј",
    "o": "оο",
    "p": "рρ",
    "s": "ѕ",
    "x": "х",
    "y": "у",
}
ZERO_WIDTH: Final = ("\u200b", "\u200c", "\u2060", "\ufeff")
SEPARATORS: Final = (".", "-", "*", "_", " ")
_FULLWIDTH: Final = 0xFEE0  # from ASCII to its full-width twin


def leet(text: str, rng: random.Random) -> str:
    """Digits and signs for letters, in about half of the places that have one."""
    return "".join(rng.choice(LEET[c.lower()]) if c.lower() in LEET and rng.random() < 0.5 else c for c in text)


def homoglyphs(text: str, rng: random.Random) -> str:
    """Cyrillic and Greek letters that are drawn like Latin ones."""
    return "".join(rng.choice(HOMOGLYPHS[c]) if c in HOMOGLYPHS and rng.random() < 0.5 else c for c in text)


def zero_width(text: str, rng: random.Random) -> str:
    """Invisible characters inside words."""
    return "".join(c + rng.choice(ZERO_WIDTH) if c.isalnum() and rng.random() < 0.25 else c for c in text)


def space_out(text: str, rng: random.Random) -> str:
    """Some words with a separator between all their letters."""
    sign = rng.choice(SEPARATORS)
    return _some_words(text, rng, share=0.35, change=sign.join, at_least=3)


def glue(text: str, rng: random.Random) -> str:
    """Some spaces left out."""
    return "".join(c for c in text if c != " " or rng.random() >= 0.5)


def swap_letters(text: str, rng: random.Random) -> str:
    """Two inner letters exchanged in some words."""

    def change(word: str) -> str:
        at = rng.randrange(1, len(word) - 2)
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]

    return _some_words(text, rng, share=0.4, change=change, at_least=4)


def drop_letter(text: str, rng: random.Random) -> str:
    """One inner letter left out in some words, or a star in its place."""

    def change(word: str) -> str:
        at = rng.randrange(1, len(word) - 1)
        return word[:at] + rng.choice(("", "*")) + word[at + 1 :]

    return _some_words(text, rng, share=0.4, change=change, at_least=4)


def stretch(text: str, rng: random.Random) -> str:
    """Some letters repeated, as in shouting."""
    return "".join(c * rng.randint(2, 4) if c.isalpha() and rng.random() < 0.1 else c for c in text)


def full_width(text: str, rng: random.Random) -> str:
    """Full-width letters in some words, which NFKC undoes."""
    return _some_words(
        text,
        rng,
        share=0.5,
        change=lambda word: "".join(chr(ord(c) + _FULLWIDTH) if "!" <= c <= "~" else c for c in word),
        at_least=2,
    )


def shout(text: str, rng: random.Random) -> str:
    """Capitals, or capitals on every other letter."""
    return text.upper() if rng.random() < 0.5 else "".join(c.upper() if i % 2 else c for i, c in enumerate(text))


DISGUISES: Final[Mapping[str, Disguise]] = {
    "leet": leet,
    "homoglyphs": homoglyphs,
    "zero_width": zero_width,
    "space_out": space_out,
    "glue": glue,
    "swap_letters": swap_letters,
    "drop_letter": drop_letter,
    "stretch": stretch,
    "full_width": full_width,
    "shout": shout,
}


def disguise(text: str, seed: str) -> tuple[str, str]:
    """A disguised copy of `text` and the disguise's name, the same for the same seed."""
    rng = random.Random(seed)  # noqa: S311 - not for secrets: a repeatable choice
    name = rng.choice(tuple(DISGUISES))
    return DISGUISES[name](text, rng), name


def _some_words(text: str, rng: random.Random, *, share: float, change: Callable[[str], str], at_least: int) -> str:
    words = text.split(" ")
    able = [i for i, word in enumerate(words) if len(word) >= at_least and word.isalpha()]
    chosen = set(rng.sample(able, max(1, round(share * len(able))))) if able else set()
    return " ".join(change(word) if i in chosen else word for i, word in enumerate(words))
