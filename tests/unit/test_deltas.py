"""A release's own layers replace the part's, others stay, and a wrong shape is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from triton_models.deltas import read_quality, save_deltas, with_deltas

PART = {"l0.q.w": np.zeros((2, 3), np.float32), "l1.q.w": np.zeros((2, 3), np.float32)}


def test_changed_layers_replace_the_parts(tmp_path: Path) -> None:
    """What was changed comes from the release, within half a step of its row; the rest from the part."""
    wanted = np.array([[0.1, -0.03, 0.0], [1e-4, 5e-5, -2e-5]], np.float32)
    save_deltas({"l1.q.w": wanted}, PART, tmp_path)
    source = with_deltas(tmp_path, PART.__getitem__)
    assert np.allclose(source("l1.q.w")[0], wanted[0], atol=0.1 / 127 / 2 + 1e-9)
    assert np.allclose(source("l1.q.w")[1], wanted[1], atol=1e-4 / 127 / 2 + 1e-9)
    assert source("l0.q.w").sum() == 0


def test_without_deltas_the_part_is_served(tmp_path: Path) -> None:
    """A release that changed nothing takes the part as it is."""
    source = PART.__getitem__
    assert with_deltas(tmp_path, source) is source


def test_a_wrong_shape_is_named(tmp_path: Path) -> None:
    """Deltas of another model are refused with the tensor's name and both shapes."""
    other = {"l0.q.w": np.zeros((3, 2), np.float32)}
    save_deltas(other, other, tmp_path)
    with pytest.raises(ValueError, match=r"l0\.q\.w is \[3, 2\] where the part has \[2, 3\]"):
        with_deltas(tmp_path, PART.__getitem__)("l0.q.w")


def test_quality_comes_from_the_card(tmp_path: Path) -> None:
    """The card's figures, or none."""
    assert read_quality(tmp_path) == {}
    (tmp_path / "card.json").write_text(json.dumps({"quality": {"hatecheck": 1}}), encoding="utf-8")
    assert read_quality(tmp_path) == {"hatecheck": 1}
    (tmp_path / "parity.json").write_text(json.dumps({"max_difference": 1e-6}), encoding="utf-8")
    assert read_quality(tmp_path) == {"hatecheck": 1, "parity": {"max_difference": 1e-6}}
