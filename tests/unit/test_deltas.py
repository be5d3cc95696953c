"""A release's own layers replace the part's, others stay, and a wrong shape is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from triton_models.deltas import read_quality, save_deltas, with_deltas

PART = {"l0.q.w": np.zeros((2, 3), np.float32), "l1.q.w": np.zeros((2, 3), np.float32)}


def test_changed_layers_replace_the_parts(tmp_path: Path) -> None:
    """What was changed comes from the release, as fp16 keeps it; the rest from the part."""
    save_deltas({"l1.q.w": np.full((2, 3), 0.1, np.float32)}, tmp_path)
    source = with_deltas(tmp_path, PART.__getitem__)
    assert np.allclose(source("l1.q.w"), 0.1, atol=1e-4)
    assert source("l0.q.w").sum() == 0


def test_without_deltas_the_part_is_served(tmp_path: Path) -> None:
    """A release that changed nothing takes the part as it is."""
    source = PART.__getitem__
    assert with_deltas(tmp_path, source) is source


def test_a_wrong_shape_is_named(tmp_path: Path) -> None:
    """Deltas of another model are refused with the tensor's name and both shapes."""
    save_deltas({"l0.q.w": np.zeros((3, 2), np.float32)}, tmp_path)
    with pytest.raises(ValueError, match=r"l0\.q\.w is \[3, 2\] where the part has \[2, 3\]"):
        with_deltas(tmp_path, PART.__getitem__)("l0.q.w")


def test_quality_comes_from_the_card(tmp_path: Path) -> None:
    """The card's figures, or none."""
    assert read_quality(tmp_path) == {}
    (tmp_path / "card.json").write_text(json.dumps({"quality": {"hatecheck": 1}}), encoding="utf-8")
    assert read_quality(tmp_path) == {"hatecheck": 1}
