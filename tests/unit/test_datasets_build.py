"""Training rows: read through the mapping, split without near-duplicates, evaluate-only sets kept shut."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

import triton_models.training
from tests.training_factory import write_data
from triton_models.training.datasets import (
    DataError,
    EvaluateOnlyError,
    UnknownSetError,
    build_rows,
    training_sets,
)
from triton_models.training.datasets.build import draw_split
from triton_models.training.datasets.catalog import CATALOG
from triton_models.training.datasets.dedupe import near_duplicate_groups
from triton_models.training.datasets.readers import READERS

EVALUATE_ONLY = {"hatecheck", "multilingual_hatecheck", "jigsaw_identity_templates"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny data folder."""
    return write_data(tmp_path_factory.mktemp("data"))


def test_every_training_set_gives_rows_in_all_splits(data: Path) -> None:
    """Each set of the catalog has a reader, and its rows reach every split (our own sentences are cross-fitted)."""
    rows, report = build_rows(data, sets=training_sets(), seed=1)
    assert set(READERS) == set(training_sets()) == set(report.read)
    for name in training_sets():
        splits = {"train", "test"} if name == "written" else {"train", "dev", "test"}
        assert {row.split for row in rows if row.source == name} == splits, name


def test_the_same_seed_gives_the_same_rows(data: Path) -> None:
    """Building twice gives identical rows; another seed draws other splits but reads the same texts."""
    first, _ = build_rows(data, sets=training_sets(), seed=1)
    again, _ = build_rows(data, sets=training_sets(), seed=1)
    other, _ = build_rows(data, sets=training_sets(), seed=2)
    assert first == again
    assert [row.split for row in first] != [row.split for row in other]


def test_hate_and_harassment_are_separate_questions(data: Path) -> None:
    """Davidson's "offensive" is harassment and at most a hint against hate; Hatemoji says nothing of harassment."""
    rows, _ = build_rows(data, sets=("davidson", "hatemoji_build"), seed=1)
    offensive = [row for row in rows if row.labels.get("harassment") == 1]
    assert offensive
    assert all(row.labels["hate"] != 1 for row in offensive)
    assert all("harassment" not in row.labels for row in rows if row.source == "hatemoji_build")


def test_entities_become_characters(data: Path) -> None:
    """Davidson's `&amp;` is read as the sign that the writer saw."""
    rows, _ = build_rows(data, sets=("davidson",), seed=1)
    assert all(row.text.endswith("& more") for row in rows)


def test_near_duplicates_never_cross_splits(tmp_path: Path) -> None:
    """A post copied with small changes into every part of a set survives only in the most protected one."""
    data = write_data(tmp_path)
    path = data / "text" / "edos" / "edos_labelled_aggregated.csv"
    copied = "the quick martians walked over the long bridge to the old market and bought seven green lamps"
    with path.open("a", encoding="utf-8") as file:
        file.write(f"x1,{copied},none,train\nx2,{copied} !!,none,dev\nx3,@someone {copied},none,test\n")
    rows, report = build_rows(data, sets=("edos",), seed=1)
    assert [row.id for row in rows if copied in row.text] == ["edos:x3"]
    assert report.dropped_leaks == 2


@pytest.mark.parametrize("name", sorted(EVALUATE_ONLY))
def test_evaluate_only_sets_cannot_be_trained_on(data: Path, name: str) -> None:
    """Asking for an evaluate-only set as training data is refused by name."""
    with pytest.raises(EvaluateOnlyError, match=name):
        build_rows(data, sets=(name,), seed=1)
    assert name not in READERS


def test_only_the_judges_import_the_evaluate_only_sets() -> None:
    """No module of training but the evaluation and the bias report imports `evaluation_sets`."""
    allowed = {"evaluate.py", "bias.py", "evaluation_sets.py"}
    folder = Path(triton_models.training.__file__ or "").parent
    found = defaultdict(set)
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or "", *(alias.name for alias in node.names)]
            if any("evaluation_sets" in name for name in names):
                found[path.name].add("evaluation_sets")
            if "read_text" not in path.name and any(name.endswith("hatecheck") for name in names):
                found[path.name].add("hatecheck")
    assert set(found) <= allowed


def test_the_catalog_says_which_sets_are_for_evaluation() -> None:
    """Exactly the three sets of the data's own README are evaluate-only, and every card names its licence."""
    assert {name for name, card in CATALOG.items() if card.use == "evaluate"} == EVALUATE_ONLY
    assert all(card.licence and card.attribution for card in CATALOG.values())


def test_an_unknown_set_is_named_with_the_known_ones(data: Path) -> None:
    """A misspelt set lists what there is."""
    with pytest.raises(UnknownSetError, match="davidson"):
        build_rows(data, sets=("davidsn",), seed=1)


def test_a_missing_file_says_which_and_what_to_do(tmp_path: Path) -> None:
    """An empty data folder is an error that names the file and the option."""
    with pytest.raises(DataError, match=r"labeled_data\.csv.*--data"):
        build_rows(tmp_path, sets=("davidson",), seed=1)


def test_an_unmapped_label_is_an_error(tmp_path: Path) -> None:
    """A label that the mapping table does not have stops the build instead of becoming a guess."""
    data = write_data(tmp_path)
    path = data / "text" / "davidson" / "labeled_data.csv"
    path.write_text(path.read_text(encoding="utf-8") + "99999,7,strange\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"'7'.*known labels"):
        build_rows(data, sets=("davidson",), seed=1)


def test_groups_join_near_copies_and_nothing_else() -> None:
    """Links, mentions, case and small edits do not hide a copy; different posts stay apart."""
    texts = [
        "the river market opens at seven in the winter",
        "THE RIVER MARKET opens at seven in the winter!! http://example.org/x",
        "breakfast music in the garden is a letter from the window",
    ]
    assert near_duplicate_groups(texts).tolist() == [0, 0, 2]
    assert near_duplicate_groups(["!!!", "???", "!!!"]).tolist() == [0, 1, 0]


def test_drawn_splits_have_the_promised_shares() -> None:
    """Over many groups the drawn shares are about a tenth dev and three twentieths test."""
    drawn = [draw_split("any", f"g{number}", 3) for number in range(4000)]
    assert 0.08 < drawn.count("dev") / 4000 < 0.12
    assert 0.13 < drawn.count("test") / 4000 < 0.17
    assert {draw_split("train", f"g{number}", 3) for number in range(50)} == {"train"}
