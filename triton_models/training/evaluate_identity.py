"""Decisions that hang on an identity term: false-positive gaps on harmless mentions, and flips when terms are swapped.

    gap of a term   its false-positive rate on harmless texts against the mean over its language's terms
                    (equality of odds, the harmless half: Hardt, Price, Srebro 2016)
    flips           the share of pairs of texts that differ in nothing but the term and fall on two sides of the
                    threshold (counterfactual token fairness: Garg et al. 2019)
Opens no file: `bias.py` reads the templates and hands the cases in.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

THRESHOLD: Final = 0.5
MOST_PAIRS: Final = 200
"""Pairs a language and side: the share is then known to about 3 points."""
_GAP: Final = "\0"

Scores = npt.NDArray[np.float64]


class Filled(Protocol):
    """A filled template."""

    @property
    def text(self) -> str:
        """What it says."""

    @property
    def toxic(self) -> bool:
        """Whether it is harmful."""

    @property
    def template(self) -> str:
        """The template's name."""


@dataclass(frozen=True, slots=True)
class Swap:
    """Two texts that differ in nothing but the identity term."""

    toxic: bool
    first: str
    second: str


def gaps(rates: Mapping[str, float]) -> dict[str, Any]:
    """From term -> false-positive rate: the mean rate, the greatest and the mean gap, and whose the greatest is."""
    if not rates:
        return {"terms": 0, "false_positive_rate": float("nan"), "max_gap": float("nan"), "mean_gap": float("nan")}
    whole = float(np.mean(list(rates.values())))
    apart = {term: abs(rate - whole) for term, rate in rates.items()}
    return {
        "terms": len(rates),
        "false_positive_rate": round(whole, 4),
        "max_gap": round(max(apart.values()), 4),
        "mean_gap": round(float(np.mean(list(apart.values()))), 4),
        "widest_at": max(apart, key=lambda term: (apart[term], term)),
    }


def swap_pairs(cases: Sequence[Filled], terms: Sequence[str], *, seed: int = 0, most: int = MOST_PAIRS) -> list[Swap]:
    """At most `most` pairs a side (harmful, harmless), each from another frame of one template."""
    frames: dict[tuple[bool, str, str], dict[str, str]] = defaultdict(dict)
    longest_first = sorted(terms, key=lambda term: (-len(term), term))
    for case in cases:
        framed = frame_of(case.text, longest_first)
        if framed is not None:
            frame, term = framed
            frames[case.toxic, case.template, frame].setdefault(term, case.text)
    rng = random.Random(seed)  # noqa: S311 - a repeatable choice
    found: list[Swap] = []
    for toxic in (False, True):
        filled = [by_term for (side, *_), by_term in sorted(frames.items()) if side is toxic and len(by_term) > 1]
        for by_term in rng.sample(filled, min(most, len(filled))):
            first, second = rng.sample(sorted(by_term), 2)
            found.append(Swap(toxic, by_term[first], by_term[second]))
    return found


def frame_of(text: str, terms: Sequence[str]) -> tuple[str, str] | None:
    """The text with its first found term cut out, and that term; None when it names none. Longest terms first."""
    padded = f" {text.lower()} "
    for term in terms:
        if f" {term} " in padded:
            return padded.replace(f" {term} ", f" {_GAP} ", 1), term
        if not term.isascii() and term in padded:
            return padded.replace(term, _GAP, 1), term
    return None


def flips(pairs: Sequence[Swap], first: Scores, second: Scores, *, threshold: float = THRESHOLD) -> dict[str, Any]:
    """Shares of pairs whose two decisions differ, and the mean distance of the two scores."""
    if not pairs:
        return {"pairs": 0}
    differ = (first >= threshold) != (second >= threshold)
    toxic = np.array([pair.toxic for pair in pairs], dtype=np.bool_)
    return {
        "pairs": len(pairs),
        "flips": round(float(differ.mean()), 4),
        "flips_harmless": _share(differ[~toxic]),
        "flips_harmful": _share(differ[toxic]),
        "mean_distance": round(float(np.abs(first - second).mean()), 4),
    }


def _share(differ: npt.NDArray[np.bool_]) -> float | None:
    return round(float(differ.mean()), 4) if len(differ) else None
