"""Written lists → lists as values, with the problems of their entries. Compiling is `lists`."""

from __future__ import annotations

import re
from typing import Final

import re2

from policies.engine.errors import Problem
from policies.engine.lists import ANY_LANGUAGE, Entry, TermList, pattern_options
from policies.engine.loader import Folder, Written
from policies.engine.schema import EntryFile, ListFile
from policies.engine.text_views import folded_view
from policies.engine.yaml_nodes import Mark, Path

_LANGUAGE = re.compile(r"[a-z]{2,3}")
_DOMAIN = re.compile(r"(?:[^\W_](?:[\w\-]*[^\W_])?\.)+[^\W_][\w\-]*[^\W_]")
#: Suffixes under which anybody may register: an entry that equals one would match half of the web.
PUBLIC_SUFFIXES: Final = frozenset({
    "co.uk", "org.uk", "ac.uk", "gov.uk", "com.au", "net.au", "org.au", "com.br", "com.cn", "com.tr", "com.mx", "co.jp",
    "co.kr", "co.in", "co.za", "co.nz", "com.sg", "com.hk", "com.tw", "github.io", "blogspot.com", "wordpress.com",
    "web.app", "pages.dev", "vercel.app", "netlify.app", "herokuapp.com",
})  # fmt: skip


def read_lists(folder: Folder) -> tuple[list[TermList], list[Problem]]:
    """The folder's lists and what is wrong with them."""
    made: dict[str, TermList] = {}
    problems: list[Problem] = []
    for written in folder.lists:
        if written.file.name in made:
            written.doc.report(("list",), "DUPLICATE-LIST", f"list {written.file.name!r} is there twice")
        else:
            made[written.file.name] = _read(written)
        problems += written.doc.problems
        written.doc.problems = []
    return [made[name] for name in sorted(made)], problems


def _read(written: Written[ListFile]) -> TermList:
    doc, file = written.doc, written.file
    entries: list[Entry] = []
    seen: dict[tuple[str, str], Mark] = {}
    for language, items in file.entries.items():
        here: Path = ("entries", language)
        if language != ANY_LANGUAGE and not _LANGUAGE.fullmatch(language):
            doc.report(
                here, "BAD-LANGUAGE", f"{language[:40]!r} is not a language", hint='write en, de, … or "*"', key=True
            )
        for n, item in enumerate(items):
            entry = Entry(item.term, language, item.severity) if isinstance(item, EntryFile) else Entry(item, language)
            if _entry_fits(written, entry, (*here, n), seen):
                entries.append(entry)
    return TermList(file.name, file.kind, file.version, tuple(entries), tuple(file.allow), file.explicit)


def _entry_fits(written: Written[ListFile], entry: Entry, path: Path, seen: dict[tuple[str, str], Mark]) -> bool:
    doc, kind = written.doc, written.file.kind
    text = entry.term.strip() if kind == "patterns" else folded_view(entry.term.strip()).text
    place = doc.mark(path)
    first = seen.setdefault((entry.language, text), place)
    if not text or text != (entry.term if kind == "patterns" else folded_view(entry.term).text):
        doc.report(path, "BAD-ENTRY", "an entry is not empty and has no spaces around it")
        return False
    if first != place:
        doc.report(path, "DUPLICATE-ENTRY", f"the same entry is on line {first.line}", level="warning")
        return False
    if kind == "keywords" and not any(c.isalnum() or ord(c) > 0x2000 for c in text):
        doc.report(path, "BAD-ENTRY", f"{text[:40]!r} has no letter")
        return False
    if kind == "domains" and not _DOMAIN.fullmatch(text):
        doc.report(
            path,
            "BAD-ENTRY",
            f"{text[:60]!r} is not a domain",
            hint="write it like example.com, without http:// or a path",
        )
        return False
    if kind == "domains" and text in PUBLIC_SUFFIXES:
        doc.report(path, "PUBLIC-SUFFIX", f"anybody can register under {text!r}: this would match them all")
        return False
    if kind == "urls" and ("://" in text or not _DOMAIN.fullmatch(text.partition("/")[0]) or "/" not in text):
        doc.report(
            path, "BAD-ENTRY", f"{text[:60]!r} is not host/path", hint="write it like example.com/path, without http://"
        )
        return False
    return kind != "patterns" or _pattern_fits(written, entry, path)


def _pattern_fits(written: Written[ListFile], entry: Entry, path: Path) -> bool:
    try:
        pattern = re2.compile(entry.term, pattern_options())
    except re2.error as exc:
        reason = exc.args[0] if exc.args else exc
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        written.doc.report(
            path,
            "BAD-PATTERN",
            f"RE2 refuses this pattern: {text[:120]}",
            hint="RE2 has no look-around and no back-references",
        )
        return False
    if pattern.search("") is not None:
        written.doc.report(path, "BAD-PATTERN", "this pattern matches the empty text, so it matches everything")
        return False
    return True
