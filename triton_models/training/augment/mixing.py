"""Texts mixed with what is not their language: emoji, another language's words, pinyin for some Chinese words.

The tables are our own (`mixing.yaml`). Each function gives the text back as it came when the tables have nothing for
it. Only words of the same meaning are exchanged, and no negation is touched, so that labels stay. There is no table of
pinyin readings: Chinese is written in pinyin for the listed words only.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict, Field

SHARE: Final = 0.6
"""Of the words that could be exchanged; at least one is."""
MOST_EMOJI: Final = 3
_UNSPACED: Final = frozenset({"zh", "ja"})
#: What makes a longer word of a word: Python's \w has neither the vowel signs of Indic scripts and Thai nor Arabic's.
_WORDY: Final = "[\\w\u0300-\u036f\u064b-\u0652\u0900-\u0963\u0980-\u09fe\u0b80-\u0bff\u0e00-\u0e7f'’]"


class _Tables(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    anywhere: tuple[str, ...] = Field(min_length=1)
    things: tuple[dict[str, tuple[str, ...]], ...]
    phrases: tuple[dict[str, tuple[str, ...]], ...]
    guests: dict[str, tuple[str, ...]]
    pinyin: dict[str, tuple[str, ...]]


Forms = Mapping[str, int]
"""Lower-cased form -> which entry of its table it belongs to."""


@cache
def tables() -> _Tables:
    """The shipped tables; pydantic's ValidationError when the file is wrong."""
    text = (resources.files("triton_models.training.augment") / "mixing.yaml").read_text(encoding="utf-8")
    return _Tables.model_validate(yaml.safe_load(text))


def mixed_languages() -> tuple[str, ...]:
    """The languages that the tables have words of."""
    return tuple(tables().guests)


def insert_emoji(text: str, locale: str, rng: random.Random) -> str:
    """One to three emoji between words or at the end; any language."""
    del locale
    if not text.strip():
        return text
    words = text.split(" ")
    for _ in range(rng.randint(1, MOST_EMOJI)):
        sign = rng.choice(tables().anywhere)
        at = len(words) if rng.random() < 0.5 else rng.randint(1, len(words))
        words.insert(at, sign)
    return " ".join(words)


def emoji_for_words(text: str, locale: str, rng: random.Random) -> str:
    """Emoji in place of some words that name what they show."""
    language = language_of(locale)
    return _exchange(text, ("things", language), rng, lambda entry: rng.choice(tables().things[entry]["emoji"]))


def mix_languages(text: str, locale: str, rng: random.Random) -> str:
    """Some function words and phrases in one other language that its speakers mix in."""
    language = language_of(locale)
    guests = tables().guests.get(language)
    if not guests:
        return text
    guest = rng.choice(guests)
    return _exchange(text, ("phrases", language), rng, lambda entry: tables().phrases[entry].get(guest, ("",))[0])


def pinyin_for_words(text: str, locale: str, rng: random.Random) -> str:
    """Some listed Chinese words in pinyin or as initials."""
    if language_of(locale) != "zh":
        return text
    spellings = tuple(tables().pinyin.values())
    return _exchange(text, ("pinyin", "zh"), rng, lambda entry: rng.choice(spellings[entry]))


Mix = Callable[[str, str, random.Random], str]

MIXES: Final[Mapping[str, Mix]] = {
    "emoji": insert_emoji,
    "emoji_words": emoji_for_words,
    "languages": mix_languages,
    "pinyin": pinyin_for_words,
}


def mix(text: str, locale: str, *, rng: random.Random) -> tuple[str, str]:
    """A mixed copy of `text` and the mix's name, drawn from those that change it; the text and "" when none does."""
    names = list(MIXES)
    rng.shuffle(names)
    for name in names:
        mixed = MIXES[name](text, locale, rng)
        if mixed != text:
            return mixed, name
    return text, ""


def language_of(locale: str) -> str:
    """The tables' key for a locale: its language, and its script where that is one of its own (`hi-Latn`)."""
    whole = locale.replace("_", "-")
    return whole if whole in tables().guests else whole.partition("-")[0].lower()


@cache
def _forms(table: str, language: str) -> tuple[Forms, re.Pattern[str]]:
    known = tables()
    if table == "pinyin":
        listed = [(word, number) for number, word in enumerate(known.pinyin)]
    else:
        entries = known.things if table == "things" else known.phrases
        listed = [(form, number) for number, entry in enumerate(entries) for form in entry.get(language, ())]
    forms = {form.lower(): number for form, number in listed}
    inner = "|".join(map(re.escape, sorted(forms, key=len, reverse=True))) or "(?!)"
    whole = inner if language in _UNSPACED else f"(?<!{_WORDY})(?:{inner})(?!{_WORDY})"
    return forms, re.compile(whole, re.IGNORECASE)


def _exchange(text: str, table: tuple[str, str], rng: random.Random, said: Callable[[int], str]) -> str:
    """`text` with SHARE of the table's words exchanged for what `said` gives; an empty answer leaves the word."""
    forms, pattern = _forms(*table)
    found = [one for one in pattern.finditer(text) if one.group().lower() in forms]
    if not found:
        return text
    chosen = [one for one in found if rng.random() < SHARE] or [rng.choice(found)]
    out, at = "", 0
    for one in chosen:
        new = said(forms[one.group().lower()])
        if not new:
            continue
        if one.group()[0].isupper() and one.start() == 0:
            new = new[0].upper() + new[1:]
        out += text[at : one.start()]
        if table[1] in _UNSPACED:
            new = f"{new} " if out.endswith(" ") else f" {new} "
        out += new
        at = one.end()
    return (out + text[at:]).strip() if table[1] in _UNSPACED else out + text[at:]
