"""Filling exported graphs: each step's formula, the layout of the file, and errors that name the weight."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from triton_models.fill import ALIGN_BYTES, STEPS, TF_BN_EPSILON, FillError, FillPlan, Weight, fill, make

RNG = np.random.default_rng(0)
MATRIX = RNG.normal(size=(3, 5)).astype(np.float32)
OTHER = RNG.normal(size=(2, 5)).astype(np.float32)


def test_matrices_are_stacked_and_turned() -> None:
    """Several `[outputs, inputs]` matrices become one `[inputs, outputs]`."""
    assert np.array_equal(STEPS["transposed"]([MATRIX, OTHER]), np.concatenate([MATRIX, OTHER]).T)


def test_int8_and_its_scale_give_the_weights_back() -> None:
    """int8 times the scale of its output is within half a step of the weight; the greatest weight is 127 steps."""
    quantised, scale = STEPS["int8"]([MATRIX, OTHER]), STEPS["int8_scale"]([MATRIX, OTHER])
    wanted = np.concatenate([MATRIX, OTHER]).T
    assert quantised.dtype == np.int8
    assert np.abs(quantised * scale - wanted).max() <= scale.max() / 2 + 1e-7
    assert (np.abs(quantised).max(axis=0) == 127).all()


def test_a_row_of_zeros_stays_zero() -> None:
    """A weightless output quantises to zeros, not to a division by zero."""
    assert not STEPS["int8"]([np.zeros((1, 4), np.float32)]).any()


def test_a_folded_batch_norm_computes_the_same() -> None:
    """Conv then batch norm equals the folded conv with its bias."""
    weight = RNG.normal(size=(4, 3, 1, 1)).astype(np.float32)
    gamma, beta, mean = (RNG.normal(size=4).astype(np.float32) for _ in range(3))
    var = RNG.uniform(0.5, 2.0, 4).astype(np.float32)
    parts, x = [weight, gamma, beta, mean, var], RNG.normal(size=3).astype(np.float32)
    plain = (weight[:, :, 0, 0] @ x - mean) * gamma / np.sqrt(var + TF_BN_EPSILON) + beta
    folded = STEPS["bn_weight"](parts)[:, :, 0, 0] @ x + STEPS["bn_bias"](parts)
    assert np.allclose(plain, folded, atol=1e-5)


def _plan() -> FillPlan:
    first = Weight("a", "as_is", ("m",), (3, 5), "float32", 0, 60)
    return FillPlan("x.onnx", "x.bin", (first, Weight("b", "int8", ("m",), (5, 3), "int8", ALIGN_BYTES, 15)))


def test_each_weight_lies_where_the_plan_says(tmp_path: Path) -> None:
    """The data file holds every weight at its offset."""
    fill(_plan(), {"m": MATRIX}.__getitem__, tmp_path / "x.bin")
    data = (tmp_path / "x.bin").read_bytes()
    assert data[:60] == MATRIX.tobytes()
    assert data[ALIGN_BYTES : ALIGN_BYTES + 15] == STEPS["int8"]([MATRIX]).tobytes()


def test_a_plan_survives_its_file(tmp_path: Path) -> None:
    """What is saved is what is loaded."""
    _plan().save(tmp_path / "plan.json")
    assert FillPlan.load(tmp_path / "plan.json") == _plan()


@pytest.mark.parametrize(
    "change",
    [{"sources": ("missing",)}, {"step": "no_such_step"}, {"shape": (5, 3)}, {"dtype": "int8"}, {"step": "bn_bias"}],
)
def test_what_does_not_fit_names_the_weight(change: dict[str, object]) -> None:
    """A missing tensor, an unknown step or another shape is an error that says which weight."""
    wrong = replace(_plan().weights[0], **change)  # type: ignore[arg-type]  # names and types by hand, above
    with pytest.raises(FillError, match=r"^a: "):
        make(wrong, {"m": MATRIX}.__getitem__)
