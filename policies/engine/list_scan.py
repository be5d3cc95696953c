"""Scan texts with a bundle's compiled lists: hits, entries, and spans of the original text.

A post without any text gives no `list.*` signal at all: nothing to judge is not the same as nothing found.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from policies.engine.lists import Automaton, CompiledLists, Pattern, applies_to
from policies.engine.signals import SignalSet, Span
from policies.engine.subject import TextPart
from policies.engine.text_views import View, folded_view, is_word_edge, loose_view, plain_view

MAX_SCAN_CHARS: Final = 100_000
"""A longer text is scanned up to here. The wire refuses such texts, so nothing that is judged goes unread."""
MAX_SPANS: Final = 200
"""Spans kept for one list and text; `hits` counts no further either."""
MAX_LABELS: Final = 8
"""The last labels of a host that are looked up; a listed domain has fewer."""

#: A dotted run, its port and its path. It begins where no word goes on and gives nothing back (possessive), so that a
#: text of dots or of one endless word costs one pass; what of the run is a host is looked at afterwards.
_PLACE = re.compile(r"(?<![\w\-])([\w\-]++(?:\.[\w\-]++)++)(?![\w\-]*+@)(?::\d{1,5})?(/[^\s<>\"']*+)?")
_INNER_DOT = re.compile(r"\.(?=[\w\-])")
_DEFANGED = re.compile(r"\[\.\]|\(\.\)|\s?\[dot\]\s?")


@dataclass(slots=True)
class _Found:
    """What one list found."""

    spans: list[Span] = field(default_factory=list)
    severity: int | None = None

    def add(self, span: Span, severity: int | None) -> None:
        if len(self.spans) < MAX_SPANS and not any(
            s.part == span.part and s.start == span.start and s.end == span.end for s in self.spans[-8:]
        ):
            self.spans.append(span)
        if severity is not None:
            self.severity = severity if self.severity is None else max(self.severity, severity)


def scan(lists: CompiledLists, texts: Sequence[TextPart], locale: str) -> SignalSet:
    """The `list.*` signals of the texts, read in the event's declared locale."""
    made = SignalSet()
    if not texts:
        return made
    found = [_Found() for _ in lists.lists]
    for part in texts:
        _scan_part(lists, part, locale, found=found)
    for item, result in zip(lists.lists, found, strict=True):
        spans = _distinct(result.spans) if result.spans else ()
        made.values[item.hits_signal] = len(spans)
        made.values[item.matches_signal] = tuple(sorted({s.term for s in spans})) if spans else ()
        if spans:
            made.spans[item.hits_signal] = spans
            made.origin[item.hits_signal] = spans[0].part
        if item.graded:
            made.values[item.severity_signal] = result.severity or 0
    return made


def _scan_part(lists: CompiledLists, part: TextPart, locale: str, *, found: list[_Found]) -> None:
    text = part.text[:MAX_SCAN_CHARS]
    folded = folded_view(text)
    plain = plain_view(folded, locale)
    loose = loose_view(plain)
    _scan_view(lists.folded, folded, part.index, locale=locale, found=found)
    if plain is not folded:
        _scan_view(lists.plain, plain, part.index, locale=locale, found=found)
    if loose is not plain:
        _scan_view(lists.loose, loose, part.index, locale=locale, found=found)
    if lists.regexes is not None:
        _scan_patterns(lists, text, part.index, locale=locale, found=found)
    if (lists.domains or lists.urls) and ("." in text or "[dot]" in text):
        _scan_places(lists, text, part.index, found=found)


def _scan_view(automaton: Automaton, view: View, part: int, *, locale: str, found: list[_Found]) -> None:
    if automaton.search is None:
        return
    hits: list[tuple[int, int, Pattern]] = []
    innocent: list[tuple[int, int, int]] = []
    for number, start, end in automaton.search.find_matches_as_indexes(view.text, overlapping=True):
        if not is_word_edge(view.text, start):
            continue
        exact = is_word_edge(view.text, end)
        if not exact and not _plural(view.text, start, end):
            continue
        for pattern in automaton.owners[number]:
            if pattern.allow:
                innocent.append((pattern.list, start, end))
            elif applies_to(pattern.language, locale) and (exact or pattern.language in ("en", "*")):
                hits.append((start, end, pattern))
    excused = _Excused(innocent) if hits and innocent else None
    for start, end, pattern in hits:
        if excused is not None and excused.holds(pattern.list, start, end):
            continue
        first, last = view.span(start, end)
        found[pattern.list].add(Span(part, first, last, pattern.term), pattern.severity)


class _Excused:
    """The innocent phrases of a text, by list: does one of them hold a piece? Logarithmic in their number."""

    def __init__(self, innocent: list[tuple[int, int, int]]) -> None:
        self._starts: dict[int, list[int]] = {}
        self._reach: dict[int, list[int]] = {}  # the furthest end of those that start here or before
        for owner, start, end in sorted(innocent):
            reach = self._reach.setdefault(owner, [])
            self._starts.setdefault(owner, []).append(start)
            reach.append(max(end, reach[-1]) if reach else end)

    def holds(self, owner: int, start: int, end: int) -> bool:
        place = bisect_right(self._starts.get(owner, []), start)
        return place > 0 and self._reach[owner][place - 1] >= end


def _plural(text: str, start: int, end: int) -> bool:
    """An English plural of a word of four letters or more."""
    return end - start >= 4 and text[end] == "s" and is_word_edge(text, end + 1)


def _scan_patterns(lists: CompiledLists, text: str, part: int, *, locale: str, found: list[_Found]) -> None:
    if lists.regexes is None:
        return
    for number in lists.regexes.Match(text) or ():
        owner, pattern, entry = lists.regex_owners[number]
        if not applies_to(entry.language, locale):
            continue
        for match in pattern.finditer(text):
            if match.end() > match.start():
                found[owner].add(Span(part, match.start(), match.end(), entry.term), entry.severity)
            if len(found[owner].spans) >= MAX_SPANS:
                break


def _scan_places(lists: CompiledLists, text: str, part: int, *, found: list[_Found]) -> None:
    plain = _DEFANGED.sub(".", text) if "[" in text or "(" in text else text
    if not _INNER_DOT.search(plain):
        return  # the dots of ordinary sentences
    same = len(plain) == len(text)
    for match in _PLACE.finditer(plain):
        labels = _host_labels(match[1].lower())
        if labels is None:
            continue
        path = (match[2] or "/").lower()
        span = match.span() if same else (0, len(text))
        for n in range(max(0, len(labels) - MAX_LABELS), len(labels) - 1):
            for owner, term in lists.domains.get(".".join(labels[n:]), ()):
                found[owner].add(Span(part, *span, term), None)
        for owner, prefix, term in lists.urls.get(".".join(labels).removeprefix("www."), ()):
            if path.startswith(prefix):
                found[owner].add(Span(part, *span, term), None)


def _host_labels(run: str) -> list[str] | None:
    """The labels of the host in a dotted run; None when it holds none. `3.14` is none, `evil.com.1` holds one."""
    labels = run.strip("-_").split(".")
    while len(labels) > 1 and not (labels[-1][:1].isalpha() and 2 <= len(labels[-1]) <= 63):
        labels.pop()
    return labels if len(labels) > 1 else None


def _distinct(spans: list[Span]) -> tuple[Span, ...]:
    """The spans without repeats and without those inside a longer one of the same list."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.part, s.start, -s.end, s.term)):
        if kept and kept[-1].part == span.part and span.end <= kept[-1].end:
            continue
        kept.append(span)
    return tuple(kept)
