"""List entries that are everyday words, or so short that they hit everything; patterns that hit ordinary text."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final

import re2

from policies.engine.checks.common_words import COMMON_WORDS, ORDINARY_SENTENCES
from policies.engine.checks.view import View, problem
from policies.engine.errors import Problem
from policies.engine.lists import pattern_options
from policies.engine.loader import Written
from policies.engine.schema import EntryFile, ListFile
from policies.engine.text_views import folded_view

SHORTEST: Final = 3
LARGEST_PROGRAM: Final = 4_000
"""RE2 instructions of one pattern: the shipped ones have 20 to 1,900; a counted repetition of 900 has 8,000."""


def check(view: View) -> Iterator[Problem]:
    """COMMON-WORD, SHORT-ENTRY, IDLE-ALLOW, COSTLY-PATTERN and BROAD-PATTERN."""
    for written in view.loaded.folder.lists:
        if written.file.kind == "keywords":
            yield from _keywords(written)
        elif written.file.kind == "patterns":
            yield from _patterns(written)


def _keywords(written: Written[ListFile]) -> Iterator[Problem]:
    texts: set[str] = set()
    for language, items in written.file.entries.items():
        common = COMMON_WORDS.get(language, frozenset()) if language != "*" else _all_common()
        for n, item in enumerate(items):
            term = item.term if isinstance(item, EntryFile) else item
            text = folded_view(term).text
            texts.add(text)
            path = ("entries", language, n)
            if text in common:
                message = f"{term!r} is an everyday word"
                yield problem(written.doc, path, "COMMON-WORD", message, hint="list the phrase that is meant")
            elif len(text) < SHORTEST and text.isascii():
                yield problem(written.doc, path, "SHORT-ENTRY", f"{term!r} is too short to mean one thing")
    for n, phrase in enumerate(written.file.allow):
        text = folded_view(phrase).text
        if not any(entry in text for entry in texts):
            message = f"no entry is inside {phrase!r}, so it excuses nothing"
            yield problem(written.doc, ("allow", n), "IDLE-ALLOW", message)


def _patterns(written: Written[ListFile]) -> Iterator[Problem]:
    for language, items in written.file.entries.items():
        for n, item in enumerate(items):
            term = item.term if isinstance(item, EntryFile) else item
            pattern = re2.compile(term, pattern_options())
            if pattern.programsize > LARGEST_PROGRAM:
                message = f"this pattern is costly: {pattern.programsize} steps, {LARGEST_PROGRAM} are plenty"
                yield problem(written.doc, ("entries", language, n), "COSTLY-PATTERN", message, hint="shorten {0,n}")
            hit = next((s for s in ORDINARY_SENTENCES if pattern.search(s) is not None), None)
            if hit is not None:
                message = f"this pattern matches the ordinary sentence {hit!r}"
                yield problem(written.doc, ("entries", language, n), "BROAD-PATTERN", message)


@cache
def _all_common() -> frozenset[str]:
    return frozenset().union(*COMMON_WORDS.values())
