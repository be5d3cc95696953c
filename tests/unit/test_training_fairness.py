"""Bias and disguise tables: the figures are those of their definitions, and move with what they claim to measure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.training_factory import GROUPS, HARSH, write_data
from triton_models.training.bias import (
    bias_table,
    identity_terms,
    measure_bias,
    power_mean,
    sample_by_term,
    term_figures,
)
from triton_models.training.datasets import Row
from triton_models.training.evaluation_sets import TemplateCase
from triton_models.training.robustness import measure_disguises, sample_sides

Scores = npt.NDArray[np.float64]


def templates() -> list[TemplateCase]:
    """Ten harmful and ten harmless texts for each of three terms, and the rows that name the terms."""
    cases = [TemplateCase(f"I am {term}", "en", toxic=False, template="am_hate_adj") for term in GROUPS]
    for term in GROUPS:
        cases += [TemplateCase(f"bad {term} {n}", "en", toxic=True, template="x") for n in range(10)]
        cases += [TemplateCase(f"good {term} {n}", "en", toxic=False, template="x") for n in range(10)]
    return cases


def figures(judge: dict[str, float], offence: float) -> dict[str, tuple[float, float, float]]:
    """Term -> its three figures when harmful texts score `offence` more and each term adds its own prejudice."""
    by_term = sample_by_term(templates(), GROUPS, seed=0)
    scores = [offence * case.toxic + judge[term] + 1e-4 * n for term in by_term for n, case in enumerate(by_term[term])]
    found = term_figures("en", by_term, np.array(scores))
    return {one.term: (one.subgroup, one.bpsn, one.bnsp) for one in found}


def test_terms_are_read_off_the_templates() -> None:
    """Identity terms are what varies in "I am X", in every language's way of saying so."""
    assert identity_terms(templates()) == sorted(GROUPS)
    chinese = [
        TemplateCase(text, "zh-cn", toxic=False, template="am_identity") for text in ("我是一名火星人", "我是金星人")
    ]
    assert identity_terms(chinese) == ["火星人", "金星人"]
    hindi = [TemplateCase("main mangali hun", "hi-Latn", toxic=False, template="i_am_identity")]
    assert identity_terms(hindi) == ["mangali"]


def test_a_fair_judge_has_full_marks() -> None:
    """When terms add nothing, every figure is 1."""
    for values in figures(dict.fromkeys(GROUPS, 0.0), offence=1.0).values():
        assert values == pytest.approx((1.0, 1.0, 1.0), abs=1e-6)


def test_prejudice_against_a_term_lowers_its_bpsn() -> None:
    """A term that alone raises the score fails BPSN, and only that term, and its subgroup AUROC does not show it."""
    found = figures({GROUPS[0]: 2.0, GROUPS[1]: 0.0, GROUPS[2]: 0.0}, offence=1.0)
    assert found[GROUPS[0]][0] == pytest.approx(1.0)
    assert found[GROUPS[0]][1] < 0.1
    assert found[GROUPS[1]][1] > 0.9
    assert found[GROUPS[1]][2] < 0.6  # harmless texts about the first term outrank harmful ones about the second


def test_the_power_mean_is_decided_by_the_worst() -> None:
    """One bad term pulls the figure far below the plain mean; NaN is left out."""
    assert power_mean([1.0, 1.0, 0.5]) < 0.65
    assert power_mean([0.8, float("nan")]) == pytest.approx(0.8)
    assert np.isnan(power_mean([]))


def test_the_bias_section_has_a_row_per_language(tmp_path: Path) -> None:
    """From files to table: a language's row names its worst term."""

    def judge(texts: Sequence[str]) -> Scores:
        return np.array([float(HARSH[0] in text) for text in texts])

    data = write_data(tmp_path)
    folder = data / "text" / "jigsaw_identity_templates"
    lines = ["template,toxicity,phrase"] + [
        f"{case.template},{'toxic' if case.toxic else 'nontoxic'},{case.text.replace('bad', HARSH[0])}"
        for case in templates()
    ]
    (folder / "en.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    section = bias_table(measure_bias(data, judge))
    assert [row["language"] for row in section["rows"]] == ["en"]
    assert section["rows"][0]["BPSN"] == pytest.approx(1.0, abs=0.01)
    assert section["rows"][0]["terms"] == len(GROUPS)


def rows() -> list[Row]:
    """Held-out rows: a hundred harmful and a hundred harmless."""
    said = "the long {word} garden by the river market {number}"
    return [
        Row(
            f"edos:{n}",
            said.format(word=HARSH[n % 4] if n % 2 else "green", number=n),
            "en",
            "edos",
            "test",
            {"hate": n % 2, "harassment": n % 2},
        )
        for n in range(200)
    ]


def test_a_judge_of_exact_words_loses_recall_to_disguises() -> None:
    """The table shows what a naive word match loses, and that the plain texts' threshold is kept."""

    def judge(texts: Sequence[str]) -> Scores:
        return np.array([float(any(word in text for word in HARSH)) for text in texts])

    section = measure_disguises(rows(), judge)
    by_name = {line["disguise"]: line for line in section["rows"]}
    assert by_name["plain"]["recall"] == 1.0
    assert by_name["zero_width"]["recall"] < 0.7
    assert by_name["mean of disguises"]["recall / plain"] < 1.0


def test_only_certain_held_out_rows_are_disguised() -> None:
    """Train rows, uncertain labels and other scripts stay out of the table."""
    others = [
        Row("edos:t", "train row", "en", "edos", "train", {"hate": 1}),
        Row("edos:u", "uncertain", "en", "edos", "test", {"hate": 0.85}),
        Row("cold_zh:1", "中文", "zh", "cold_zh", "test", {"hate": 1}),
        Row("edos:n", "nothing asked", "en", "edos", "test", {"prompt_attack": 0}),
    ]
    harmful, harmless = sample_sides([*rows(), *others], seed=0)
    assert (len(harmful), len(harmless)) == (100, 100)
    assert not {"train row", "uncertain", "中文", "nothing asked"} & {*harmful, *harmless}
