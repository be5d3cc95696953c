"""The pictures of generated pairs: icons and emoji of a data folder, by concept, with their names, makers and split."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel, ConfigDict

from policies.engine.taxonomy import Category
from triton_models.training.datasets.rows import Split

ICONS: Final = "images/game_icons"
EMOJI: Final = "images/noto_emoji/png"
NAMES: Final = "images/cldr_annotations"
PHOTOGRAPHS: Final = "images/pdq"
DEV_SHARE: Final = 0.15
TEST_SHARE: Final = 0.25


class PairDataError(Exception):
    """The data folder has not what generated pairs are made of; says what and where."""


class Concept(BaseModel):
    """A kind of picture."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    labels: dict[Category, int]
    icons: tuple[str, ...]
    emoji: tuple[str, ...]


class Learned(BaseModel):
    """Further pictures of a concept, to learn from only."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    icons: tuple[str, ...] = ()
    emoji: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Icon:
    """One picture file."""

    name: str  # `game_icons/lorc/revolver`, `noto_emoji/1f52b`
    concept: str
    path: Path
    split: Split
    licence: str
    attribution: str
    labels: Mapping[Category, int]
    captions: Mapping[str, str]  # language -> what it is called; for an icon of game-icons.net only in English


def find_icons(data: Path) -> dict[str, list[Icon]]:
    """Concept -> its pictures below `data`, those of one name together in one split; PairDataError when none is there.

    A picture that stands in several concepts has the same split in all of them.
    """
    concepts = load_concepts()
    drawn, coloured = _files(data)
    names = names_by_language(data / NAMES)
    found: dict[str, list[Icon]] = {}
    for name, concept in concepts.items():
        icons = [_drawn(drawn[one], name, concept) for one in concept.icons if one in drawn]
        icons += [_coloured(one, coloured[one], name, concept, names) for one in concept.emoji if one in coloured]
        if not {"train", "dev", "test"} <= {icon.split for icon in icons}:
            raise PairDataError(f"concept {name}: {len(icons)} pictures in {data} do not fill train, dev and test")
        found[name] = icons
    return found


def learned_icons(data: Path, sets: Sequence[Icon]) -> dict[str, list[Icon]]:
    """The same with further pictures of the training split: of the data folder, and of icon sets.

    What is measured on (dev and test) is what `find_icons` finds. PairDataError as there.
    """
    found, learned, concepts = find_icons(data), load_learned(), load_concepts()
    drawn, coloured = _files(data)
    names, of_sets = names_by_language(data / NAMES), dict[str, list[Icon]]()
    for icon in sets:
        of_sets.setdefault(icon.path.stem, []).append(icon)
    for name, more in learned.items():
        concept = concepts[name]
        icons = [_drawn(drawn[one], name, concept) for one in more.icons if one in drawn]
        icons += [_coloured(one, coloured[one], name, concept, names) for one in more.emoji if one in coloured]
        icons += [
            replace(icon, concept=name, labels=concept.labels) for one in more.sets for icon in of_sets.get(one, ())
        ]
        found[name] = found[name] + [icon for icon in icons if icon.split == "train"]
    return found


def load_concepts() -> dict[str, Concept]:
    """The kinds of pictures, by name."""
    return {name: Concept.model_validate(one) for name, one in _table("concepts.yaml")["concepts"].items()}


def load_learned() -> dict[str, Learned]:
    """Concept -> its further pictures."""
    return {name: Learned.model_validate(one) for name, one in _table("concepts_learned.yaml").items()}


def _table(name: str) -> Mapping[str, Any]:
    """A table of this package, every scalar as text: `2694` and `1f4e1` are code points, not numbers."""
    text = (resources.files("triton_models.training.pairs") / name).read_text(encoding="utf-8")
    found: Mapping[str, Any] = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - the base loader makes strings only
    return found


def all_icons(data: Path) -> list[Icon]:
    """Every picture below `data` that has a name, of no concept; splits as in `find_icons`. PairDataError for none."""
    drawn, coloured = _files(data)
    names, nothing = names_by_language(data / NAMES), Concept(labels={}, icons=(), emoji=())
    found = [_drawn(path, "", nothing) for path in drawn.values()]
    found += [_coloured(code, path, "", nothing, names) for code, path in coloured.items()]
    return [icon for icon in found if icon.captions]


def _files(data: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Icons by name and emoji by code point."""
    drawn = {path.stem: path for path in sorted((data / ICONS).glob("*/*.svg"))}
    coloured = {path.stem.removeprefix("emoji_u"): path for path in sorted((data / EMOJI).rglob("emoji_u*.png"))}
    if not drawn and not coloured:
        raise PairDataError(f"{data} has neither {ICONS}/*/*.svg nor {EMOJI}/**/emoji_u*.png; see its README")
    return drawn, coloured


def split_of(name: str) -> Split:
    """The split of a picture, by a hash of its name."""
    drawn = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") / 2**64
    return "test" if drawn < TEST_SHARE else "dev" if drawn < TEST_SHARE + DEV_SHARE else "train"


def _drawn(path: Path, concept: str, known: Concept) -> Icon:
    return Icon(
        name=f"game_icons/{path.parent.name}/{path.stem}",
        concept=concept,
        path=path,
        split=split_of(path.stem),
        licence="CC-BY-3.0",
        attribution=f"Icons made by {path.parent.name}, game-icons.net",
        labels=known.labels,
        captions={"en": path.stem.replace("-", " ")},
    )


def _coloured(code: str, path: Path, concept: str, known: Concept, names: Mapping[str, Mapping[str, str]]) -> Icon:
    character = chr(int(code.split("_", maxsplit=1)[0], 16))
    return Icon(
        name=f"noto_emoji/{code}",
        concept=concept,
        path=path,
        split=split_of(code),
        licence="Apache-2.0",
        attribution="Noto Emoji, Google; names: Unicode CLDR (Unicode-3.0)",
        labels=known.labels,
        captions={language: table[character] for language, table in names.items() if character in table},
    )


def names_by_language(folder: Path) -> dict[str, dict[str, str]]:
    """Language -> character -> its name (CLDR's `tts`)."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        raw = json.loads(path.read_text(encoding="utf-8"))["annotations"]["annotations"]
        found[path.stem] = {sign: entry["tts"][0] for sign, entry in raw.items() if entry.get("tts")}
    return found
