"""Pictures for towers: the same from any number of processes, seen once, and further icons that no judge may know."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.pairs_factory import write_pair_data
from triton_models.serving import image_tower
from triton_models.training import drawings
from triton_models.training.drawings import draw, draw_batches, drawable, see
from triton_models.training.image_layers import BATCH
from triton_models.training.pairs import PairDataError, Style, all_icons, find_icons, learned_icons
from triton_models.training.pairs.icon_sets import ROOT, unpack_icons
from triton_models.training.pairs.icons import Icon, load_concepts, load_learned, split_of
from triton_models.training.progress import Silent

SQUARE = '<svg viewBox="0 0 24 24"><path d="M6 6h12v12H6z"/></svg>'


class Notes(Silent):
    """Remembers what is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def note(self, text: str) -> None:
        """Keeps it."""
        self.told.append(text)


class Tower:
    """Sees a picture's mean, `wide` times."""

    seen = 0

    def __init__(self, wide: int) -> None:
        self._wide = wide

    @classmethod
    def load(cls, _version: Path, graph: str) -> Tower:
        """Two for the second tower."""
        return cls(2 if graph == image_tower.DRAWINGS else 1)

    def features(self, pixels: Any) -> Any:
        """`[N, wide]`."""
        Tower.seen += len(pixels)
        return np.repeat(pixels.reshape(len(pixels), -1).mean(axis=1, keepdims=True), self._wide, axis=1)


@pytest.fixture
def shown(tmp_path: Path) -> list[tuple[Icon, Style]]:
    """A picture more than a batch."""
    icons = all_icons(write_pair_data(tmp_path / "data"))
    return [(icon, Style(f"test/{number}")) for number, icon in enumerate(icons[: BATCH + 1])]


def wheel(path: Path, names: Sequence[str]) -> Path:
    """A wheel with those icons, and a page that is none."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("material/index.html", "<html>")
        for name in names:
            archive.writestr(f"{ROOT}{name}", SQUARE)
    return path


def test_processes_draw_what_one_draws(shown: list[tuple[Icon, Style]]) -> None:
    """Batches come in order and are the same pixels, whoever draws them."""
    one, two = list(draw_batches(shown)), list(draw_batches(shown, processes=2))
    assert [len(batch) for batch in one] == [BATCH, 1]
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert np.array_equal(one[1][0], draw(*shown[-1]))


def test_pictures_are_seen_once(
    tmp_path: Path, shown: list[tuple[Icon, Style]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both towers' features stand side by side, and are read from the disk the next time, until a tower changes."""
    monkeypatch.setattr(drawings, "ImageTower", Tower)
    graphs = (image_tower.GRAPH, image_tower.DRAWINGS)
    for graph in graphs:
        (tmp_path / graph).with_suffix(".bin").write_bytes(b"weights")
    Tower.seen = 0
    first = see(tmp_path, shown, tmp_path / "work", progress=Silent(), graphs=graphs)
    assert first.shape == (BATCH + 1, 3)
    assert np.array_equal(first[:, 0], first[:, 2])
    assert len(set(first[:, 0])) > 1
    again = see(tmp_path, shown, tmp_path / "work", progress=Silent(), graphs=graphs)
    assert np.array_equal(first, again)
    assert Tower.seen == 2 * len(shown)
    (tmp_path / image_tower.DRAWINGS).with_suffix(".bin").write_bytes(b"others")
    see(tmp_path, shown, tmp_path / "work", progress=Silent(), graphs=graphs)
    assert Tower.seen == 4 * len(shown)


def test_what_cannot_be_drawn_is_told(tmp_path: Path) -> None:
    """An icon without a path is left out, by name; the others stay."""
    (found,) = unpack_icons(wheel(tmp_path / "w.whl", ["material/axe.svg"]), tmp_path / "icons", ())
    empty = tmp_path / "empty.svg"
    empty.write_text("<svg/>")
    bad = Icon("sets/empty", "", empty, "train", "", "", {}, {"en": "empty"})
    notes = Notes()
    assert drawable([found, bad], notes) == [found]
    assert notes.told == ["not drawn: sets/empty: no <path> to draw"]


def test_further_icons_are_things_that_no_judge_knows(tmp_path: Path) -> None:
    """Signs of interfaces, names of three words, other folders and names that are held out stay in the wheel."""
    names = ["axe", "axe-battle", "bomb-off", "pill", "account-arrow-left-outline", "sub/deep"]
    files = [f"material/{name}.svg" for name in names] + ["fontawesome/solid/gun.svg", "simple/brand.svg"]
    found = unpack_icons(wheel(tmp_path / "w.whl", files), tmp_path / "icons", {"pill"})
    assert {icon.name: icon.captions["en"] for icon in found} == {
        "material/axe": "axe",
        "material/axe-battle": "axe battle",
        "fontawesome/solid/gun": "gun",
    }
    assert {icon.split for icon in found} == {"train"}
    assert {icon.licence for icon in found} == {"Apache-2.0", "CC-BY-4.0"}
    assert all(icon.path.read_text() == SQUARE for icon in found)


def test_concepts_learn_from_further_pictures_and_are_measured_on_the_same(tmp_path: Path) -> None:
    """What the second table names is added to the training split, with the concept's labels; dev and test stay."""
    data = write_pair_data(tmp_path / "data")
    (data / "images/game_icons/somebody/shotgun.svg").write_text(SQUARE)
    files = ["fontawesome/solid/gun.svg", "material/axe.svg", "material/cloud.svg"]
    plain = find_icons(data)
    learned = learned_icons(data, unpack_icons(wheel(tmp_path / "w.whl", files), tmp_path / "icons", ()))
    known = {icon.name for icons in plain.values() for icon in icons}
    added = {name: {icon.name for icon in icons} - known for name, icons in learned.items()}
    assert {name: found for name, found in added.items() if found} == {
        "guns": {"game_icons/somebody/shotgun", "fontawesome/solid/gun"},
        "blades": {"material/axe"},
        "means": {"game_icons/somebody/shotgun", "fontawesome/solid/gun"},
    }
    assert {icon.labels.get("weapons") for icon in learned["guns"]} == {1}
    for name, icons in plain.items():
        assert [icon for icon in learned[name] if icon.split != "train"] == [i for i in icons if i.split != "train"]


def test_what_is_learned_from_is_no_picture_that_is_measured_with() -> None:
    """The second table knows the first one's concepts, and names nothing of dev or test, nothing twice."""
    concepts = load_concepts()
    for name, more in load_learned().items():
        own = concepts[name]
        assert {split_of(one) for one in (*more.icons, *more.emoji)} <= {"train"}, name
        assert not {*own.icons, *own.emoji} & {*more.icons, *more.emoji}, name
        assert all(len(set(part)) == len(part) for part in (more.icons, more.emoji, more.sets)), name


def test_a_broken_wheel_is_named(tmp_path: Path) -> None:
    """What is no archive is an error with its path."""
    (tmp_path / "w.whl").write_bytes(b"no")
    with pytest.raises(PairDataError, match=r"w\.whl"):
        unpack_icons(tmp_path / "w.whl", tmp_path, ())
