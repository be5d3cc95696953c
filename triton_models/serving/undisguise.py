"""Takes the cheap disguises off a text before any member reads it: what a person reads, the model reads too.

Invisible characters inside words, letters of other scripts drawn like Latin ones, digits and signs for letters,
letters spaced out, stretched or shouted. Only what can hardly be meant otherwise is changed; spellings (`haet`) stay.
Training reads texts through this very function. The policy engine has its own views, with spans, for lists.
"""

from __future__ import annotations

import re
from typing import Final

VERSION: Final = "1"
"""Raised when a text may come out otherwise than before: embeddings kept on disk belong to a version."""

#: Never part of a word. The joiners are: of emoji, and of scripts that need them.
_INVISIBLE: Final = re.compile("[\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_JOINERS: Final = re.compile(
    "(?<=[\u0030-\u024f\u0370-\u052f\u3040-\u30ff\u4e00-\u9fff])[\u200c\u200d]+"
    "|[\u200c\u200d]+(?=[\u0041-\u024f\u0370-\u052f\u3040-\u30ff\u4e00-\u9fff])"
)

_PAIRS: Final = ("авекмнорстухѕіјһԁԛԝѵґαβεικνορτυχϲϳ", "abekmhopctyxsijhdqwvraveikvoptuxcj")
_LOWER: Final = dict(zip(*_PAIRS, strict=True))
_UPPER: Final = {
    key.upper(): value.upper() for key, value in _LOWER.items() if len(key.upper()) == 1 and key.upper() != key
}
_LOOKALIKES: Final = str.maketrans(_LOWER | _UPPER)
_OTHER_SCRIPT: Final = re.compile(r"[\u0370-\u03ff\u0400-\u052f]")
_WORD: Final = re.compile(r"[^\W\d_]+")
_LATIN: Final = re.compile(r"[A-Za-z]")

_LEET: Final = dict(zip("0345789@$!|€", "oeastbgasile", strict=True))
_LEET_SIGN: Final = re.compile(r"[0134-57-9@$!|€]")
#: Letters and signs that might be letters, not inside an address, a tag or a longer number.
_LEET_WORD: Final = re.compile(r"(?<![\w@#$!|€./=&-])[A-Za-z013-57-9@$!|€]{3,24}(?![\w@$|€]|[./=&-]\w)")
_BETWEEN: Final = re.compile(r"(?<=[A-Za-z])[0134-57-9@$!|€]{1,2}(?=[A-Za-z])")
_FIRST: Final = re.compile(r"^[013457$](?=[a-z]{3})")
_FIRST_OF_MANY: Final = re.compile(r"^[013457$](?=[A-Za-z]{2})")
_LAST: Final = re.compile(r"(?<=[a-z])[$@]+$")
_LAST_OF_MANY: Final = re.compile(r"(?<=[A-Za-z])[013457$@]$|(?<=[a-z])[$@]+$")
_LEAST_FOR_TWO: Final = 5
_TURNS: Final = 3  # a sign beside a sign has its letter beside it only after the first turn
_L_BEFORE: Final = frozenset("bcfgkpslaeiouBCFGKPSLAEIOU")
_VOWELS: Final = frozenset("aeouAEOU")

_SPACED: Final = re.compile(
    r"(?<![^\W_])(?:[^\W\d_](?P<sign>[.\-*_~·•])(?:[^\W\d_](?P=sign))+[^\W\d_]"
    r"|[^\W\d_] (?:[^\W\d_] ){2,}[^\W\d_])(?![^\W_])"
)
_STRETCH: Final = re.compile(r"([^\W\d_])\1{2,}")
_DOUBLED: Final = frozenset("bdefglmnoprstzBDEFGLMNOPRSTZ")
_SHOUT_LETTERS: Final = 8
_SHOUT_SHARE: Final = 0.7
_JUMPY: Final = re.compile(r"[a-z][A-Z](?=[a-z][A-Z]|[a-z]\b)|[A-Z][a-z](?=[A-Z][a-z]|[A-Z]\b)")


def undisguise(text: str) -> str:
    """`text` without its disguises; `text` itself when it has none. Linear in the text."""
    if not text.isascii():
        text = _JOINERS.sub("", _INVISIBLE.sub("", text))
        if _OTHER_SCRIPT.search(text) and _LATIN.search(text):
            text = _WORD.sub(_to_latin, text)
    if _LEET_SIGN.search(text):
        text = _LEET_WORD.sub(_to_letters, text)
    text = _STRETCH.sub(_shortened, _SPACED.sub(_joined, text))
    return text.lower() if is_shouted(text) else text


def is_shouted(text: str) -> bool:
    """Whether most letters are capitals, or capitals and small letters take turns."""
    upper = sum(map(str.isupper, text))
    if upper < _SHOUT_LETTERS // 2:
        return False
    letters = upper + sum(map(str.islower, text))
    if letters >= _SHOUT_LETTERS and upper >= _SHOUT_SHARE * letters:
        return True
    return 2 * len(_JUMPY.findall(text)) > 0.4 * letters


def _to_latin(word: re.Match[str]) -> str:
    found = word[0]
    if found.isascii() or not _LATIN.search(found):
        return found
    changed = found.translate(_LOOKALIKES)
    return changed if not _OTHER_SCRIPT.search(changed) else found


def _to_letters(word: re.Match[str]) -> str:
    found = word[0]
    letters = sum(map(str.isalpha, found))
    if letters == len(found) or letters < 2 or found[0] == "@":  # nothing to do; a number; somebody's name
        return found
    many = len(found) > letters + 1
    for _ in range(_TURNS):
        before, found = found, _turned(found, many=many)
        if found == before:
            break
        many = many or found != before
    return found


def _turned(word: str, *, many: bool) -> str:
    """`word` with the signs that have letters beside them replaced, at its ends only where it has others (`many`)."""
    word = _BETWEEN.sub(lambda sign: _letters_of(sign, word), word)
    word = (_FIRST_OF_MANY if many else _FIRST).sub(lambda sign: _letter(sign[0], "", word[1]), word)
    return (_LAST_OF_MANY if many else _LAST).sub(
        lambda sign: "".join(_letter(c, word[sign.start() - 1], "") for c in sign[0]), word
    )


def _letters_of(sign: re.Match[str], text: str) -> str:
    before, after = text[sign.start() - 1], text[sign.end()]
    if sign[0] == "11":
        return "ll"
    if len(set(sign[0])) == 2 and len(text) < _LEAST_FOR_TWO:  # i18n, k8s and their like
        return sign[0]
    return "".join(_letter(one, before, after) for one in sign[0])


def _letter(sign: str, before: str, after: str) -> str:
    """The letter that `sign` is drawn like; for 1 it is i or l, by its neighbours."""
    if sign != "1":
        return _LEET[sign]
    if after.lower() == "l":
        return "l" if before in _VOWELS else "i"  # rea1ly, k1ll
    return "l" if before.lower() == "l" or (before in _L_BEFORE and after in _VOWELS) else "i"


def _joined(run: re.Match[str]) -> str:
    return run[0].replace(run["sign"] or " ", "")


def _shortened(run: re.Match[str]) -> str:
    return run[1] * (2 if run[1] in _DOUBLED else 1)
