"""The loss parts against values worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from training.losses import (
    IGNORE_INDEX,
    answer_cross_entropy,
    bce_sum,
    dice_sum,
    mean_over_masks,
)


def test_cross_entropy_is_the_mean_over_supervised_tokens() -> None:
    logits = torch.tensor([[[0.0, 0.0], [math.log(3.0), 0.0], [5.0, -5.0]]])
    labels = torch.tensor([[0, 1, IGNORE_INDEX]])
    expected = (math.log(2.0) + math.log(4.0)) / 2
    assert answer_cross_entropy(logits, labels).item() == pytest.approx(expected, rel=1e-6)


def test_answers_that_were_all_cut_off_cost_nothing() -> None:
    states = torch.ones(1, 4, requires_grad=True)
    none = states.new_empty(0, 4) * states
    loss = answer_cross_entropy(none, torch.zeros(0, dtype=torch.long))
    torch.autograd.backward(loss)
    assert loss.item() == 0.0
    assert states.grad is not None
    assert not states.grad.any()


def test_bce_is_averaged_within_a_mask_and_summed_over_masks() -> None:
    logits = torch.tensor([[[0.0, 0.0]], [[math.log(3.0), math.log(3.0)]]])
    targets = torch.tensor([[[1.0, 0.0]], [[1.0, 0.0]]])
    expected = math.log(2.0) + (-math.log(0.75) - math.log(0.25)) / 2
    assert bce_sum(logits, targets).item() == pytest.approx(expected, rel=1e-6)


def test_dice_of_a_half_covered_mask() -> None:
    # Certain of one pixel of two that belong to the mask: 1 - 2·1 / (1 + 2).
    logits = torch.tensor([[[50.0, -50.0, -50.0]]])
    targets = torch.tensor([[[1.0, 1.0, 0.0]]])
    assert dice_sum(logits, targets).item() == pytest.approx(1 / 3, rel=1e-3)


def test_dice_epsilon_acts_on_the_scaled_sums() -> None:
    # 0.001 predicted for an empty mask is 1e-6 after scaling, as much as eps: 1 - eps / (2·eps).
    logits = torch.tensor([[[math.log(0.001 / 0.999)]]])
    assert dice_sum(logits, torch.zeros(1, 1, 1)).item() == pytest.approx(0.5, rel=1e-3)


def test_no_masks_cost_nothing() -> None:
    total = bce_sum(torch.zeros(0, 4, 4), torch.zeros(0, 4, 4))
    assert mean_over_masks(total, 0).item() == 0.0
