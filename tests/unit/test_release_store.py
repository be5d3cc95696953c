"""The store of versions: whole or not there, pinned by name, numbers never reused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.tiny_safety_model import write_tiny_repository, write_tiny_version
from triton_models.contract import MODEL_NAME
from triton_models.release_store import CANARY_NAME, ReleaseStore, StoreError


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    """A store with version 1, not pinned yet."""
    return ReleaseStore(write_tiny_repository(tmp_path / "repository"))


def config(store: ReleaseStore) -> str:
    """The configuration that a server reads."""
    return (store.folder / "config.pbtxt").read_text(encoding="utf-8")


def test_adding_does_not_serve(store: ReleaseStore, tmp_path: Path) -> None:
    """A version that is added is not the current one, whatever its number."""
    assert store.add(write_tiny_version(tmp_path / "new", score=0.1)) == 2
    assert store.current() == 1
    assert "versions: [ 1 ]" in config(store)


def test_switching_replaces_the_policy(store: ReleaseStore, tmp_path: Path) -> None:
    """However often the version is switched, the configuration has one policy and keeps the rest."""
    store.add(write_tiny_version(tmp_path / "new", score=0.1))
    before = config(store).count("name:")
    for number in (2, 1, 2):
        store.switch(number)
        assert store.current() == number
    assert config(store).count("version_policy") == 1
    assert config(store).count("name:") == before


def test_a_standby_stays_loaded_below(store: ReleaseStore, tmp_path: Path) -> None:
    """A lower version may stay loaded beside the served one; a higher one never, since Triton would answer with it."""
    store.add(write_tiny_version(tmp_path / "new", score=0.1))
    store.switch(2, standby=1)
    assert "versions: [ 1, 2 ]" in config(store)
    assert store.current() == 2
    store.switch(1, standby=2)
    assert "versions: [ 1 ]" in config(store)


def test_foreign_policy_is_replaced(store: ReleaseStore) -> None:
    """A policy that somebody wrote by hand gives way to the pin."""
    path = store.folder / "config.pbtxt"
    path.write_text(config(store) + "version_policy: { latest: { num_versions: 2 } }\n", encoding="utf-8")
    store.switch(1)
    assert "latest" not in config(store)
    assert store.current() == 1


def test_numbers_are_not_reused(store: ReleaseStore, tmp_path: Path) -> None:
    """A discarded version's number stays taken once the journal speaks of it."""
    candidate = write_tiny_version(tmp_path / "new", score=0.1)
    number = store.add(candidate)
    store.note(event="refused", version=number, serving=1, reason="r")
    store.discard(number)
    assert store.add(candidate) == number + 1


def test_a_candidate_changed_later_changes_nothing(store: ReleaseStore, tmp_path: Path) -> None:
    """What is stored does not share its bytes with the folder it came from."""
    candidate = write_tiny_version(tmp_path / "new", score=0.1)
    number = store.add(candidate)
    (candidate / "scores.json").write_text("{}", encoding="utf-8")
    assert "0.1" in (store.folder / str(number) / "scores.json").read_text(encoding="utf-8")


def test_the_served_version_cannot_be_discarded(store: ReleaseStore) -> None:
    """Discarding what is served is an error, and it stays."""
    with pytest.raises(StoreError, match="being served"):
        store.discard(1)
    assert store.version(1).release == "tiny-1"


def test_previous_is_what_was_served_before(store: ReleaseStore, tmp_path: Path) -> None:
    """The version to go back to is the last served one, not the number before."""
    for name in ("a", "b"):
        store.add(write_tiny_version(tmp_path / name, score=0.1))
    store.note(event="served", serving=1, version=1)
    store.switch(3)
    store.note(event="served", serving=3, version=3)
    assert store.previous() == 1


def test_a_cut_journal_line_is_left_out(store: ReleaseStore) -> None:
    """A journal whose last line was half written is read up to it."""
    store.note(event="served", serving=1)
    with (store.repository / f".{MODEL_NAME}.journal.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"at": 1, "ev')
    assert [entry["event"] for entry in store.journal()] == ["served"]


def test_canary_has_its_own_name(store: ReleaseStore, tmp_path: Path) -> None:
    """A canary is another model over the same files, and closing it leaves the version."""
    number = store.add(write_tiny_version(tmp_path / "new", score=0.1))
    store.open_canary(number)
    canary = store.repository / CANARY_NAME
    assert f'name: "{CANARY_NAME}"' in (canary / "config.pbtxt").read_text(encoding="utf-8")
    assert (canary / "1" / "model.py").is_file()
    store.close_canary()
    assert not canary.exists()
    assert store.version(number).path.is_dir()


def test_wrong_stores_are_named(store: ReleaseStore, tmp_path: Path) -> None:
    """No model, no such version, no version folder: each error says which."""
    with pytest.raises(StoreError, match=MODEL_NAME):
        ReleaseStore(tmp_path)
    with pytest.raises(StoreError, match="no version 7"):
        store.version(7)
    with pytest.raises(StoreError, match=r"no model\.py"):
        store.add(tmp_path)
