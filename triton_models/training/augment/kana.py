"""Japanese with Latin letters, as far as kana and a short list of words go; other Chinese characters stop it.

Spaces are put where the script changes and after a particle that follows a word, as people do. The letters and the
words are in `scripts.py`.
"""

from __future__ import annotations

import random
import re
import unicodedata
from typing import Final

from triton_models.training.augment import scripts
from triton_models.training.augment.habit import Habit

_HALF_WIDTH: Final = re.compile("[\uff61-\uff9f]+")
_IDEOGRAPH: Final = re.compile("[\u3005\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_WORDS: Final = "|".join(map(re.escape, sorted(scripts.JAPANESE_WORDS, key=len, reverse=True)))
_TOKEN: Final = re.compile(
    f"(?P<word>{_WORDS})|(?P<kata>[\u30a1-\u30f6ー]+)|(?P<hira>[\u3041-\u3096ー]+)|(?P<other>.)", re.DOTALL
)
_TO_HIRAGANA: Final = {code: code - 0x60 for code in range(0x30A1, 0x30F7)}
_PARTICLES: Final = {"は": ("wa", "ha"), "へ": ("e", "he"), **dict.fromkeys("がをにでともの", ())}
_NO_PARTICLE: Final = ("です", "でし", "でき", "とても", "もう", "もっと", "のに", "では", "でも")
_STOPS: Final = frozenset("、。！？")
_LONG, _SMALL_TSU = "ー", "っ"


def roman_japanese(text: str, rng: random.Random) -> str:
    """`text` in Latin letters; unchanged when it has a Chinese character whose reading the list does not give."""
    whole = _HALF_WIDTH.sub(lambda found: unicodedata.normalize("NFKC", found.group()), text)
    tokens = [(found.lastgroup, found.group()) for found in _TOKEN.finditer(whole)]
    if any(kind == "other" and _IDEOGRAPH.match(said) for kind, said in tokens):
        return text
    kana, words = Habit(scripts.KANA, rng), Habit(scripts.JAPANESE_WORDS, rng)
    particles = Habit({sign: said for sign, said in _PARTICLES.items() if said}, rng)
    out: list[str] = []
    before: str | None = None
    for kind, said in tokens:
        if kind == "other":
            out.append(kana.spell(said))
        else:
            pieces = [words.spell(said)] if kind == "word" else _spell_run(said, before, kana, particles)
            if before in {"word", "kata", "hira", "stop"}:
                out.append(" ")
            out.append(" ".join(pieces))
        before = "stop" if said in _STOPS else kind
    return "".join(out)


def _spell_run(run: str, before: str | None, kana: Habit, particles: Habit) -> list[str]:
    """A run of one kind of kana, as one piece or, after a word, as its particle and the rest."""
    if before in {"word", "kata"} and run[0] in _PARTICLES and not run.startswith(_NO_PARTICLE):
        first = particles.spell(run[0]) if _PARTICLES[run[0]] else kana.spell(run[0])
        return [first, _spell(run[1:], kana)] if len(run) > 1 else [first]
    return [_spell(run.translate(_TO_HIRAGANA), kana)]


def _spell(run: str, kana: Habit) -> str:
    out = ""
    doubled = False
    at = 0
    while at < len(run):
        size = 2 if run[at : at + 2] in scripts.KANA else 1
        sign = run[at : at + size]
        at += size
        if sign == _SMALL_TSU and at < len(run):
            doubled = True
            continue
        said = (out[-1:] if out[-1:] in {*"aeiou"} else "-") if sign == _LONG else kana.spell(sign)
        if doubled and said[:1].isalpha() and said[0] not in "aeiou":
            said = ("t" if said.startswith("ch") else said[0]) + said
        doubled = False
        out += said
    return out
