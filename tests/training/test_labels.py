"""Labels stay on their objects when an image is put into the frames of the towers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from block_rooms import block_room

from lisa_ros.model.preprocess import ClipProcessor, clip_view, sam_input
from training.data.labels import (
    in_letterbox_frame,
    in_sam_frame,
    label_planes,
    masks_in_sam_frame,
)

KINDS, COLORS = ("ball", "mug"), ("blue", "red")


def test_planes_name_kind_and_colour() -> None:
    room = block_room(3)
    planes = label_planes(room, KINDS, COLORS).numpy()
    assert set(np.unique(planes[0][room.instances == 1])) == {2}  # mug
    assert set(np.unique(planes[1][room.instances == 2])) == {1}  # blue
    assert not planes[:, room.instances == 0].any()


@pytest.mark.parametrize("seed", range(4))
def test_sam_labels_lie_where_sam_sees_the_object(seed: int) -> None:
    room = block_room(seed)
    labels = in_sam_frame(label_planes(room, KINDS, COLORS), 128)[1]
    pixels = sam_input(room.image, 128).pixels
    red = pixels[0] - pixels[2] > 1.5
    overlap = (red & (labels == 2)).sum() / (red | (labels == 2)).sum()
    assert overlap > 0.8


@pytest.mark.parametrize("seed", range(4))
def test_letterbox_labels_lie_where_clip_sees_the_object(seed: int) -> None:
    room = block_room(seed)
    labels = in_letterbox_frame(label_planes(room, KINDS, COLORS), 128)[1].numpy()
    view = clip_view(room.image, ClipProcessor(128), "letterbox").astype(int)
    blue = view[..., 2] - view[..., 0] > 90
    overlap = np.count_nonzero(blue & (labels == 1)) / np.count_nonzero(blue | (labels == 1))
    assert overlap > 0.8


def test_mask_targets_are_covered_shares() -> None:
    mask = torch.zeros(1, 4, 8, dtype=torch.bool)
    mask[0, :2, :3] = True
    expected = torch.zeros(1, 4, 4)
    expected[0, 0] = torch.tensor([1.0, 0.5, 0.0, 0.0])
    assert torch.equal(masks_in_sam_frame(mask, 4), expected)
