"""The exported graphs compute what torch computes, on small random towers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.towers_factory import WIDTH, lite0_state, write_e5
from triton_models.parts import E5Model, read_e5
from triton_models.serving.joint_space import FloatArray, JointSpace, unit
from triton_models.serving.text_tower import TextTower
from triton_models.training.align import Alignment, align
from triton_models.training.export import build_image_tower, build_text_tower
from triton_models.training.graph_text import export_text_graph
from triton_models.training.parity import MAX_DIFFERENCE, Parity, image_parity, passes, prove, text_parity
from triton_models.training.towers import build_clip

TEXTS = ["hello world", "a", "ab ab ab abc cab", "你好 hello", "bc" * 40, ""]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> E5Model:
    """A random two-layer BERT."""
    return read_e5(write_e5(tmp_path_factory.mktemp("e5") / "tiny.bin", layers=2))


@pytest.fixture(scope="module")
def image() -> dict[str, FloatArray]:
    """Random weights of the image tower."""
    return lite0_state()


@pytest.fixture(scope="module")
def alignment() -> Alignment:
    """A random alignment."""
    rng = np.random.default_rng(3)
    names = unit(rng.normal(size=(1000, WIDTH)).astype(np.float32))
    return align(rng.normal(size=(1000, 1280)).astype(np.float32), names)


@pytest.fixture(scope="module")
def tower(text: E5Model, tmp_path_factory: pytest.TempPathFactory) -> TextTower:
    """The int8 tower as served."""
    return build_text_tower(text, tmp_path_factory.mktemp("int8"), "int8")


def test_float_text_graph_is_torchs_bert(text: E5Model, image: dict[str, FloatArray], alignment: Alignment) -> None:
    """The float32 graph and Hugging Face's BERT agree within the gate, whatever the lengths beside each other."""
    model = build_clip(text, image, alignment)
    assert text_parity(model, text, TEXTS, "float32").greatest_difference < MAX_DIFFERENCE


def test_int8_text_graph_stays_close(text: E5Model, tower: TextTower, tmp_path: Path) -> None:
    """int8 costs less than a hundredth in cosine, also on random weights, which quantise worse than trained ones."""
    exact = build_text_tower(text, tmp_path, "float32").encode(TEXTS)
    assert Parity.of(tower.encode(TEXTS), exact).least_cosine > 0.99


def test_a_text_alone_and_in_company_is_the_same(tower: TextTower) -> None:
    """A text's vector does not depend on the other texts of its batch."""
    together = tower.encode(TEXTS)
    alone = np.concatenate([tower.encode([one]) for one in TEXTS])
    assert np.abs(together - alone).max() < 1e-5


def test_vectors_have_unit_length_in_the_given_order(tower: TextTower) -> None:
    """Sorting by length inside is not seen outside."""
    found = tower.encode(TEXTS)
    assert np.allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-5)
    assert np.allclose(found[::-1], tower.encode(TEXTS[::-1]), atol=1e-5)
    assert tower.encode([]).shape == (0, WIDTH)


def test_image_graph_is_timms(text: E5Model, image: dict[str, FloatArray], alignment: Alignment) -> None:
    """The graph with folded batch norms and timm's model agree within the gate."""
    pixels = np.random.default_rng(1).integers(0, 256, (5, 224, 224, 3), dtype=np.uint8)
    model = build_clip(text, image, alignment)
    assert image_parity(model, image, pixels).greatest_difference < MAX_DIFFERENCE


def test_the_clip_starts_where_serving_is(
    text: E5Model, image: dict[str, FloatArray], alignment: Alignment, tmp_path: Path
) -> None:
    """open_clip's `encode_image` and `encode_text` give the joint space that is served."""
    model = build_clip(text, image, alignment)
    space = JointSpace(
        text_centre=alignment.text_centre,
        image_map=alignment.image_map,
        classifier=image["classifier.weight"],
        classifier_bias=image["classifier.bias"],
        class_vectors=alignment.class_vectors,
    )
    pixels = np.random.default_rng(2).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)
    exact = build_text_tower(text, tmp_path, "float32")
    tokens = torch.tensor([exact.pieces("hello world")])
    with torch.no_grad():
        seen = model.encode_image(torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1.0, normalize=True)
        said = model.encode_text(tokens, normalize=True)
    served = space.image(build_image_tower(image.__getitem__, tmp_path).features(pixels))
    assert np.abs(seen.numpy() - served).max() < MAX_DIFFERENCE
    assert np.abs(said.numpy() - space.text(exact.encode(["hello world"]))).max() < MAX_DIFFERENCE


def test_the_gate_passes_good_graphs_and_refuses_others(
    text: E5Model, image: dict[str, FloatArray], alignment: Alignment
) -> None:
    """All three comparisons pass as exported; a float graph that is off, or an int8 one, does not."""
    found = prove(text, image, alignment)
    assert passes(found)
    assert not passes({**found, "image_float32": Parity(0.01, 1.0)})
    assert not passes({**found, "text_int8": Parity(0.1, 0.98)})


def test_the_graph_file_holds_no_weights(text: E5Model, tmp_path: Path) -> None:
    """An exported graph is small, its plan names every source, and exporting again gives the same bytes."""
    export_text_graph(text, tmp_path, "int8")
    graph = (tmp_path / "text.onnx").read_bytes()
    assert len(graph) < 40_000
    plan = json.loads((tmp_path / "text.plan.json").read_text())
    assert {"l0.q.w", "l1.fo.w", "emb.ln.b"} <= {source for weight in plan["weights"] for source in weight["sources"]}
    export_text_graph(text, tmp_path, "int8")
    assert (tmp_path / "text.onnx").read_bytes() == graph
