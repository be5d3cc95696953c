"""Our contrast sentences: files parse, slots are filled, labels follow the section, families stay whole."""

from __future__ import annotations

import string
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from policies.engine.taxonomy import NEVER_MODELLED
from triton_models.training.datasets import DataError, build_rows
from triton_models.training.datasets.catalog import CATALOG
from triton_models.training.datasets.contrast import GROUPS_EACH, ONLY_GROUPS, OTHERS_EACH, family_of, read_contrast
from triton_models.training.datasets.mapping import CONTRAST
from triton_models.training.datasets.raw import RawRow

FOLDER = CATALOG["contrast"].path(Path())
FILES = sorted(FOLDER.glob("*.yaml"))
SMALL = """
locale: xx
groups: [{all: martians, one: a martian}, {all: venusians, one: a venusian}]
others: [{all: pebbles, one: a pebble}]
hateful: {statements: ["krandle all {all}", "! vote out {all}"], profane: []}
plain_hateful: [krandle the neighbours]
harmless: {neutral: ["{one} reads"]}
plain_harmless: []
rude: [glimfle you]
profane_harmless:
ordinary: [the train is late]
"""


def patterns(raw: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every section with its patterns."""
    for section in CONTRAST:
        top, _, part = section.partition(".")
        for pattern in (raw[top] if not part else raw[top].get(part)) or ():
            yield section, pattern


def slots(pattern: str) -> set[str]:
    """The forms that a pattern asks for."""
    return {name for _, name, _, _ in string.Formatter().parse(pattern) if name is not None}


def write_small(folder: Path, text: str = SMALL) -> Path:
    """A folder with one file of an invented language."""
    padded = yaml.safe_load(text)
    for section in CONTRAST:
        top, _, part = section.partition(".")
        if part:
            padded.setdefault(top, {}).setdefault(part, [])
    folder.mkdir(exist_ok=True)
    (folder / "xx.yaml").write_text(yaml.safe_dump(padded), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def shipped() -> Sequence[RawRow]:
    """All rows of the shipped files."""
    return tuple(read_contrast(FOLDER))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_pattern_fits_every_filling(path: Path) -> None:
    """Not only those that are drawn: each group has each form that a pattern asks for, and each other thing too."""
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert raw["locale"] == path.stem
    forms = {name: set.intersection(*({*entry} for entry in raw[name])) for name in ("groups", "others")}
    for section, pattern in patterns(raw):
        assert slots(pattern) <= forms["groups"], f"{section}: {pattern.count('{')} slots"
        if CONTRAST[section].get("hate") == 1 and not pattern.startswith(ONLY_GROUPS):
            assert slots(pattern) <= forms["others"], section
    for name in ("groups", "others"):
        assert all(isinstance(form, str) and form.strip() for entry in raw[name] for form in entry.values())


def test_every_section_of_every_language_has_sentences(shipped: Sequence[RawRow]) -> None:
    """No language leaves a kind of sentence out: a gap there would teach that the kind is of other languages."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in shipped:
        found[row.locale].add(row.family.partition("/")[2].rpartition(".")[0])
    assert len(FILES) == len(found) >= 16
    assert {locale: set(CONTRAST) - sections for locale, sections in found.items() if set(CONTRAST) - sections} == {}


def test_no_brace_and_no_mark_is_left(shipped: Sequence[RawRow]) -> None:
    """What is trained on is a sentence: nothing of the pattern's own signs, no empty text, no id twice."""
    assert [row.number for row in shipped if "{" in row.text or "}" in row.text] == []
    assert [row.number for row in shipped if row.text.startswith((ONLY_GROUPS, " ")) or not row.text.strip()] == []
    assert max(Counter(row.number for row in shipped).values()) == 1


def test_labels_follow_the_section(shipped: Sequence[RawRow]) -> None:
    """A row has its section's labels; an attack about a thing that is no group says only that it is no hate."""
    for row in shipped:
        section = row.family.partition("/")[2].rpartition(".")[0]
        kind = row.number.rpartition("/")[2][0]
        assert dict(row.labels) == ({"hate": 0.0} if kind == "o" else dict(CONTRAST[section])), row.number
        assert not NEVER_MODELLED & row.labels.keys()


def test_sections_mean_what_they_are_called() -> None:
    """Attacks are hate for certain, everything else for certain not, and no section is without an opinion on it."""
    for section, labels in CONTRAST.items():
        assert labels["hate"] == float("hateful" in section), section


def test_a_family_says_one_thing_about_groups(shipped: Sequence[RawRow]) -> None:
    """Rows of one family about groups differ in nothing but the group: same labels, as many as there should be."""
    families: dict[str, list[RawRow]] = defaultdict(list)
    for row in shipped:
        families[row.family].append(row)
    for family, rows in families.items():
        kinds = Counter(row.number.rpartition("/")[2][0] for row in rows)
        if "-" in kinds:
            assert kinds == {"-": 1}, family
            continue
        attack = any(row.labels["hate"] == 1 for row in rows)
        assert kinds["g"] == GROUPS_EACH["hateful" if attack else "harmless"], family
        assert kinds["o"] in ((0, OTHERS_EACH) if attack else (0,)), family


def test_families_never_straddle_splits() -> None:
    """All of a family's rows are on one side of the split, and every split has some of every language."""
    rows, _ = build_rows(Path("nowhere"), sets=("contrast",), seed=20261124)
    sides: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        sides[family_of(row.id) or "no family"].add(row.split)
    assert "no family" not in sides
    assert [family for family, splits in sides.items() if len(splits) > 1] == []
    locales = {row.locale for row in rows}
    for split in ("train", "dev", "test"):
        assert {row.locale for row in rows if row.split == split} == locales


def test_a_small_file_is_filled_as_its_marks_say(tmp_path: Path) -> None:
    """Attacks are written about groups and about other things, marked ones about groups only; plain ones once."""
    rows = {row.number: row for row in read_contrast(write_small(tmp_path / "c"))}
    texts = {number: row.text for number, row in rows.items()}
    attack = {number: text for number, text in texts.items() if "hateful.statements.0" in number}
    assert attack == {
        "xx/hateful.statements.0/g0": "krandle all martians",
        "xx/hateful.statements.0/g1": "krandle all venusians",
        "xx/hateful.statements.0/o0": "krandle all pebbles",
    }
    assert [rows[number].labels.get("hate") for number in attack] == [1, 1, 0]
    marked = sorted(text for number, text in texts.items() if "hateful.statements.1" in number)
    assert marked == ["vote out martians", "vote out venusians"]
    assert texts["xx/plain_hateful.0/-"] == "krandle the neighbours"
    harmless = {row.text for row in rows.values() if row.labels.get("hate") == 0}
    assert harmless >= {"a martian reads", "glimfle you", "the train is late"}


def test_a_slot_that_nothing_fills_is_named(tmp_path: Path) -> None:
    """The error says which file, which section and which line."""
    folder = write_small(tmp_path / "c", SMALL.replace("{one} reads", "{dative} reads"))
    with pytest.raises(DataError, match=r"xx\.yaml: harmless\.neutral, line 1: KeyError\('dative'\)"):
        list(read_contrast(folder))


def test_a_folder_without_languages_is_an_error(tmp_path: Path) -> None:
    """Not an empty set: somebody would train without it and not know."""
    with pytest.raises(DataError, match="no language file"):
        list(read_contrast(tmp_path))


@pytest.mark.parametrize(
    ("row_id", "family"),
    [
        ("contrast:en/hateful.statements.3/g4", "en/hateful.statements.3"),
        ("contrast:en/hateful.statements.3/o1~leet", "en/hateful.statements.3"),
        ("contrast:hi-Latn/rude.0/-", "hi-Latn/rude.0"),
        ("edos:17", None),
        ("written:hate-harmful-3", None),
    ],
)
def test_a_family_is_read_from_the_id(row_id: str, family: str | None) -> None:
    """Copies in disguise belong to the family of what they copy; rows of other sets have none."""
    assert family_of(row_id) == family


def test_rows_are_the_same_every_time() -> None:
    """Reading draws nothing: the same files give the same rows."""
    assert list(read_contrast(FOLDER)) == list(read_contrast(FOLDER))


def test_it_is_a_set_to_train_on() -> None:
    """The catalog ships it with the package, and a row of it is a row like any other."""
    card = CATALOG["contrast"]
    assert (card.use, card.shipped) == ("train", True)
    rows, report = build_rows(Path("nowhere"), sets=("contrast",), seed=1)
    assert {row.source for row in rows} == {"contrast"}
    assert sum(report.kept["contrast"].values()) == len(rows) > 1_000
