"""The second image tower: its layers compute what the graph serves, it learns, it survives being killed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from tests.towers_factory import lite0_state
from triton_models.deltas import DRAWINGS_FILE, SIZE, save_deltas, with_deltas
from triton_models.training import drawings_tune
from triton_models.training.drawings_tune import DrawingsData, DrawingsNet, DrawingsRecipe, disturbed, tune_drawings
from triton_models.training.export import build_image_tower
from triton_models.training.image_layers import ImageLayers, store_states
from triton_models.training.progress import Silent

torch.set_num_threads(1)

FIRST = 6
RECIPE = DrawingsRecipe(first=FIRST, epochs=2, batch=4, learning_rate=1e-3, mean=0.5)
WEIGHTS = lite0_state()


def noise(count: int) -> npt.NDArray[np.uint8]:
    """Pictures of nothing."""
    return np.random.default_rng(0).integers(0, 256, (count, 224, 224, 3), dtype=np.uint8)


def some_data() -> DrawingsData:
    """Eight pictures of two views each, of two kinds and two of none, with captions in one or two languages."""
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(16, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    kinds = np.array([[1, 0], [0, 1], [1, 1], [0, 1], [1, 0], [0, 1], [np.nan] * 2, [np.nan] * 2], np.float32)
    captions = [{"en": row, **({"de": row + 8} if row % 2 else {})} for row in range(8)]
    states = rng.normal(size=(16, 192, 7, 7)).astype(np.float16)
    return DrawingsData(states, np.repeat(np.arange(8), 2), captions, vectors, kinds)


def a_net() -> DrawingsNet:
    """A net with a drawn map; the reading of kinds is drawn too."""
    torch.manual_seed(3)
    return DrawingsNet(WEIGHTS, np.random.default_rng(2).normal(size=(1280, 384)).astype(np.float32), 2, RECIPE)


def test_layers_continue_what_the_served_graph_begins(tmp_path: Path) -> None:
    """Lower stages from the graph and upper ones in torch give the features of the whole served tower."""
    pixels = noise(2)
    for first in (3, 5):
        path = tmp_path / f"{first}.npy"
        states = store_states(WEIGHTS.__getitem__, [pixels], 2, path, first=first, advance=lambda _n: None)
        with torch.no_grad():
            found = ImageLayers(WEIGHTS, first)(torch.from_numpy(states.astype(np.float32))).numpy()
        wanted = build_image_tower(WEIGHTS.__getitem__, tmp_path).features(pixels)
        assert np.allclose(found, wanted, atol=2e-2 * np.abs(wanted).max())  # the store holds fp16


def test_states_are_computed_once(tmp_path: Path) -> None:
    """A second call reads the file and draws no picture."""
    path = tmp_path / "states.npy"
    first = store_states(WEIGHTS.__getitem__, [noise(1)], 1, path, first=6, advance=lambda _n: None)

    def never(_number: int) -> npt.NDArray[np.uint8]:
        raise AssertionError("drawn again")

    again = store_states(WEIGHTS.__getitem__, map(never, [0]), 1, path, first=6, advance=lambda _n: None)
    assert np.array_equal(first, again)
    assert first.shape == (1, 192, 7, 7)


def test_the_names_are_the_parts_and_deltas_serve_them(tmp_path: Path) -> None:
    """What moved is saved under the part's names, a step size for each output of a convolution, and comes back."""
    layers = ImageLayers(WEIGHTS, FIRST)
    moved = {name: np.array(value.detach().numpy()) + 0.25 for name, value in layers.part_names().items()}
    assert "conv_head.weight" in moved
    assert "blocks.6.0.bn1.bias" in moved
    assert set(moved) <= set(WEIGHTS)
    save_deltas(moved, WEIGHTS, tmp_path, file=DRAWINGS_FILE)
    source = with_deltas(tmp_path, WEIGHTS.__getitem__, file=DRAWINGS_FILE)
    for name, values in moved.items():
        assert np.allclose(source(name).reshape(values.shape), values, atol=0.002), name
    with np.load(tmp_path / DRAWINGS_FILE) as saved:
        assert saved[f"blocks.6.0.conv_dw.weight{SIZE}"].shape == (1152, 1, 1, 1)
    assert np.array_equal(source("bn1.bias"), WEIGHTS["bn1.bias"])


def test_drawings_come_nearer_to_their_names_and_kinds(tmp_path: Path) -> None:
    """Some epochs lower the loss, the upper stages move with it, and the net is left for measuring."""
    net = a_net()
    losses = tune_drawings(net, some_data(), replace(RECIPE, epochs=6), work=tmp_path, progress=Silent())
    assert len(losses) == 6
    assert losses[-1] < 0.8 * losses[0]
    assert not net.training
    start = ImageLayers(WEIGHTS, FIRST).part_names()
    assert all(not torch.equal(value, start[name]) for name, value in net.layers.part_names().items())


def test_a_killed_run_ends_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped in the second epoch and started again, the running means are those of a run that nobody stopped."""
    data, whole, stopped = some_data(), a_net(), a_net()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    tune_drawings(whole, data, RECIPE, work=tmp_path / "a", progress=Silent())
    inner, calls = drawings_tune._loss, 0

    def dying(*given: object) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == 6:  # four steps an epoch
            raise KeyboardInterrupt
        return inner(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(drawings_tune, "_loss", dying)
    with pytest.raises(KeyboardInterrupt):
        tune_drawings(stopped, data, RECIPE, work=tmp_path / "b", progress=Silent())
    monkeypatch.undo()
    again = a_net()
    tune_drawings(again, data, RECIPE, work=tmp_path / "b", progress=Silent())
    for left, right in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(left, right)


def test_other_kinds_are_another_run(tmp_path: Path) -> None:
    """A finished run's checkpoint does not stand for a run with another table of concepts."""
    data, first, second = some_data(), a_net(), a_net()
    tune_drawings(first, data, RECIPE, work=tmp_path, progress=Silent())
    tune_drawings(second, replace(data, kinds=data.kinds[:, ::-1].copy()), RECIPE, work=tmp_path, progress=Silent())
    assert len(list(tmp_path.glob("drawings-*.pt"))) == 2
    assert not torch.equal(first.kinds.weight, second.kinds.weight)


def test_states_are_mirrored_and_cut_at_random() -> None:
    """Some of many are mirrored, some have a square of nothing, some are as they were; none gains a value."""
    plain = np.tile(np.arange(1.0, 82.0, dtype=np.float32).reshape(1, 1, 9, 9), (60, 1, 1, 1))
    found = disturbed(plain.copy(), np.random.default_rng(0)).numpy()
    cut = (found == 0).reshape(60, -1).sum(axis=1)
    assert set(cut) == {0, 9}
    whole = found[cut == 0]
    mirrored = [bool(np.array_equal(one, plain[0][:, :, ::-1])) for one in whole]
    assert 0 < sum(mirrored) < len(whole)
    assert all(np.array_equal(one, plain[0]) for one, other in zip(whole, mirrored, strict=True) if not other)
