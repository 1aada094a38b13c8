"""What each part of a room's image shows, in the frames in which the two vision towers see it."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lisa_ros.simulation.room import Room


def label_planes(room: Room, kinds: tuple[str, ...], colors: tuple[str, ...]) -> Tensor:
    """i64[2,H,W]: the kind and the colour of the object at each pixel, 0 where there is none."""
    kind_of = np.zeros(max((o.id for o in room.objects), default=0) + 1, dtype=np.int64)
    color_of = np.zeros_like(kind_of)
    for thing in room.objects:
        kind_of[thing.id] = 1 + kinds.index(thing.kind)
        if thing.color is not None:
            color_of[thing.id] = 1 + colors.index(thing.color)
    instances = room.instances.astype(np.int64)
    return torch.from_numpy(np.stack([kind_of[instances], color_of[instances]]))


def in_sam_frame(planes: Tensor, side: int) -> Tensor:
    """[N,H,W] labels → [N,side,side], nearest: the image in the top left of a square."""
    return _resample(_pad_square(planes, centred=False), side)


def in_letterbox_frame(planes: Tensor, side: int) -> Tensor:
    """[N,H,W] labels → [N,side,side], nearest: the image in the middle of a square."""
    return _resample(_pad_square(planes, centred=True), side)


def masks_in_sam_frame(masks: Tensor, side: int) -> Tensor:
    """bool[S,H,W] → f32[S,side,side], the share of each cell that the mask covers."""
    square = _pad_square(masks.float(), centred=False)
    return F.interpolate(square[None], size=(side, side), mode="area")[0]


def _pad_square(planes: Tensor, *, centred: bool) -> Tensor:
    height, width = planes.shape[-2:]
    side = max(height, width)
    top = (side - height) // 2 if centred else 0
    left = (side - width) // 2 if centred else 0
    return F.pad(planes, (left, side - width - left, top, side - height - top))


def _resample(square: Tensor, side: int) -> Tensor:
    resampled = F.interpolate(square[None].float(), size=(side, side), mode="nearest-exact")[0]
    return resampled.to(square.dtype)
