"""The ridge alignment and the joint space, where the truth is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from triton_models.serving.joint_space import FloatArray, JointSpace, unit
from triton_models.training.align import Alignment, align, class_texts, held_out_accuracy

RNG = np.random.default_rng(0)


def _related(noise: float) -> tuple[FloatArray, FloatArray]:
    """Classifier weights, and names' vectors that are a linear map of them plus noise."""
    weights = RNG.normal(size=(1000, 64)).astype(np.float32)
    names = weights @ RNG.normal(size=(64, 48)) + noise * RNG.normal(size=(1000, 48))
    return weights, unit((names + 5.0).astype(np.float32))


def test_related_spaces_are_aligned_on_classes_never_seen() -> None:
    """Where names follow from weights, classes left out of the fit are named right; where they do not, by chance."""
    assert held_out_accuracy(*_related(0.1)) > 0.9
    weights, _ = _related(0.1)
    _, unrelated = _related(0.1)
    assert held_out_accuracy(weights, RNG.permutation(unrelated)) < 0.05


def test_alignment_survives_its_file(tmp_path: Path) -> None:
    """The saved arrays are the fitted ones to half precision."""
    found = align(*_related(0.1))
    found.save(tmp_path)
    saved = Alignment.load(tmp_path)
    assert np.allclose(saved.image_map, found.image_map, atol=2e-3)
    assert np.array_equal(saved.text_centre, found.text_centre)


def _space() -> JointSpace:
    weights, names = _related(0.1)
    fitted = align(weights, names)
    return JointSpace(fitted.text_centre, fitted.image_map, weights, np.zeros(1000, np.float32), fitted.class_vectors)


def test_joint_vectors_have_unit_length_and_absent_stays_zero() -> None:
    """Texts and images land on the unit sphere; a text that is not there stays at the origin."""
    space = _space()
    texts = unit(RNG.normal(size=(3, 48)).astype(np.float32))
    texts[1] = 0.0
    joint = space.text(texts)
    assert np.allclose(np.linalg.norm(joint, axis=1), [1, 0, 1], atol=1e-5)
    assert np.allclose(np.linalg.norm(space.image(RNG.normal(size=(4, 64)).astype(np.float32)), axis=1), 1.0, atol=1e-5)


def test_the_joint_space_survives_its_file(tmp_path: Path) -> None:
    """What is saved is what is loaded."""
    space = _space()
    space.save(tmp_path)
    features = RNG.normal(size=(2, 64)).astype(np.float32)
    assert np.array_equal(JointSpace.load(tmp_path).image(features), space.image(features))


def test_every_class_has_one_text() -> None:
    """The 1,000 classes are read as short phrases, in the classifier's order."""
    texts = class_texts()
    assert len(texts) == 1000
    assert texts[0] == "a photo of a tench"
    assert texts[413] == "a photo of a assault rifle"
