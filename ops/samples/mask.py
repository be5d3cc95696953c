"""Texts made fit to show: their shape without their words. No judgement of what is offensive happens here."""

from __future__ import annotations

import unicodedata

DOT = "•"
BOX = "▢"
_LETTERED = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "GEORGIAN")


def mask_text(text: str, *, max_chars: int = 80) -> str:
    """The text with every letter, digit and symbol hidden but the first letter of long words, on one line.

    Scripts without letters of their own (Chinese, Devanagari, …) and emoji are hidden whole. Invisible and control
    characters are dropped, so that the result is safe in a terminal.
    """
    shown = " ".join("".join(_mask_word(word)) for word in _printable(text[: max_chars * 4]).split())
    cut = len(shown) > max_chars or len(text) > max_chars * 4
    return f"{shown[: max_chars - 1].rstrip()}…" if cut else shown


def _printable(text: str) -> str:
    kept = (" " if c.isspace() else c for c in text)
    return "".join(c for c in kept if c == " " or unicodedata.category(c) not in {"Cc", "Cf", "Cn", "Co", "Cs", "Mn"})


def _mask_word(word: str) -> list[str]:
    letters = sum(c.isalpha() for c in word)
    first = next((i for i, c in enumerate(word) if c.isalpha()), -1)
    keep = first if letters >= 4 and unicodedata.name(word[first], "").startswith(_LETTERED) else -1
    return [c if i == keep else _mask_char(c) for i, c in enumerate(word)]


def _mask_char(char: str) -> str:
    if char in ".,;:!?…。，！？、؟\"'()-–":
        return char
    return BOX if unicodedata.category(char) in {"So", "Sk"} else DOT
