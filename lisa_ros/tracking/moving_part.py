"""The part of an image that goes along with what is in it."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lisa_ros.tracking.gates import centre_of
from lisa_ros.types import BoolArray, PixelBox


@dataclass(frozen=True, eq=False)
class MovingPart:
    """A part of a frame, and the targets that were found in it there.

    A close-up is a picture of its own to a model: what it said about one is said about as large a
    part around the same things. box: the part. masks: bool[H,W] by target, not empty.
    """

    box: PixelBox
    masks: Mapping[int, BoolArray]

    def around(self, masks: Mapping[int, BoolArray]) -> PixelBox:
        """Return where the part is on a frame where some of the targets are marked like this.

        It keeps its shape, and its place beside them as far as the image reaches. It grows with
        what comes nearer, but does not shrink: what is hidden looks smaller, too.
        """
        before, now = _union({i: self.masks[i] for i in masks}), _union(masks)
        height, width = now.shape
        growth = math.sqrt(np.count_nonzero(now) / np.count_nonzero(before))
        growth = min(max(growth, 1.0), width / self.box.width, height / self.box.height)
        (u, v), (new_u, new_v) = centre_of(before), centre_of(now)
        left, right = _span(new_u + growth * (self.box.left - u), growth * self.box.width, width)
        top, bottom = _span(new_v + growth * (self.box.top - v), growth * self.box.height, height)
        return PixelBox(left, top, right, bottom)


def _union(masks: Mapping[int, BoolArray]) -> BoolArray:
    return functools.reduce(np.logical_or, masks.values())


def _span(start: float, length: float, limit: int) -> tuple[int, int]:
    """Return start and end of the nearest stretch of 0..limit, in whole pixels."""
    whole = min(round(length), limit)
    first = min(max(round(start), 0), limit - whole)
    return first, first + whole
