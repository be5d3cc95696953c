"""The sets that measure what was trained, and never teach.

Only `evaluate.py` and the bias report may import this module; a test and the floors hold that. Its cases are types
of their own, so they cannot be passed where training rows are wanted.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from triton_models.training.datasets.catalog import CATALOG
from triton_models.training.datasets.rows import DataError

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
        for record in _records(
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
        for record in _records(path, columns)
    ]


def read_identity_templates(data: Path, locale: str) -> list[TemplateCase]:
    """Every filled template of one of TEMPLATE_FILES."""
    path = data / CATALOG["jigsaw_identity_templates"].folder / f"{locale}.csv"
    return [
        TemplateCase(record["phrase"], locale, record["toxicity"] == "toxic", record["template"])
        for record in _records(path, ("template", "toxicity", "phrase"))
    ]


def _records(path: Path, columns: tuple[str, ...]) -> Iterator[dict[str, str]]:
    if not path.is_file():
        raise DataError(path, "file not found", "point --data at a folder with the layout that the README describes")
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        missing = [name for name in columns if name not in (reader.fieldnames or ())]
        if missing:
            raise DataError(path, f"no column {', '.join(missing)}", f"it has {', '.join(reader.fieldnames or ())}")
        yield from reader
