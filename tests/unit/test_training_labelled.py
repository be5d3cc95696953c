"""A user's own labelled posts: read whole, or refused with every bad line."""

from __future__ import annotations

from pathlib import Path

import pytest

from triton_models.training.datasets import DataError
from triton_models.training.labelled import read_labelled


def test_posts_are_read_with_what_was_asked(tmp_path: Path) -> None:
    """Labels are kept as given, blank lines are skipped, and a missing id is the line's number."""
    path = tmp_path / "posts.jsonl"
    path.write_text(
        '{"id": "a", "text": "one", "labels": {"hate": 1, "drugs": 0}, "surface": "feed"}\n\n'
        '{"text": "two", "labels": {}}\n',
        encoding="utf-8",
    )
    first, second = read_labelled(path)
    assert first.labels == {"hate": 1, "drugs": 0}
    assert (first.id, second.id) == ("a", "3")


def test_every_bad_line_is_named(tmp_path: Path) -> None:
    """Broken JSON, an unknown category and a label that is neither 0 nor 1 are all reported at once."""
    path = tmp_path / "posts.jsonl"
    path.write_text(
        '{"text": "x", "labels": {"hate": 0.5}}\n{"text"\n{"text": "x", "labels": {"hatred": 1}}\n'
        '{"text": 5, "labels": {}}\n',
        encoding="utf-8",
    )
    with pytest.raises(DataError) as caught:
        read_labelled(path)
    message = str(caught.value)
    assert "4 bad lines" in message
    assert all(f"line {number}:" in message for number in (1, 2, 3, 4))
    assert "hatred=1" in message


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    """Nothing to measure on is said, with an example of a line."""
    path = tmp_path / "posts.jsonl"
    path.write_text("\n", encoding="utf-8")
    with pytest.raises(DataError, match="holds no posts"):
        read_labelled(path)
