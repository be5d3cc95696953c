"""Manifests: they come back as written, bad lines are named, leaks are found, own files are taken in."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from tests.pairs_factory import write_pair_data
from triton_models.training.datasets import DataError
from triton_models.training.manifest import ManifestRow, read_manifest, write_manifest
from triton_models.training.manifest_build import DataPlan, build_manifest
from triton_models.training.manifest_check import check_manifest, count_manifest
from triton_models.training.manifest_import import import_own
from triton_models.training.progress import Silent


def a_row(**fields: object) -> ManifestRow:
    """A sound row."""
    given: dict[str, object] = {"id": "1", "text": "a text of its own", "licence": "CC0-1.0", "source": "own"}
    return ManifestRow(**{**given, **fields})  # type: ignore[arg-type]


ROWS = [
    a_row(labels={"hate": 1.0}, severity={"hate": 4}, locale="de", split="dev", created_at=1.5),
    a_row(id="2", text=None, image="images/a.jpg", labels={"weapons": 0.0, "drugs": 0.85}, author="x"),
]


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_comes_back_as_written(tmp_path: Path, suffix: str) -> None:
    """Both formats keep every field."""
    path = tmp_path / f"m{suffix}"
    assert write_manifest(ROWS, path) == 2
    assert read_manifest(path) == ROWS


def test_bad_lines_are_named(tmp_path: Path) -> None:
    """Every bad line is told with its number and what is wrong, all at once."""
    path = tmp_path / "m.jsonl"
    lines = ["{", '{"id": "b"}', '{"id": "c", "text": "t", "labels": {"hat": 1}}', '{"id": "d", "text": "t", "x": 1}']
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_manifest(path)
    told = str(caught.value)
    assert "4 bad lines" in told
    assert all(word in told for word in ("line 1: not JSON", "line 2 (b): neither", "hat", "`x`"))


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"group": "g"}, "group"),
        ({"template": "t/1"}, "template"),
        ({"picture": "icon"}, "picture"),
        ({"author": "somebody"}, "author"),
    ],
)
def test_leaks_are_found(fields: dict[str, str], kind: str) -> None:
    """What two splits share is found, and content is never quoted."""
    rows = [
        a_row(id="a", text="the first text, all about apples", split="train", **fields),
        a_row(id="b", text="nothing alike: rain in spring", split="test", **fields),
    ]
    (finding,) = check_manifest(rows)
    assert finding.kind == kind
    assert "somebody" not in finding.line()


def test_near_duplicates_across_splits_are_found() -> None:
    """A text that differs in a sign only may not be in two splits."""
    rows = [
        a_row(id="a", text="these people should all go home right now", split="train"),
        a_row(id="b", text="These people should all go home, right now!!", split="dev"),
    ]
    assert [one.kind for one in check_manifest(rows)] == ["near-duplicates"]
    assert check_manifest([rows[0]]) == []


def test_other_faults_are_found(tmp_path: Path) -> None:
    """Repeated ids, evaluate-only sets, missing pictures and rows without a licence."""
    rows = [a_row(), a_row(text="another", source="hatecheck"), a_row(id="3", text=None, image="no.jpg", licence="")]
    assert {one.kind for one in check_manifest(rows, tmp_path)} == {"ids", "evaluate-only", "picture", "licence"}


def test_counts() -> None:
    """Positives are counted by split and modality; what was not asked is not counted."""
    counts = count_manifest(ROWS)
    assert counts["modality"] == {"text": 1, "image": 1}
    assert counts["categories"]["hate"]["positive"] == {"dev": 1}
    assert counts["categories"]["drugs"]["positive_by_modality"] == {"image": 1}
    assert counts["categories"]["sexual"]["asked"] == 0


def test_own_tables(tmp_path: Path) -> None:
    """A CSV and a JSONL of the same posts give the same labels, and a post's split does not depend on the format."""
    table = tmp_path / "own.csv"
    table.write_text('text,hate,weapons,locale\n"hello, you",0,,en\n"go away",1,0,en\n', encoding="utf-8")
    lines = tmp_path / "own.jsonl"
    posts = [
        {"text": "hello, you", "labels": {"hate": 0}, "locale": "en"},
        {"text": "go away", "labels": {"hate": 1, "weapons": 0}, "locale": "en"},
    ]
    lines.write_text("\n".join(json.dumps(post) for post in posts), encoding="utf-8")
    first, second = (import_own(path, seed=1, pictures=tmp_path) for path in (table, lines))
    assert (
        [row.labels for row in first]
        == [row.labels for row in second]
        == [{"hate": 0.0}, {"hate": 1.0, "weapons": 0.0}]
    )
    assert [row.split for row in first] == [row.split for row in second]


def test_own_archive(tmp_path: Path) -> None:
    """A webdataset shard: text, picture and labels by key; a picture's path in the archive leads nowhere."""
    path = tmp_path / "shard.tar"
    with tarfile.open(path, "w") as archive:
        members = {"../../a.jpg": b"jpeg", "../../a.json": b'{"labels": {"drugs": 1}}', "b.txt": b"only text"}
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    rows = import_own(path, seed=1, pictures=tmp_path / "images")
    assert len(rows) == 2
    picture = next(row.image for row in rows if row.image)
    assert picture is not None
    assert Path(picture).is_relative_to(tmp_path / "images")
    assert Path(picture).read_bytes() == b"jpeg"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("own.csv", "text,split\nhello,later\n", "split 'later'"),
        ("own.csv", "hate\n1\n", "neither text nor image"),
        ("own.jsonl", '{"text": "a", "labels": {"hate": 2}}', "not all 0..1"),
        ("own.jsonl", '{"text": "a", "labels": {"hat": 1}}', "no category hat"),
        ("own.jsonl", "[1]", "line 1"),
        ("own.txt", "a", ".txt is not known"),
    ],
)
def test_bad_own_files_say_where(tmp_path: Path, name: str, text: str, said: str) -> None:
    """A user's file that cannot be used is an error that names the row and the problem."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        import_own(path, seed=1, pictures=tmp_path)
    assert said in str(caught.value)


def test_generated_pairs_are_a_sound_manifest(tmp_path: Path) -> None:
    """Built pairs pass their own check, have their pictures beside them and say whose they are."""
    plan = DataPlan(data=write_pair_data(tmp_path / "data"), quadruples=4)
    built = build_manifest(plan, tmp_path / "out", Silent())
    assert built.findings == ()
    rows = read_manifest(built.path)
    assert all(row.image and (built.path.parent / row.image).is_file() for row in rows)
    assert "somebody" in (tmp_path / "out" / "ATTRIBUTION.md").read_text(encoding="utf-8")
