"""Three ways to look at a text, each remembering where its characters came from.

folded: NFKC and case-folded. plain: also without invisible characters, with look-alikes of other scripts folded to
Latin. loose: also with leet digits, spaced-out letters and stretched letters folded; for explicit lists only.
Lists live elsewhere; this is string work, linear in the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import re2

from policies.engine.globs import language_of

#: Languages whose own script has letters that look Latin: only words that mix scripts are folded there.
_LOOKALIKE_SCRIPTS: Final = frozenset(
    ("ru", "uk", "be", "bg", "sr", "mk", "kk", "ky", "tg", "mn", "el", "cu", "os", "ba", "tt", "cv")
)

#: Look-alike → Latin, after case folding. The common part of Unicode's confusables (UTS 39) for Cyrillic, Greek,
#: Armenian and IPA; full-width and mathematical letters are folded by NFKC already.
_CONFUSABLE: Final = str.maketrans(
    "авекмнорстухѕіјһԁԛԝѵґосցոսհɡɑıɩαειοκνρτυχϲϳѐё",
    "abekmhopctyxsijhdqwvrocgnuhgaiiaeiokvptuxcjee",
)
_OTHER_SCRIPT = re.compile(r"[\u0370-\u03ff\u0400-\u052f\u0531-\u058f\u0251\u0261\u0131\u0269]")
_TOKEN = re.compile(r"[^\W_]+")
_LATIN = re.compile(r"[a-z]")
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)

#: What `_plain_char` changes or drops; most texts have none of it.
_ODD = re.compile(rf"[\u0300-\u036f\u1e00-\u1eff]|{_INVISIBLE.pattern}")
_ODD_ENGLISH = re.compile(rf"[\u00c0-\u024f]|{_ODD.pattern}")

_LEET: Final = {
    "0": "o",
    "1": "i",
    "3": "e",
    "4": "a",
    "5": "s",
    "7": "t",
    "@": "a",
    "$": "s",
    "!": "i",
    "|": "i",
    "€": "e",
}
# A sign counts as a letter only beside one, so that prices, years and exclamation marks stay what they are.
_LEET_SPOT: Final = re.compile(r"(?:(?<=[a-z])|(?<=[a-z][013457@$€]))[013457@$€]|[013457@$!|€](?=[013457@$!|€]?[a-z])")
_SPACED: Final = re.compile(r"(?<![^\W_])(?:[^\W_][\W_]{1,2}){2,}[^\W_](?![^\W_])")
_STRETCH: Final = re.compile(r"([^\W\d_])\1{2,}")
_LEET_SIGN: Final = re.compile(r"[013457@$!|€]")
#: Where `_SPACED` can match at all, without its look-around: RE2 is ten times faster and mostly says no.
_MAYBE_SPACED: Final = re2.compile(
    r"(?:^|[^\pL\pN])[\pL\pN][^\pL\pN]{1,2}[\pL\pN][^\pL\pN]{1,2}[\pL\pN](?:$|[^\pL\pN])"
)
_DOUBLED: Final = frozenset("bdfglmnprstz")
"""Letters that words often double: a stretch of them folds to two."""

#: Scripts that are written without spaces: a word may start or end anywhere.
_UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)


Places = tuple[list[int], list[int]]
"""For each character of a view where it starts and where it ends in the original text."""


@dataclass(slots=True)
class View:
    """A folded text that knows where its characters came from; `places` is asked once, when a span is wanted."""

    text: str
    places: Callable[[], Places] | None = None  # None: one to one
    _known: Places | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The piece of the original text behind `[start, end)` of this view."""
        if self.places is None:
            return start, end
        if self._known is None:
            self._known = self.places()
        starts, ends = self._known
        return starts[start], ends[end - 1]


class _Folds(dict[str, str]):
    """Character → NFKC and case-folded, filled as characters turn up."""

    def __missing__(self, char: str) -> str:
        folded = unicodedata.normalize("NFKC", char).casefold() or char
        self[char] = folded
        return folded


_FOLDS = _Folds()


def folded_view(text: str) -> View:
    """Case-folded and compatibility-normalised."""
    if text.isascii():
        return View(text.lower())
    if unicodedata.is_normalized("NFC", text):
        pieces = [_FOLDS[c] for c in text]
        joined = "".join(pieces)
        if len(joined) == len(text):  # no character folds to nothing, so each became one
            return View(joined)
        return View(joined, lambda: _places(pieces, [(n, n + 1) for n in range(len(text))]))
    spots: list[tuple[int, int]] = []
    pieces = []
    at = 0
    while at < len(text):
        end = at + 1
        while end < len(text) and unicodedata.combining(text[end]):
            end += 1
        piece = text[at:end] if end - at < 12 else text[at]  # a tower of marks is noise
        pieces.append(unicodedata.normalize("NFKC", piece).casefold() or text[at])
        spots.append((at, end))
        at = end
    return View("".join(pieces), lambda: _places(pieces, spots))


def _places(pieces: Sequence[str], spots: Sequence[tuple[int, int]]) -> Places:
    starts: list[int] = []
    ends: list[int] = []
    for piece, (start, end) in zip(pieces, spots, strict=True):
        starts.extend([start] * len(piece))
        ends.extend([end] * len(piece))
    return starts, ends


def plain_view(folded: View, locale: str) -> View:
    """Invisible characters removed, look-alikes and stray accents folded; `folded` itself when nothing changes."""
    text = folded.text
    if text.isascii():
        return folded
    swapped = _fold_lookalikes(text, locale) if _OTHER_SCRIPT.search(text) else text
    english = language_of(locale) == "en"
    if swapped is text and not (_ODD_ENGLISH if english else _ODD).search(text):
        return folded
    pieces = [c if c < "\x80" else _plain_char(c, strip_common=english) for c in swapped]
    joined = "".join(pieces)
    if joined == text:
        return folded
    return View(joined, lambda: _places(pieces, [folded.span(n, n + 1) for n in range(len(text))]))


def _fold_lookalikes(text: str, locale: str) -> str:
    mixed_only = language_of(locale) in _LOOKALIKE_SCRIPTS

    def fold(token: re.Match[str]) -> str:
        word = token[0]
        if mixed_only and not _LATIN.search(word):
            return word
        changed = word.translate(_CONFUSABLE)
        return changed if changed.isascii() else word

    changed = _TOKEN.sub(fold, text)
    return text if changed == text else changed


def _plain_char(char: str, *, strip_common: bool) -> str:
    if _INVISIBLE.match(char):
        return ""
    if "\u0300" <= char <= "\u036f":
        return ""  # a mark that NFC could not join to its letter
    if "\u00c0" <= char <= "\u024f" and not strip_common:
        return char  # ä, ñ, ł are letters of their own in the languages that have them
    if "\u00c0" <= char <= "\u024f" or "\u1e00" <= char <= "\u1eff":
        base = unicodedata.normalize("NFD", char)[0]
        return base if base.isascii() else char
    return char


def loose_view(plain: View) -> View:
    """Leet folded, spaced-out and stretched letters joined; `plain` itself when nothing changes."""
    text = plain.text
    spaced, stretchy = may_be_spaced(text), may_be_stretched(text)
    if _LEET_SIGN.search(text):
        text = _LEET_SPOT.sub(lambda found: _LEET[found[0]], text)
    dropped: set[int] = set()
    stretched: dict[int, int] = {}
    for run in _SPACED.finditer(text) if spaced else ():
        dropped.update(n for n in range(run.start(), run.end()) if not text[n].isalnum())
    for run in _STRETCH.finditer(text) if stretchy else ():
        keep = 2 if run[1] in _DOUBLED else 1
        dropped.update(range(run.start() + keep, run.end()))
        stretched[run.start() + keep - 1] = run.end()
    if not dropped and text == plain.text:
        return plain
    kept = [n for n in range(len(text)) if n not in dropped]

    def places() -> Places:
        ends = [plain.span(n, stretched.get(n, n + 1))[1] for n in kept]
        return [plain.span(n, n + 1)[0] for n in kept], ends

    return View("".join([text[n] for n in kept]), places)


def may_be_spaced(text: str) -> bool:
    """Whether letters may stand spaced out; a cheap look that says yes too often and never wrongly no."""
    return _MAYBE_SPACED.search(text) is not None


def may_be_stretched(text: str) -> bool:
    """Whether a letter stands three times in a row, also when a sign that looks like it is folded first."""
    return has_triple(text) or _LEET_SIGN.search(text) is not None


def has_triple(text: str) -> bool:
    """Whether any character stands three times in a row; may say yes when none does, never no when one does.

    The text as one large number, against itself shifted by a character: equal neighbours are zeros. Ten times cheaper
    than looking for each character of the text.
    """
    ascii_only = text.isascii()
    raw = text.encode("ascii") if ascii_only else text.encode("utf-32-le", "surrogatepass")
    width = 1 if ascii_only else 4
    number = int.from_bytes(raw, "little")
    differences = (number ^ (number >> 8 * width)).to_bytes(len(raw), "little")
    return differences.find(bytes(2 * width), 0, len(raw) - width) >= 0


def loose_entries(entry: str) -> tuple[str, ...]:
    """How a list entry may look in a loose view: itself, and with a stretched last letter."""
    return (entry, entry + entry[-1]) if entry[-1] in _DOUBLED and not entry.endswith(entry[-1] * 2) else (entry,)


def is_word_edge(text: str, place: int) -> bool:
    """Whether a word may start or end between `place - 1` and `place`, by the scripts on both sides."""
    if place <= 0 or place >= len(text):
        return True
    before, after = text[place - 1], text[place]
    if not (_is_word(before) and _is_word(after)):
        return True
    if before.isdigit() != after.isdigit():
        return True
    return bool(_UNSPACED.match(before) or _UNSPACED.match(after))


def _is_word(char: str) -> bool:
    return char.isalnum() or unicodedata.category(char)[0] == "M"
