"""Bias towards identity terms, measured on templates that differ in nothing but the term. Measures; mends nothing.

For a term g (Borkan et al. 2019, Nuanced Metrics for Measuring Unintended Bias):
    subgroup AUROC  harmful against harmless texts that both name g
    BPSN            harmful texts without g against harmless texts with g: low when naming g alone raises the score
    BNSP            harmless texts without g against harmful texts with g: low when naming g lowers it
A language's figure is the power mean (p = -5) over its terms, which the worst terms decide.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from triton_models.training.evaluate_identity import flips, gaps, swap_pairs
from triton_models.training.evaluation_sets import TEMPLATE_FILES, TemplateCase, read_identity_templates
from triton_models.training.metrics import auroc

Scores = npt.NDArray[np.float64]
POWER: Final = -5.0
PER_TERM: Final = 24
"""Texts a term and side: the templates have thousands of near copies that change no figure."""
MOST_TERMS: Final = 60
FEWEST: Final = 5
#: Templates that say "I am X", and how X is found in one: "I am X", "我是(一名)X", "main X hun".
_SELF: Final[Mapping[str, Callable[[str], str]]] = {
    "am_hate_adj": lambda text: text.partition(" ")[2].partition(" ")[2],
    "am_identity": lambda text: text.removeprefix("我是").removeprefix("一名"),
    "i_am_identity": lambda text: " ".join(text.split()[1:-1]),
}

Judge = Callable[[Sequence[str]], Scores]
"""Texts -> `[N]` how toxic."""


@dataclass(frozen=True, slots=True)
class TermBias:
    """One identity term's three figures, and how its harmless texts score."""

    locale: str
    term: str
    subgroup: float
    bpsn: float
    bnsp: float
    harmless_over_half: float  # share of harmless texts with the term that score 0.5 or more


def measure_bias(data: Path, judge: Judge, *, seed: int = 0) -> list[TermBias]:
    """The figures of every term of every language of the identity templates."""
    found: list[TermBias] = []
    for locale in TEMPLATE_FILES:
        cases = read_identity_templates(data, locale)
        by_term = sample_by_term(cases, identity_terms(cases), seed=seed)
        texts = [case.text for term in by_term for case in by_term[term]]
        scores = judge(texts) if texts else np.empty(0)
        found.extend(term_figures(locale, by_term, scores))
    return found


def measure_swaps(data: Path, judge: Judge, *, seed: int = 0) -> dict[str, dict[str, Any]]:
    """Language -> how often a decision changes when nothing but the identity term does."""
    found: dict[str, dict[str, Any]] = {}
    for locale in TEMPLATE_FILES:
        cases = read_identity_templates(data, locale)
        pairs = swap_pairs(cases, identity_terms(cases), seed=seed)
        if pairs:
            scores = judge([text for pair in pairs for text in (pair.first, pair.second)])
            found[locale] = flips(pairs, scores[0::2], scores[1::2])
    return found


def false_positive_gaps(found: Sequence[TermBias]) -> dict[str, dict[str, Any]]:
    """Language -> how far its terms' false-positive rates on harmless mentions are apart."""
    return {
        locale: gaps({one.term: one.harmless_over_half for one in found if one.locale == locale})
        for locale in sorted({one.locale for one in found})
    }


def identity_terms(cases: Sequence[TemplateCase]) -> list[str]:
    """The terms, read off the harmless "I am X" rows."""
    said = {_SELF[case.template](case.text) for case in cases if case.template in _SELF and not case.toxic}
    return sorted(term.strip().lower() for term in said if term.strip())


def sample_by_term(cases: Sequence[TemplateCase], terms: Sequence[str], *, seed: int) -> dict[str, list[TemplateCase]]:
    """Term -> at most PER_TERM harmful and PER_TERM harmless cases that name it as a word of its own."""
    rng = random.Random(seed)  # noqa: S311 - a repeatable choice
    chosen = sorted(rng.sample(list(terms), min(MOST_TERMS, len(terms))))
    sides: dict[str, dict[bool, list[TemplateCase]]] = {term: defaultdict(list) for term in chosen}
    for case in cases:
        padded = f" {case.text.lower()} "
        for term in chosen:
            if f" {term} " in padded or (not term.isascii() and term in padded):
                sides[term][case.toxic].append(case)
    return {
        term: [case for toxic in (False, True) for case in rng.sample(by[toxic], min(PER_TERM, len(by[toxic])))]
        for term, by in sides.items()
        if all(len(by[toxic]) >= FEWEST for toxic in (False, True))
    }


def term_figures(locale: str, by_term: Mapping[str, Sequence[TemplateCase]], scores: Scores) -> list[TermBias]:
    """Figures per term; `scores` are those of all cases, term after term."""
    of_term = np.array([term for term, cases in by_term.items() for _ in cases])
    toxic = np.array([case.toxic for cases in by_term.values() for case in cases], dtype=np.bool_)
    found = []
    for term in by_term:
        own = of_term == term
        named_harmless, named_harmful = own & ~toxic, own & toxic
        other_harmless, other_harmful = ~own & ~toxic, ~own & toxic
        found.append(
            TermBias(
                locale=locale,
                term=term,
                subgroup=auroc(toxic[own], scores[own]),
                bpsn=_apart(scores[other_harmful], scores[named_harmless]),
                bnsp=_apart(scores[named_harmful], scores[other_harmless]),
                harmless_over_half=float((scores[named_harmless] >= 0.5).mean()),
            )
        )
    return found


def bias_table(found: Sequence[TermBias]) -> dict[str, Any]:
    """The report's section: a row per language with power means and its worst term."""
    rows = []
    for locale in sorted({one.locale for one in found}):
        own = [one for one in found if one.locale == locale]
        worst = min(own, key=lambda one: one.bpsn)
        rows.append(
            {
                "language": locale,
                "terms": len(own),
                "subgroup": round(power_mean([one.subgroup for one in own]), 4),
                "BPSN": round(power_mean([one.bpsn for one in own]), 4),
                "BNSP": round(power_mean([one.bnsp for one in own]), 4),
                "lowest BPSN": round(worst.bpsn, 4),
                "of": worst.term,
                "harmless at 0.5 or more": round(float(np.mean([one.harmless_over_half for one in own])), 4),
            }
        )
    what = (
        "Identity templates, never trained or tuned on. Score: the greater of hate and harassment. Power means "
        "(p = -5) over identity terms: subgroup; BPSN, low when naming a group alone raises the score; BNSP, low when "
        "it lowers it. The last column is the share of harmless texts about a group that score 0.5 or more."
    )
    return {"what": what, "rows": rows}


def power_mean(values: Sequence[float]) -> float:
    """The generalised mean with p = -5; NaN values are left out."""
    known = np.array([value for value in values if not np.isnan(value)])
    if not len(known):
        return float("nan")
    return float(np.mean(np.maximum(known, 1e-3) ** POWER) ** (1.0 / POWER))


def _apart(harmful: Scores, harmless: Scores) -> float:
    truth = np.concatenate((np.ones(len(harmful), dtype=np.bool_), np.zeros(len(harmless), dtype=np.bool_)))
    return auroc(truth, np.concatenate((harmful, harmless)))
