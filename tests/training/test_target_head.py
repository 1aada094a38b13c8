"""The temporary head: what it counts and what it leaves out."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from block_rooms import block_room

from lisa_ros.simulation.kinds import KINDS
from lisa_ros.simulation.material import COLORS
from training.losses import IGNORE_INDEX
from training.target_head import CELLS, TargetHead, patch_labels, shown_labels, target_labels


@pytest.fixture
def head() -> TargetHead:
    head = TargetHead(4)
    for parameter in head.parameters():
        torch.nn.init.zeros_(parameter)
    return head


def test_an_untrained_head_is_as_unsure_as_can_be(head: TargetHead) -> None:
    loss = head.loss(torch.ones(2, 4), torch.tensor([[0, 2, 5], [1, 0, 63]]))
    unsure = math.log(len(KINDS)) + math.log(len(COLORS)) + math.log(CELLS**2)
    assert loss.item() == pytest.approx(unsure, rel=1e-5)


def test_things_without_a_colour_count_by_the_rest(head: TargetHead) -> None:
    loss = head.loss(torch.ones(1, 4), torch.tensor([[0, IGNORE_INDEX, 5]]))
    assert loss.item() == pytest.approx(math.log(len(KINDS)) + math.log(CELLS**2), rel=1e-5)


def test_a_batch_of_refusals_costs_nothing_and_has_a_gradient(head: TargetHead) -> None:
    embeddings = torch.zeros(0, 4, requires_grad=True)
    loss = head.loss(embeddings, torch.zeros(0, 3, dtype=torch.long))
    loss.backward()
    assert loss.item() == 0.0


def test_labels_say_what_and_where() -> None:
    room = block_room(0)
    for number, (kind, color) in enumerate((("mug", "red"), ("ball", "blue")), start=1):
        rows, columns = np.nonzero(room.instances == number)
        row, column = (int((axis.mean() + 0.5) * CELLS / 64) for axis in (rows, columns))
        expected = (list(KINDS).index(kind), list(COLORS).index(color), row * CELLS + column)
        assert target_labels(room, number) == expected


def test_patches_show_what_is_there_and_where() -> None:
    room = block_room(0, height=64)  # a square image fills the letterbox view
    labels = patch_labels(shown_labels(room), 64).reshape(64, 64, 3).numpy()
    for number, kind in ((1, "mug"), (2, "ball")):
        shown = labels[room.instances == number]
        assert set(shown[:, 0]) == {list(KINDS).index(kind)}
    rows, columns = np.nonzero(room.instances)
    expected = (rows * CELLS // 64) * CELLS + columns * CELLS // 64
    assert np.array_equal(labels[rows, columns, 2], expected)
    assert (labels[room.instances == 0] == IGNORE_INDEX).all()
