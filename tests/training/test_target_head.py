"""The temporary head: what it counts and what it leaves out."""

from __future__ import annotations

import math

import pytest
import torch

from lisa_ros.simulation.kinds import KINDS
from lisa_ros.simulation.material import COLORS
from training.losses import IGNORE_INDEX
from training.target_head import TargetHead


@pytest.fixture
def head() -> TargetHead:
    head = TargetHead(4)
    for parameter in head.parameters():
        torch.nn.init.zeros_(parameter)
    return head


def test_an_untrained_head_is_as_unsure_as_can_be(head: TargetHead) -> None:
    loss = head.loss(torch.ones(2, 4), torch.tensor([0, 1]), torch.tensor([2, 0]))
    assert loss.item() == pytest.approx(math.log(len(KINDS)) + math.log(len(COLORS)), rel=1e-5)


def test_things_without_a_colour_count_by_their_kind_alone(head: TargetHead) -> None:
    unnamed = torch.full((2,), IGNORE_INDEX)
    loss = head.loss(torch.ones(2, 4), torch.tensor([0, 1]), unnamed)
    assert loss.item() == pytest.approx(math.log(len(KINDS)), rel=1e-5)


def test_a_batch_of_refusals_costs_nothing_and_has_a_gradient(head: TargetHead) -> None:
    embeddings = torch.zeros(0, 4, requires_grad=True)
    nothing = torch.zeros(0, dtype=torch.long)
    loss = head.loss(embeddings, nothing, nothing)
    loss.backward()
    assert loss.item() == 0.0
