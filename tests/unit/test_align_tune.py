"""The joint space's training: its layers compute what the graph serves, it learns, it survives being killed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from tests.towers_factory import lite0_state
from triton_models.deltas import IMAGE_FILE, SIZE, save_deltas, with_deltas
from triton_models.training import align_tune
from triton_models.training.align_tune import AlignData, AlignNet, AlignRecipe, tune
from triton_models.training.export import build_image_tower
from triton_models.training.image_layers import ImageLayers, store_states
from triton_models.training.progress import Silent
from triton_models.training.retrieval import by_language, retrieval

torch.set_num_threads(1)

FIRST = 6
RECIPE = AlignRecipe(first=FIRST, epochs=2, batch=4, learning_rate=1e-3, distil_every=2)
WEIGHTS = lite0_state()


def noise(count: int) -> npt.NDArray[np.uint8]:
    """Pictures of nothing."""
    return np.random.default_rng(0).integers(0, 256, (count, 224, 224, 3), dtype=np.uint8)


def some_data() -> AlignData:
    """Eight pictures of two views each, with captions in one or two languages, and six classes."""
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(16, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    captions = [{"en": row, **({"de": row + 8} if row % 2 else {})} for row in range(8)]
    return AlignData(
        states=rng.normal(size=(16, 192, 7, 7)).astype(np.float16),
        picture=np.repeat(np.arange(8), 2),
        captions=captions,
        vectors=vectors,
        classifier=rng.normal(size=(6, 1280)).astype(np.float32),
        classifier_bias=np.zeros(6, np.float32),
        class_vectors=vectors[:6],
    )


def a_net() -> AlignNet:
    """A net with a drawn map."""
    return AlignNet(WEIGHTS, np.random.default_rng(2).normal(size=(1280, 384)).astype(np.float32), FIRST)


def test_layers_continue_what_the_served_graph_begins(tmp_path: Path) -> None:
    """Lower stages from the graph and upper ones in torch give the features of the whole served tower."""
    pixels = noise(2)
    for first in (3, 5):
        path = tmp_path / f"{first}.npy"
        states = store_states(WEIGHTS.__getitem__, lambda n: pixels[n], 2, path, first=first, advance=lambda _n: None)
        with torch.no_grad():
            found = ImageLayers(WEIGHTS, first)(torch.from_numpy(states.astype(np.float32))).numpy()
        wanted = build_image_tower(WEIGHTS.__getitem__, tmp_path).features(pixels)
        assert np.allclose(found, wanted, atol=2e-2 * np.abs(wanted).max())  # the store holds fp16


def test_states_are_computed_once(tmp_path: Path) -> None:
    """A second call reads the file and draws no picture."""
    pixels, path = noise(1), tmp_path / "states.npy"
    first = store_states(WEIGHTS.__getitem__, lambda n: pixels[n], 1, path, first=6, advance=lambda _n: None)

    def never(_number: int) -> npt.NDArray[np.uint8]:
        raise AssertionError("drawn again")

    again = store_states(WEIGHTS.__getitem__, never, 1, path, first=6, advance=lambda _n: None)
    assert np.array_equal(first, again)
    assert first.shape == (1, 192, 7, 7)


def test_the_names_are_the_parts_and_deltas_serve_them(tmp_path: Path) -> None:
    """What moved is saved under the part's names, a step size for each output of a convolution, and comes back."""
    layers = ImageLayers(WEIGHTS, FIRST)
    moved = {name: np.array(value.detach().numpy()) + 0.25 for name, value in layers.part_names().items()}
    assert "conv_head.weight" in moved
    assert "blocks.6.0.bn1.bias" in moved
    assert set(moved) <= set(WEIGHTS)
    save_deltas(moved, WEIGHTS, tmp_path, file=IMAGE_FILE)
    source = with_deltas(tmp_path, WEIGHTS.__getitem__, file=IMAGE_FILE)
    for name, values in moved.items():
        assert np.allclose(source(name).reshape(values.shape), values, atol=0.002), name
    with np.load(tmp_path / IMAGE_FILE) as saved:
        assert saved[f"blocks.6.0.conv_dw.weight{SIZE}"].shape == (1152, 1, 1, 1)
    assert np.array_equal(source("bn1.bias"), WEIGHTS["bn1.bias"])


def test_pictures_come_nearer_to_their_words(tmp_path: Path) -> None:
    """Some epochs lower the loss and raise the likeness of a picture to its own caption over others'."""
    data, net, start = some_data(), a_net(), ImageLayers(WEIGHTS, FIRST)
    losses = tune(net, start, data, replace(RECIPE, epochs=6), work=tmp_path, progress=Silent())
    assert len(losses) == 6
    assert losses[-1] < 0.8 * losses[0]


def test_a_killed_run_ends_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped in the second epoch and started again, the weights are those of a run that nobody stopped."""
    data, start = some_data(), ImageLayers(WEIGHTS, FIRST)
    whole, stopped = a_net(), a_net()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    tune(whole, start, data, RECIPE, work=tmp_path / "a", progress=Silent())
    inner, calls = align_tune._loss, 0

    def dying(*given: object) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == 6:  # four steps an epoch
            raise KeyboardInterrupt
        return inner(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(align_tune, "_loss", dying)
    with pytest.raises(KeyboardInterrupt):
        tune(stopped, start, data, RECIPE, work=tmp_path / "b", progress=Silent())
    monkeypatch.undo()
    again = a_net()
    tune(again, start, data, RECIPE, work=tmp_path / "b", progress=Silent())
    for left, right in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(left, right)


def test_recall_counts_ranks_both_ways() -> None:
    """One picture of three finds its caption first, all within ten; a caption of two pictures is found by either."""
    captions = np.eye(2, 4, dtype=np.float32)
    pictures = np.array([[1, 0, 0, 0], [0.4, 0.6, 0, 0], [0.9, 0.1, 0, 0]], np.float32)
    found = retrieval(pictures, captions, [0, 0, 1])
    assert found["picture_to_text_at_1"] == pytest.approx(1 / 3, abs=1e-4)
    assert found["picture_to_text_at_10"] == 1.0
    assert found["text_to_picture_at_1"] == 0.5  # caption 1's only picture is beaten by the second picture
    assert (found["pictures"], found["captions"]) == (3, 2)


def test_languages_are_measured_apart() -> None:
    """Each language has its own pictures and candidates; one that no picture has is left out."""
    vectors = np.eye(3, dtype=np.float32)
    told: Sequence[dict[str, int]] = [{"en": 0}, {"en": 1, "de": 2}]
    found = by_language(np.eye(3, dtype=np.float32)[[0, 2]], told, vectors, languages=("en", "de", "ja"))
    assert found["en"]["captions"] == 2
    assert found["de"] == {
        "pictures": 1,
        "captions": 1,
        "picture_to_text_at_1": 1.0,
        "picture_to_text_at_10": 1.0,
        "text_to_picture_at_1": 1.0,
        "text_to_picture_at_10": 1.0,
    }
    assert "ja" not in found


def test_the_map_can_move_alone(tmp_path: Path) -> None:
    """With the first stage beyond the last, the tower keeps every weight and the map learns."""
    rng = np.random.default_rng(3)
    data = replace(some_data(), states=rng.normal(size=(16, 320, 7, 7)).astype(np.float16))
    drawn = rng.normal(size=(1280, 384)).astype(np.float32)
    net, start = AlignNet(WEIGHTS, drawn, 7), ImageLayers(WEIGHTS, 7)
    losses = tune(net, start, data, replace(RECIPE, first=7, epochs=6), work=tmp_path, progress=Silent())
    assert losses[-1] < losses[0]
    assert not np.array_equal(net.map.detach().numpy(), drawn)
    for left, right in zip(net.layers.parameters(), start.parameters(), strict=True):
        assert torch.equal(left, right)
