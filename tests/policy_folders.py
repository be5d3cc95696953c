"""Policies for tests: small bundles from text, subjects and signals with harmless defaults."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from policies import MODEL_SIGNALS, READING_SIGNALS, PolicyBundle, PolicyErrors, load_files
from policies.engine.check import CheckResult, check_files
from policies.engine.signals import Catalogue, MissingSignal, SignalSet, SignalStatus, SignalValue
from policies.engine.subject import Subject, TextPart

#: Tuesday, 24 November 2026, noon UTC.
NOON_S = 1_795_521_600.0

HEAD = """
policy: sample
version: "1"
owner: team@example.com
thresholds:
  hate: {low: 0.5, mid: 0.75, high: 0.9}
"""

SLURS = """
list: slurs
kind: keywords
version: "1"
owner: team@example.com
explicit: true
entries:
  en: [badword, worse phrase]
  de: [übelwort]
  zh: [坏词]
"""


def a_rule(rule_id: str = "sample.rule", *, when: str = "score.hate >= threshold.hate.mid", **fields: str) -> str:
    """One rule as YAML under `rules:`; `fields` replace or add whole lines (`then="..."`, `floor="true"`)."""
    made = {
        "title": "A rule",
        "category": "hate",
        "severity": "3",
        "mode": "enforce",
        "when": f"{{all: ['{when}']}}",
        "then": "{action: limit, reason: SAMPLE}",
        **fields,
    }
    lines = [f"  - id: {rule_id}", *(f"    {key}: {value}" for key, value in made.items() if value)]
    return "\n".join(lines) + "\n"


def a_policy(*rules: str, more: str = "", head: str = HEAD) -> bytes:
    """One policy file: a head, rules, and whatever else."""
    return (
        textwrap.dedent(head).lstrip() + "rules:\n" + "".join(rules or (a_rule(),)) + textwrap.dedent(more)
    ).encode()


def files_of(*rules: str, more: str = "", **others: str | bytes) -> dict[str, bytes]:
    """A bundle's files: one policy and the list `slurs`; `others` are further files, `__` for `/`."""
    made = {"sample.yaml": a_policy(*rules, more=more), "lists/slurs.yaml": SLURS.encode()}
    for name, text in others.items():
        path = name.replace("__", "/") + ".yaml"
        made[path] = text if isinstance(text, bytes) else textwrap.dedent(text).lstrip().encode()
    return made


def catalogue() -> Catalogue:
    """What the served model provides."""
    return Catalogue.of(MODEL_SIGNALS, READING_SIGNALS)


def a_bundle_of(*rules: str, more: str = "", **others: str | bytes) -> PolicyBundle:
    """The loaded bundle of `files_of`."""
    return load_files(files_of(*rules, more=more, **others), catalogue())


def problems_of(files: Mapping[str, bytes]) -> list[str]:
    """What loading complains about, as people see it; empty when it loads."""
    try:
        load_files(files, catalogue(), name="p")
    except PolicyErrors as exc:
        return [str(p) for p in exc.problems]
    return []


def checked(files: Mapping[str, bytes]) -> CheckResult:
    """Everything that `weir policy check` says of the files, on the day of `NOON_S`."""
    return check_files(dict(files), catalogue(), today=date(2026, 11, 24), folder=Path("p"))


def codes(result: CheckResult) -> list[str]:
    """The codes of all problems, in order."""
    return [p.code for p in result.problems]


def a_subject(text: str | None = None, **fields: Any) -> Subject:
    """A post in English on the feed."""
    made: dict[str, Any] = {
        "event_id": "event-1",
        "content_id": "content-1",
        "surface": "feed",
        "locale": "en",
        "created_at": NOON_S,
        "author_id": "author-1",
        "texts": (TextPart(0, text),) if text is not None else (),
    }
    return Subject(**{**made, **fields})


def some_signals(values: Mapping[str, SignalValue] | None = None, **statuses: str) -> SignalSet:
    """Values, and missing signals by status: `some_signals({...}, failed="score.hate score.hate.text")`."""
    made = SignalSet(dict(values or {}))
    for status, names in statuses.items():
        for name in names.split():
            made.missing[name] = MissingSignal(SignalStatus(status), "set by the test")
    return made
