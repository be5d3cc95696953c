"""Globs with `*` only, in linear time, and BCP-47 locale ranges. Pure string work."""

from __future__ import annotations


def glob_matches(pattern: str, value: str) -> bool:
    """Whether `value` fits `pattern`, where `*` stands for any run of characters. Case counts."""
    p = v = 0
    star, mark = -1, 0
    while v < len(value):
        if p < len(pattern) and pattern[p] == "*":
            star, mark = p, v
            p += 1
        elif p < len(pattern) and pattern[p] == value[v]:
            p += 1
            v += 1
        elif star >= 0:
            mark += 1
            p, v = star + 1, mark
        else:
            return False
    return all(c == "*" for c in pattern[p:])


def normal_locale(locale: str) -> str:
    """`de_AT` and `DE-at` as `de-at`."""
    return locale.replace("_", "-").lower()


def language_of(locale: str) -> str:
    """The primary language subtag: `de` of `de-AT`; `und` when there is none."""
    return normal_locale(locale).partition("-")[0] or "und"


def locale_matches(pattern: str, locale: str) -> bool:
    """Whether a BCP-47 range fits: `de-*` fits `de`, `de-AT` and `de-Latn-AT` (RFC 4647 basic filtering)."""
    wanted, given = normal_locale(pattern), normal_locale(locale)
    if wanted.endswith("-*") and given == wanted[:-2]:
        return True
    return glob_matches(wanted, given)


def globs_may_overlap(a: str, b: str) -> bool:
    """Whether some text may fit both; false only when that is certain."""
    if "*" not in a:
        return locale_matches(b, a)
    if "*" not in b:
        return locale_matches(a, b)
    head_a, head_b = a.partition("*")[0].rstrip("-"), b.partition("*")[0].rstrip("-")
    return head_a.startswith(head_b) or head_b.startswith(head_a)
