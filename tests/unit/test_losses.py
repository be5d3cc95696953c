"""Losses: the formula by hand on small numbers, what is not asked counts nothing, gradients go the right way."""

from __future__ import annotations

import math

import pytest
import torch

from triton_models.training.losses import (
    adversarial_shift,
    asymmetric_loss,
    caption_contrast,
    class_prompt_contrast,
    confounder_margin,
    distillation,
    group_gap,
    logit_pairing,
    ordinal_loss,
    reverse_gradient,
)

NAN = float("nan")


def test_asymmetric_without_gammas_is_cross_entropy() -> None:
    """With both gammas at 0 it is BCE over what is asked, shares included."""
    logits, target = torch.tensor([[1.0, -2.0], [0.5, 3.0]]), torch.tensor([[1.0, NAN], [0.3, 0.0]])
    wanted = torch.nn.functional.binary_cross_entropy_with_logits(
        torch.tensor([1.0, 0.5, 3.0]), torch.tensor([1.0, 0.3, 0.0])
    )
    assert torch.allclose(asymmetric_loss(logits, target, gamma_negative=0.0), wanted)


def test_asymmetric_lets_easy_negatives_go() -> None:
    """An easy negative costs p^2 of its cross-entropy; a positive costs all of it; nothing asked costs 0."""
    p = 1 / (1 + math.exp(2))
    easy = asymmetric_loss(torch.tensor([[-2.0]]), torch.tensor([[0.0]]))
    assert easy.item() == pytest.approx(-(p**2) * math.log(1 - p), rel=1e-5)
    assert asymmetric_loss(torch.tensor([[-2.0]]), torch.tensor([[1.0]])).item() == pytest.approx(
        -math.log(p), rel=1e-5
    )
    assert asymmetric_loss(torch.tensor([[5.0]]), torch.tensor([[NAN]])).item() == 0.0


def test_ordinal_prefers_the_nearer_grade() -> None:
    """A score between the thresholds of its grade costs less than one grade off, and two off costs more."""
    thresholds = torch.tensor([-2.0, 0.0, 2.0])
    costs = [ordinal_loss(torch.tensor([score]), torch.tensor([1]), thresholds).item() for score in (-1.0, 1.0, 3.0)]
    assert costs == sorted(costs)
    assert ordinal_loss(torch.tensor([1.0]), torch.tensor([-1]), thresholds).item() == 0.0


def test_class_prompts_pull_to_their_own() -> None:
    """An embedding on its category's prompt costs less than on another's; rows without a positive cost nothing."""
    prompts = torch.eye(3)
    target = torch.tensor([[1.0, 0.0, NAN]])
    assert class_prompt_contrast(prompts[:1], prompts, target) < class_prompt_contrast(prompts[1:2], prompts, target)
    assert class_prompt_contrast(prompts[:1], prompts, torch.tensor([[0.0, NAN, 0.2]])).item() == 0.0


def test_captions_take_several_partners() -> None:
    """Two captions of one picture are both right; an uninformed space costs log of what it cannot tell apart."""
    images, texts = torch.eye(2), torch.eye(2)[[0, 0, 1]]
    same = torch.tensor([[True, True, False], [False, False, True]])
    assert caption_contrast(images, texts, same).item() < 0.01
    blind = caption_contrast(torch.ones(2, 2), torch.ones(3, 2), same)
    one_way, other_way = (math.log(3 / 2) + math.log(3)) / 2, math.log(2)
    assert blind.item() == pytest.approx((one_way + other_way) / 2, rel=1e-5)


def test_distillation_is_a_distance() -> None:
    """0 where nothing moved, 2 at the opposite; the start gets no gradient."""
    start = torch.tensor([[1.0, 0.0]], requires_grad=True)
    now = torch.tensor([[-1.0, 0.0]], requires_grad=True)
    assert distillation(start, start).item() == pytest.approx(0.0)
    loss = distillation(now, start)
    assert loss.item() == pytest.approx(2.0)
    loss.backward()  # type: ignore[no-untyped-call]
    assert start.grad is None


def test_confounders_are_kept_apart_by_the_margin() -> None:
    """Nothing is owed past the margin, the missing part below it, nothing without pairs."""
    assert confounder_margin(torch.tensor([3.0]), torch.tensor([0.5])).item() == 0.0
    assert confounder_margin(torch.tensor([1.0]), torch.tensor([0.5])).item() == pytest.approx(1.5)
    assert confounder_margin(torch.zeros(0), torch.zeros(0)).item() == 0.0


def test_pairing_wants_equal_logits() -> None:
    """The mean distance of the two copies."""
    assert logit_pairing(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 4.0]])).item() == 1.0
    assert logit_pairing(torch.zeros(0, 2), torch.zeros(0, 2)).item() == 0.0


def test_group_gap_counts_harmless_mentions_only() -> None:
    """A group whose harmless posts score higher costs the square of the gap; harmful posts and lower scores nothing."""
    logits = torch.tensor([2.0, 0.0, 9.0, -2.0])
    harmless = torch.tensor([True, True, False, True])
    groups = torch.tensor([[True, False], [False, False], [True, False], [False, True]])
    assert group_gap(logits, harmless, groups).item() == pytest.approx((2.0**2 + 0.0) / 2)
    assert group_gap(logits, ~torch.ones(4, dtype=torch.bool), groups).item() == 0.0


def test_reversal_turns_the_gradient() -> None:
    """The value passes unchanged, its gradient comes back negative and scaled."""
    value = torch.tensor([1.0, 2.0], requires_grad=True)
    passed = reverse_gradient(value, 0.5)
    assert torch.equal(passed, value)
    passed.sum().backward()  # type: ignore[no-untyped-call]
    assert value.grad is not None
    assert value.grad.tolist() == [-0.5, -0.5]


def test_adversarial_shift_raises_the_loss() -> None:
    """The step has its length and makes things worse; without a gradient there is no step."""
    vectors = torch.tensor([[[1.0, 0.0]], [[0.0, 0.0]]], requires_grad=True)
    loss = (vectors[0] ** 2).sum()
    shift = adversarial_shift(loss, vectors, length=0.25)
    assert shift[0].norm().item() == pytest.approx(0.25)
    assert shift[1].norm().item() == 0.0
    assert ((vectors + shift)[0] ** 2).sum() > loss
