"""The sets that measure what was trained, and never teach.

Only `evaluate.py` and the bias report may import this module; a test and the floors hold that. Its cases are types
of their own, so they cannot be passed where training rows are wanted.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from triton_models.training.datasets.catalog import CATALOG
from triton_models.training.datasets.readers import read_csv

LANGUAGES: Final = {"german": "de", "mandarin": "zh", "spanish": "es"}
TEMPLATE_FILES: Final = ("en", "de", "zh-cn", "hi-Latn")


@dataclass(frozen=True, slots=True)
class Case:
    """One functional test, hateful or not."""

    id: str
    text: str
    locale: str
    hateful: bool
    functionality: str
    target: str  # the group it is about; empty when none
    template: str  # cases of one template are near copies of each other


@dataclass(frozen=True, slots=True)
class TemplateCase:
    """One filled identity template, toxic or not."""

    text: str
    locale: str
    toxic: bool
    template: str


def read_hatecheck(data: Path) -> list[Case]:
    """HateCheck: 3,728 English cases of 29 functionalities."""
    path = data / CATALOG["hatecheck"].folder / "test_suite_cases.csv"
    return [
        Case(
            id=f"hatecheck:{record['case_id']}",
            text=record["test_case"],
            locale="en",
            hateful=record["label_gold"] == "hateful",
            functionality=record["functionality"],
            target=record["target_ident"],
            template=record["templ_id"],
        )
        for record in read_csv(
            path, ("case_id", "test_case", "label_gold", "functionality", "target_ident", "templ_id")
        )
    ]


def read_multilingual_hatecheck(data: Path, language: str) -> list[Case]:
    """One language of Multilingual HateCheck: `german`, `mandarin` or `spanish`."""
    path = data / CATALOG["multilingual_hatecheck"].folder / f"{language}.csv"
    columns = ("mhc_case_id", "test_case", "label_gold", "functionality", "target_ident", "templ_id")
    return [
        Case(
            id=f"multilingual_hatecheck:{record['mhc_case_id']}",
            text=record["test_case"],
            locale=LANGUAGES[language],
            hateful=record["label_gold"] == "hateful",
            functionality=record["functionality"],
            target=record["target_ident"],
            template=record["templ_id"],
        )
        for record in read_csv(path, columns)
    ]


def read_identity_templates(data: Path, locale: str) -> list[TemplateCase]:
    """Every filled template of one of TEMPLATE_FILES."""
    path = data / CATALOG["jigsaw_identity_templates"].folder / f"{locale}.csv"
    return [
        TemplateCase(record["phrase"], locale, record["toxicity"] == "toxic", record["template"])
        for record in read_csv(path, ("template", "toxicity", "phrase"))
    ]
