"""The joint head inside the ensemble: asked only where an item has both, raises the joint row, fails alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.unit.test_serving_ensemble import IMAGE, Tower
from tests.unit.test_serving_ensemble import members as all_members
from triton_models.contract import LABELS, MEMBERS, ROWS, Status
from triton_models.serving.ensemble import Ensemble
from triton_models.serving.items import Item

DRUGS = LABELS.index("drugs")
HATE = LABELS.index("hate")


class Head:
    """Finds drugs in whatever it is shown; remembers how much that was."""

    image_inputs = 1280

    def __init__(self, logit: float) -> None:
        self.logit = logit
        self.shown: list[int] = []

    def logits(self, features: Any, text: Any) -> Any:
        """`[N, C]`, NaN but for drugs."""
        assert features.shape == (len(text), self.image_inputs)
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

    image_inputs = 1280

    def logits(self, features: Any, text: Any) -> Any:
        """Raises."""
        raise ValueError("no")


class WideHead(Head):
    """A head for two towers."""

    image_inputs = 2560

    def logits(self, features: Any, text: Any) -> Any:
        """As `Head`, and the halves of what it sees are the two towers'."""
        assert np.array_equal(features[:, :1280], np.ones((len(features), 1280)))
        assert np.array_equal(features[:, 1280:], np.full((len(features), 1280), 2.0))
        return super().logits(features, text)


class Drawings:
    """A second tower; remembers how many pictures it saw."""

    def __init__(self) -> None:
        self.shown: list[int] = []

    def features(self, pixels: Any) -> Any:
        """Twos."""
        self.shown.append(len(pixels))
        return np.full((len(pixels), 1280), 2.0, dtype=np.float32)


class Blind(Drawings):
    """A second tower that cannot."""

    def features(self, pixels: Any) -> Any:
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


def test_the_second_tower_sees_only_what_is_read_together() -> None:
    """Of two pictures it sees the one that has a text; the head gets both towers' features side by side."""
    head, drawings = WideHead(2.0), Drawings()
    outputs = Ensemble(members(joint=head, drawings_tower=drawings)).infer(ITEMS)
    assert (head.shown, drawings.shown) == ([1], [1])
    assert joint_row(outputs, DRUGS)[1] == pytest.approx(1 / (1 + np.exp(-2.0)))


def test_a_blind_second_tower_costs_only_the_joint_reading() -> None:
    """What text and picture say alone stays; the towers are told as failed for the item that has both."""
    head = WideHead(2.0)
    outputs = Ensemble(members(joint=head, drawings_tower=Blind())).infer(ITEMS)
    without = Ensemble(members()).infer(ITEMS)
    assert head.shown == []
    assert np.array_equal(outputs.scores, without.scores, equal_nan=True)
    column = MEMBERS.index("towers")
    assert outputs.member_status[1, column] == Status.FAILED
    assert np.array_equal(outputs.member_status[[0, 2, 3], column], without.member_status[[0, 2, 3], column])


@pytest.mark.parametrize(("head", "drawings"), [(WideHead(0.0), None), (Head(0.0), Drawings())])
def test_a_head_of_other_towers_is_refused(head: Head, drawings: Drawings | None) -> None:
    """A head that was taught on one tower is not served with two, nor the other way round."""
    with pytest.raises(ValueError, match="weir model joint"):
        members(joint=head, drawings_tower=drawings)
