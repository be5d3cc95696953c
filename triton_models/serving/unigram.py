"""Cutting a text into the text tower's pieces: Unigram (Kudo 2018), the likeliest cut by Viterbi.

The `tokenizers` package gives the same ids (a test compares them) but holds a vocabulary of 250,000 pieces in 286 MB
per process, and there is a process per core; this takes 75 MB. It reads the same `tokenizer.json`, of which it
understands what `parts/tokenizer.py` writes.
"""

from __future__ import annotations

import json
import re
import unicodedata
from array import array
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from triton_models.parts.text_rules import BLANK, DROPPED, PREFIX, SPACE

CACHED_WORDS: Final = 20_000
MAX_CACHED_CHARS: Final = 24
UNKNOWN_PENALTY: Final = 10.0
"""Below the least likely piece, as in sentencepiece: an unknown character is the last resort."""

_DROPPED: Final = re.compile(DROPPED)
_BLANK: Final = re.compile(BLANK)
_BLANKS: Final = re.compile(" {2,}")
_VOCABULARY: Final = '"vocab":['
_ENTRY: Final = re.compile(r'\["((?:[^"\\]|\\.)*)",(-?[0-9.eE+-]+)\]')


class SpecialPieces(NamedTuple):
    """Ids with a meaning of their own."""

    bos: int
    eos: int
    unk: int


class Unigram:
    """Encodes texts into ids; the same text always gives the same ids."""

    def __init__(self, table: Mapping[str, int], scores: Sequence[float], special: SpecialPieces) -> None:
        self._table, self._scores, self._special = table, scores, special
        self._longest: dict[str, int] = {}
        for piece in table:
            self._longest[piece[0]] = max(self._longest.get(piece[0], 1), len(piece))
        self._unknown = min(scores) - UNKNOWN_PENALTY
        self._cached = lru_cache(CACHED_WORDS)(self._cut)

    @classmethod
    def load(cls, path: Path) -> Unigram:
        """The vocabulary in a `tokenizer.json`; OSError, KeyError or ValueError when it is not one of ours."""
        text = path.read_text(encoding="utf-8")
        start, end = text.index(_VOCABULARY) + len(_VOCABULARY), text.rindex("]]") + 1
        rest = json.loads(f"{text[:start]}{text[end:]}")  # without the 250,000: parsed whole they cost 80 MB for good
        scores, table = array("d"), dict[str, int]()
        for entry in _ENTRY.finditer(text, start, end):
            piece, score = entry.groups()
            table[json.loads(f'"{piece}"') if "\\" in piece else piece] = len(scores)
            scores.append(float(score))
        bos, eos = (table[rest["post_processor"]["single"][place]["SpecialToken"]["id"]] for place in (0, 2))
        return cls(table, scores, SpecialPieces(bos, eos, rest["model"]["unk_id"]))

    def encode(self, text: str, *, max_pieces: int) -> list[int]:
        """bos, the pieces of PREFIX and the text, eos: at most `max_pieces`, the end is cut. Any str will do."""
        ids = [self._special.bos]
        for word in _words(normalise(PREFIX + text)):
            ids += self._cached(word) if len(word) <= MAX_CACHED_CHARS else self._cut(word)
            if len(ids) >= max_pieces:
                break
        return [*ids[: max_pieces - 1], self._special.eos]

    def _cut(self, word: str) -> tuple[int, ...]:
        """The ids of the likeliest cut of one word."""
        table, scores, longest, size = self._table, self._scores, self._longest, len(word)
        unk = self._special.unk
        best = [0.0] + [-1e30] * size
        came: list[tuple[int, int]] = [(0, 0)] * (size + 1)  # (where the last piece starts, its id)
        for start in range(size):
            so_far = best[start]
            for end in range(start + 1, min(size, start + longest.get(word[start], 1)) + 1):
                found = table.get(word[start:end])
                if found is not None and so_far + scores[found] > best[end]:
                    best[end] = so_far + scores[found]
                    came[end] = (start, found)
            if word[start] not in table and so_far + self._unknown > best[start + 1]:
                best[start + 1] = so_far + self._unknown
                came[start + 1] = (start, unk)
        ids: list[int] = []
        end = size
        while end > 0:
            end, piece = came[end]
            if piece != unk or not ids or ids[-1] != unk:  # unknown characters side by side are one piece
                ids.append(piece)
        return tuple(reversed(ids))


def normalise(text: str) -> str:
    """`nmt_nfkc` as sentencepiece has it: NFKC, controls gone, every kind of blank one space, none at the end."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _BLANK.sub(" ", _DROPPED.sub("", text)))
    else:
        text = _BLANK.sub(" ", _DROPPED.sub("", text))
    return _BLANKS.sub(" ", text.rstrip())


def _words(text: str) -> list[str]:
    """The text cut before each space, which becomes part of the word behind it; the first word gets one too."""
    marked = text.replace(" ", SPACE)
    first, *rest = (marked if marked.startswith(SPACE) else SPACE + marked).split(SPACE)[1:]
    return [SPACE + first, *(SPACE + word for word in rest)]
