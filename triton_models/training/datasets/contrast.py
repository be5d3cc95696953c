"""Our own contrast sentences: patterns filled with groups of people, and the same patterns filled with other things.

One file per language below `written/contrast`. A pattern's rows are one family: they stay on one side of a split, and
fine-tuning may compare them (same words, another group: same judgement; same words about no group: no hate).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from policies.engine.taxonomy import Category
from triton_models.training.datasets.mapping import CONTRAST
from triton_models.training.datasets.raw import RawRow
from triton_models.training.datasets.rows import DataError

GROUPS_EACH: Final[Mapping[str, int]] = {"hateful": 5, "harmless": 4}
OTHERS_EACH: Final = 2
ONLY_GROUPS: Final = "!"
"""Before a pattern that would still be hate, or nonsense, about something that is no group."""


def read_contrast(folder: Path) -> Iterator[RawRow]:
    """Every pattern of every language file, filled in; DataError says which line of which file cannot be."""
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise DataError(folder, "no language file", "install Weir again: these files are part of it")
    for path in files:
        yield from _read_file(path, yaml.safe_load(path.read_text(encoding="utf-8")))


def _read_file(path: Path, raw: Mapping[str, Any]) -> Iterator[RawRow]:
    locale, fillings = str(raw["locale"]), {name: raw[name] for name in ("groups", "others")}
    number = 0
    for section, labels in CONTRAST.items():
        top, _, part = section.partition(".")
        patterns: Sequence[str] = (raw[top] if not part else raw[top].get(part)) or ()
        for index, pattern in enumerate(patterns):
            number += 1
            family = f"{locale}/{section}.{index}"
            try:
                yield from _filled(family, pattern, fillings, number, locale, labels)
            except (KeyError, IndexError, ValueError) as exc:
                raise DataError(path, f"{section}, line {index + 1}: {exc!r}", "use the forms of the groups") from exc


def _filled(
    family: str,
    pattern: str,
    fillings: Mapping[str, Sequence[Mapping[str, str]]],
    number: int,
    locale: str,
    labels: Mapping[Category, float],
) -> Iterator[RawRow]:
    """The rows of one pattern: with some groups, and if it is an attack, with some things that are no group."""
    words = pattern.removeprefix(ONLY_GROUPS).strip()
    plain = words.format_map(fillings["groups"][0])
    if plain == words:
        yield RawRow(f"{family}/-", words, locale, labels, family=family)
        return
    attack = labels.get("hate") == 1
    chosen = [("g", "groups", GROUPS_EACH["hateful" if attack else "harmless"], labels)]
    if attack and not pattern.startswith(ONLY_GROUPS):
        chosen.append(("o", "others", OTHERS_EACH, {"hate": 0.0}))
    for letter, name, count, own in chosen:
        entries = fillings[name]
        for turn in range(min(count, len(entries))):
            at = (number * 7 + turn * (len(entries) // count or 1)) % len(entries)
            yield RawRow(f"{family}/{letter}{at}", words.format_map(entries[at]), locale, own, family=family)


def family_of(row_id: str) -> str | None:
    """The family of a row of this set by its id, disguised copies included; None for a row of another set."""
    if not row_id.startswith("contrast:"):
        return None
    return row_id.removeprefix("contrast:").rpartition("/")[0] or None  # None: joined from several rows


def identity_of(row_id: str) -> str | None:
    """The group that a row of this set speaks of, as `en/g4`, disguised copies included; None where it names none."""
    family, group = family_of(row_id), row_id.rpartition("/")[2].partition("~")[0]
    if family is None or not (group.startswith("g") and group[1:].isdigit()):
        return None
    return f"{family.partition('/')[0]}/{group}"
