"""Lists as values: entries by language, compiled into automatons and RE2 sets for all lists at once.

Compiling only; walking over a text is `list_scan`, reading the YAML is `loader`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import re2
from ahocorasick_rs import AhoCorasick, MatchKind

from policies.engine.globs import language_of
from policies.engine.signals import SignalSpec
from policies.engine.text_views import folded_view, loose_entries, loose_view, plain_view

ListKind = Literal["keywords", "patterns", "domains", "urls"]
ANY_LANGUAGE: Final = "*"
MAX_PATTERN_MEMORY: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a list."""

    term: str
    language: str
    severity: int | None = None


@dataclass(frozen=True, slots=True)
class TermList:
    """One list, as written."""

    name: str
    kind: ListKind
    version: str
    entries: tuple[Entry, ...]
    allow: tuple[str, ...] = ()
    explicit: bool = False
    graded: bool = field(init=False)  # some entry carries a severity
    hits_signal: str = field(init=False)  # list.<name>.hits
    matches_signal: str = field(init=False)  # list.<name>.matches
    severity_signal: str = field(init=False)  # list.<name>.severity

    def __post_init__(self) -> None:
        """Work out once what every scan asks for."""
        object.__setattr__(self, "graded", any(entry.severity is not None for entry in self.entries))
        for what in ("hits", "matches", "severity"):
            object.__setattr__(self, f"{what}_signal", f"list.{self.name}.{what}")


@dataclass(frozen=True, slots=True)
class Pattern:
    """What one automaton pattern stands for: a list's entry, or (list < 0) a phrase that makes entries innocent."""

    list: int
    language: str
    term: str
    severity: int | None
    allow: bool = False


@dataclass(slots=True)
class Automaton:
    """One view's automaton. `owners[i]` are the patterns with text i."""

    search: AhoCorasick | None = None
    owners: list[tuple[Pattern, ...]] = field(default_factory=list)


@dataclass(slots=True)
class CompiledLists:
    """All lists of a bundle, ready to scan."""

    lists: tuple[TermList, ...]
    folded: Automaton
    plain: Automaton
    loose: Automaton
    regexes: re2.Set | None
    regex_owners: list[tuple[int, re2.Pattern[str], Entry]]
    domains: dict[str, list[tuple[int, str]]]
    urls: dict[str, list[tuple[int, str, str]]]  # host -> (list, path prefix, entry)


def list_signal_specs(lists: Iterable[TermList]) -> tuple[SignalSpec, ...]:
    """The signals that scanning provides."""
    made: list[SignalSpec] = []
    for item in lists:
        owner = f"list {item.name}"
        made += [
            SignalSpec(item.hits_signal, "int", f"entries of list {item.name} found", owner, 0, None, modality="text"),
            SignalSpec(item.matches_signal, "strs", f"which entries of list {item.name}", owner, modality="text"),
        ]
        if item.graded:
            made.append(
                SignalSpec(
                    item.severity_signal, "int", f"the worst entry of list {item.name}", owner, 0, 7, modality="text"
                )
            )
    return tuple(made)


def compile_lists(lists: Sequence[TermList]) -> CompiledLists:
    """The lists as automatons, one per view, shared by all lists. ValueError for a pattern that RE2 refuses."""
    folded: dict[str, list[Pattern]] = {}
    plain: dict[str, list[Pattern]] = {}
    loose: dict[str, list[Pattern]] = {}
    for number, item in enumerate(lists):
        if item.kind != "keywords":
            continue
        for entry in item.entries:
            _add_entry(Pattern(number, entry.language, entry.term, entry.severity), item, (folded, plain, loose))
        for phrase in item.allow:
            _add_entry(Pattern(number, ANY_LANGUAGE, phrase, None, allow=True), item, (folded, plain, loose))
    regexes, owners = _compile_patterns(lists)
    domains, urls = _compile_places(lists)
    return CompiledLists(
        tuple(lists), _automaton(folded), _automaton(plain), _automaton(loose), regexes, owners, domains, urls
    )


def _add_entry(pattern: Pattern, item: TermList, views: tuple[dict[str, list[Pattern]], ...]) -> None:
    folded, plain, loose = views
    simple = folded_view(pattern.term)
    text = simple.text
    folded.setdefault(text, []).append(pattern)
    # Where folding would change the entry itself (ä), the plain view cannot hold it and the folded one decides.
    if plain_view(simple, _home(pattern.language)).text != text:
        return
    plain.setdefault(text, []).append(pattern)
    if item.explicit and len(text) >= 3:
        joined = loose_view(simple).text if " " not in text else text
        for variant in loose_entries(joined):
            loose.setdefault(variant, []).append(pattern)


def _home(language: str) -> str:
    return "und" if language == ANY_LANGUAGE else language


def _automaton(patterns: dict[str, list[Pattern]]) -> Automaton:
    if not patterns:
        return Automaton()
    texts = list(patterns)
    return Automaton(
        AhoCorasick(texts, matchkind=MatchKind.Standard, store_patterns=False), [tuple(patterns[t]) for t in texts]
    )


def pattern_options() -> re2.Options:
    """How patterns are read: case folded, UTF-8, bounded memory, no messages on stderr."""
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = MAX_PATTERN_MEMORY
    return options


def _compile_patterns(lists: Sequence[TermList]) -> tuple[re2.Set | None, list[tuple[int, re2.Pattern[str], Entry]]]:
    owners: list[tuple[int, re2.Pattern[str], Entry]] = []
    made = re2.Set.SearchSet(pattern_options())
    for number, item in enumerate(lists):
        if item.kind != "patterns":
            continue
        for entry in item.entries:
            try:
                single = re2.compile(entry.term, pattern_options())
                made.Add(entry.term)
            except re2.error as exc:
                raise ValueError(f"list {item.name}: RE2 refuses {entry.term!r}: {exc}") from exc
            owners.append((number, single, entry))
    if not owners:
        return None, owners
    made.Compile()
    return made, owners


def _compile_places(
    lists: Sequence[TermList],
) -> tuple[dict[str, list[tuple[int, str]]], dict[str, list[tuple[int, str, str]]]]:
    domains: dict[str, list[tuple[int, str]]] = {}
    urls: dict[str, list[tuple[int, str, str]]] = {}
    for number, item in enumerate(lists):
        for entry in item.entries:
            term = entry.term.lower()
            if item.kind == "domains":
                domains.setdefault(term, []).append((number, entry.term))
            elif item.kind == "urls":
                host, _, path = term.partition("/")
                urls.setdefault(host, []).append((number, "/" + path, entry.term))
    return domains, urls


#: Other codes of a language (BCP-47 macrolanguages and withdrawn codes): a Norwegian post is `nb`, `nn` or `no`.
_SAME_LANGUAGE: Final = {
    "nb": "no",
    "nn": "no",
    "cmn": "zh",
    "yue": "zh",
    "iw": "he",
    "in": "id",
    "tl": "fil",
    "mo": "ro",
}


def applies_to(language: str, locale: str) -> bool:
    """Whether an entry's language fits an event's declared locale; an undetermined locale fits every language."""
    if language == ANY_LANGUAGE:
        return True
    given = language_of(locale)
    return given in ("und", "mul") or _SAME_LANGUAGE.get(given, given) == _SAME_LANGUAGE.get(language, language)
