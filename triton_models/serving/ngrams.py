"""Character n-grams: a second opinion on text that fails differently from the towers.

A text becomes the set of its hashed character n-grams (within the normalised text, spaces included); a linear model
over them gives one logit per category. numpy only. Training lives in `training/ngram_fit.py`; the features here are
the ones it trains on. No calibration and no fusion here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from triton_models.contract import LABELS, MAX_TEXT_CHARS
from triton_models.serving.undisguise import undisguise

FloatArray = npt.NDArray[np.float32]
IndexArray = npt.NDArray[np.int64]

FILE: Final = "ngrams.npz"
DEFAULT_SIZES: Final = (1, 2, 3, 4, 5)

_URL: Final = re.compile(r"https?://\S+|www\.\S+|\[url\]", re.IGNORECASE)
_MENTION: Final = re.compile(r"@\w+|\[user\]", re.IGNORECASE)
_LONG_RUN: Final = re.compile(r"(.)\1{3,}", re.DOTALL)
_SPACE: Final = re.compile(r"\s+")
_WORD: Final = re.compile(r"\w+")

#: Letters of other scripts that are drawn like Latin ones. Folded only inside a word that also has Latin letters, so
#: that Russian and Greek stay what they are. A small table on purpose: the policy engine has the full one for lists.
_LOOKALIKES: Final = str.maketrans(
    "аеорсухіјѕԁһӏвкмнтαεορτυικνηøłđɡı",
    "aeopcyxijsdhlbkmhtaeoptuikvnoldgi",
)
_LATIN: Final = re.compile(r"[a-z]")
_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)  # golden ratio, as in Fibonacci hashing
_MIXER: Final = np.uint64(0xBF58476D1CE4E5B9)  # splitmix64


def read(text: str) -> str:
    """What the member sees of `text`: its disguises taken off, then normalised."""
    return normalise(undisguise(text[:MAX_TEXT_CHARS]))


def normalise(text: str) -> str:
    """`text` as the n-grams read it: NFKC, case-folded, invisible characters gone, look-alikes and long runs folded."""
    folded = unicodedata.normalize("NFKC", text[:MAX_TEXT_CHARS]).casefold()
    folded = _MENTION.sub("@", _URL.sub(" url ", folded))
    if not folded.isascii():
        folded = "".join(c for c in folded if unicodedata.category(c) != "Cf" and not "\ufe00" <= c <= "\ufe0f")
        folded = _WORD.sub(_fold_lookalikes, folded)
    return _LONG_RUN.sub(r"\1\1\1", _SPACE.sub(" ", folded)).strip()


def _fold_lookalikes(word: re.Match[str]) -> str:
    found = word.group()
    return found.translate(_LOOKALIKES) if not found.isascii() and _LATIN.search(found) else found


def bucket_ids(text: str, buckets: int, sizes: Sequence[int] = DEFAULT_SIZES) -> IndexArray:
    """The distinct hash buckets of the n-grams of a normalised text, ascending; `buckets` is a power of two."""
    if not text:
        return np.empty(0, dtype=np.int64)
    codes = np.frombuffer(f" {text} ".encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    shift = np.uint64(64 - (buckets.bit_length() - 1))
    found: list[npt.NDArray[np.uint64]] = []
    rolling = np.zeros_like(codes)
    with np.errstate(over="ignore"):
        for size in range(1, max(sizes) + 1):
            if len(codes) < size:
                break
            rolling = rolling[: len(codes) - size + 1] * _MULTIPLIER + codes[size - 1 :] + np.uint64(1)
            if size in sizes:
                mixed = (rolling ^ (rolling >> np.uint64(29))) * _MIXER
                found.append(((mixed ^ (mixed >> np.uint64(32))) * _MULTIPLIER) >> shift)
    return np.unique(np.concatenate(found)).astype(np.int64) if found else np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Ngrams:
    """The trained linear model: one row of weights per bucket, one column per category it was taught."""

    weights: npt.NDArray[np.float16]  # [buckets, K]
    bias: FloatArray  # [K]
    categories: tuple[str, ...]  # names of the K columns, each one of LABELS
    sizes: tuple[int, ...] = DEFAULT_SIZES

    @classmethod
    def load(cls, directory: Path) -> Ngrams:
        """The model in `directory/ngrams.npz`; OSError or ValueError says what is wrong with the file."""
        with np.load(directory / FILE, allow_pickle=False) as saved:
            scale = saved["scale"]
            return cls(
                weights=(saved["weights"].astype(np.float32) * scale).astype(np.float16),
                bias=saved["bias"].astype(np.float32),
                categories=tuple(str(name) for name in saved["categories"]),
                sizes=tuple(int(size) for size in saved["sizes"]),
            )

    def save(self, directory: Path) -> Path:
        """Writes `directory/ngrams.npz`: weights as int8 with one scale per category, compressed."""
        wide = self.weights.astype(np.float32)
        scale = np.maximum(np.abs(wide).max(axis=0), 1e-6) / 127.0
        path = directory / FILE
        np.savez_compressed(
            path,
            weights=np.rint(wide / scale).astype(np.int8),
            scale=scale.astype(np.float32),
            bias=self.bias.astype(np.float32),
            categories=np.array(self.categories),
            sizes=np.array(self.sizes, dtype=np.int64),
        )
        return path

    def score(self, texts: Sequence[str]) -> FloatArray:
        """`[N, C]` float32 logits in the order of LABELS; NaN for an untaught category and for an empty text."""
        out = np.full((len(texts), len(LABELS)), np.nan, dtype=np.float32)
        columns = [LABELS.index(name) for name in self.categories]
        for row, text in enumerate(texts):
            ids = bucket_ids(read(text), len(self.weights), self.sizes)
            if len(ids):
                summed = self.weights[ids].sum(axis=0, dtype=np.float32)
                out[row, columns] = summed / np.sqrt(np.float32(len(ids))) + self.bias
        return out
