"""Assembling beside a promoted version: what serves stays pinned and is never removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.tiny_safety_model import write_tiny_version
from triton_models import assemble as assembling
from triton_models.assemble import AssembleOptions, assemble_release
from triton_models.build import BuildInputs
from triton_models.contract import MODEL_NAME
from triton_models.release_store import ReleaseStore, pinned_versions


@pytest.fixture
def options(monkeypatch: pytest.MonkeyPatch) -> AssembleOptions:
    """Assembling that builds a tiny version and needs no part."""
    counter = iter(range(100))

    def build(_inputs: BuildInputs, target: Path, _step: object) -> dict[str, object]:
        target.rmdir()
        write_tiny_version(target, score=0.5, release=f"tiny-{next(counter)}")
        return {"release": "tiny", "tier": "reference", "members": []}

    monkeypatch.setattr(assembling, "ensure_parts", lambda *_args, **_options: [])
    monkeypatch.setattr(assembling, "build_version", build)
    return AssembleOptions(instances=1)


def again(home: Path, options: AssembleOptions) -> int:
    """Builds another version; its number."""
    force = AssembleOptions(instances=options.instances, force=True)
    return int(assemble_release(home, force).version_dir.name)


def test_an_unpinned_store_serves_the_newest(tmp_path: Path, options: AssembleOptions) -> None:
    """Before the first promotion the newest version is current, as Triton takes it."""
    assemble_release(tmp_path, options)
    assert again(tmp_path, options) == 2
    store = ReleaseStore(tmp_path / "repository")
    assert store.pinned() is None
    assert store.current() == 2


def test_a_pinned_version_outlives_new_ones(tmp_path: Path, options: AssembleOptions) -> None:
    """However often one assembles, the promoted version and the one before it stay, and the pin with them."""
    assemble_release(tmp_path, options)
    again(tmp_path, options)
    store = ReleaseStore(tmp_path / "repository")
    store.note(event="served", serving=1)
    store.switch(2, standby=1)
    store.note(event="served", serving=2)
    numbers = [again(tmp_path, options) for _ in range(4)]
    assert numbers == [3, 4, 5, 6]
    assert store.current() == 2
    assert {1, 2, 6} <= {version.number for version in store.versions()}
    assert pinned_versions(tmp_path / "repository" / MODEL_NAME / "config.pbtxt") == (1, 2)


def test_what_is_built_is_found_behind_the_pin(tmp_path: Path, options: AssembleOptions) -> None:
    """With a pin, a version that was built from the same inputs is found, though a later one exists."""
    first = assemble_release(tmp_path, options)
    store = ReleaseStore(tmp_path / "repository")
    store.add(write_tiny_version(tmp_path / "other", score=0.1))
    found = assemble_release(tmp_path, options)
    assert not found.built
    assert found.version_dir == first.version_dir
