"""The joint head inside the ensemble: asked only where an item has both, raises the joint row, fails alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.unit.test_serving_ensemble import IMAGE, Tower
from tests.unit.test_serving_ensemble import members as all_members
from triton_models.contract import LABELS, ROWS
from triton_models.serving.ensemble import Ensemble
from triton_models.serving.items import Item

DRUGS = LABELS.index("drugs")
HATE = LABELS.index("hate")


class Head:
    """Finds drugs in whatever it is shown; remembers how much that was."""

    def __init__(self, logit: float) -> None:
        self.logit = logit
        self.shown: list[int] = []

    def logits(self, features: Any, text: Any) -> Any:
        """`[N, C]`, NaN but for drugs."""
        assert len(features) == len(text)
        self.shown.append(len(features))
        out = np.full((len(features), len(LABELS)), np.nan, dtype=np.float32)
        out[:, DRUGS] = self.logit
        return out


class Opposed(Head):
    """Finds no hate at all."""

    def __init__(self) -> None:
        super().__init__(0.0)

    def logits(self, features: Any, text: Any) -> Any:
        """`[N, C]`, far below everything for hate."""
        out = np.full((len(features), len(LABELS)), np.nan, dtype=np.float32)
        out[:, HATE] = -20.0
        return out


class Seeing(Tower):
    """An image tower with features."""

    def features(self, pixels: Any) -> Any:
        """Ones."""
        return np.ones((len(pixels), 1280), dtype=np.float32)


def members(**changes: Any) -> Any:
    """A release whose pictures have features, and whose two halves both judge hate."""
    return all_members(**{"image_tower": Seeing(), **changes})


class Broken:
    """Cannot."""

    def logits(self, features: Any, text: Any) -> Any:
        """Raises."""
        raise ValueError("no")


ITEMS = [Item("a"), Item("b", IMAGE), Item(image=IMAGE), Item()]


def joint_row(outputs: Any, category: int) -> list[float]:
    """The joint row's probabilities."""
    return [float(value) for value in outputs.scores[:, ROWS.index("joint"), category]]


def test_only_items_with_both_are_read_together() -> None:
    """Of four items the one with text and picture is read; its drugs are known to the joint and the fused row only."""
    head = Head(2.0)
    outputs = Ensemble(members(joint=head)).infer(ITEMS)
    assert head.shown == [1]
    assert joint_row(outputs, DRUGS)[1] == pytest.approx(1 / (1 + np.exp(-2.0)))
    assert np.isnan([joint_row(outputs, DRUGS)[index] for index in (0, 2, 3)]).all()
    rows = outputs.scores[1, :, DRUGS]
    assert rows[ROWS.index("fused")] == rows[ROWS.index("joint")]
    assert np.isnan(rows[ROWS.index("text")])


def test_it_never_softens() -> None:
    """A head that finds nothing takes nothing away from what text or picture say alone."""
    with_head = Ensemble(members(joint=Opposed())).infer(ITEMS)
    without = Ensemble(members()).infer(ITEMS)
    fused = ROWS.index("fused")
    assert np.array_equal(with_head.scores[:, fused, HATE], without.scores[:, fused, HATE], equal_nan=True)
    assert with_head.scores[1, fused, HATE] > 0.9


def test_a_broken_head_costs_only_itself() -> None:
    """Everything else is judged as without it, and the failure is noted."""
    ensemble = Ensemble(members(joint=Broken()))
    outputs = ensemble.infer(ITEMS)
    without = Ensemble(members()).infer(ITEMS)
    assert np.array_equal(outputs.scores, without.scores, equal_nan=True)
    assert any("ValueError" in note for note in ensemble.notes)
