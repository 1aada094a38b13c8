"""Which of a mask's depths are one object, when the mask also covers something far from it."""

from __future__ import annotations

import numpy as np

from lisa_ros.geometry.depth import depth_noise_m
from lisa_ros.types import BoolArray, Float64Array

# A stretch of depth this long without pixels separates two things ...
_MIN_GAP_M = 0.03
_GAP_NOISE_SIGMAS = 6.0
# ... unless a surface seen at a grazing angle (85 degrees) steps over it from pixel to pixel.
_GRAZING_SLOPE = 12.0
# Flying pixels hang between object and background: so few pixels do not bridge a gap.
_BRIDGE_SHARE = 0.003


def dominant_layer(z: Float64Array, focal_px: float) -> BoolArray:
    """Select the depths bool[N] of the largest group without gaps among z f64[N], metres.

    Gaps rather than the distance to the median: a deep or slanted object has pixels far from its
    median but none that are cut off, whereas a test on the median absolute deviation drops the top
    of a box whose front is flat. Of two equal groups the nearer one wins.
    """
    order = np.sort(z)
    gap = _gap_m(order, focal_px)
    ahead = np.searchsorted(order, order + gap, side="right") - np.arange(len(order)) - 1
    ends = np.flatnonzero(ahead < max(1.0, _BRIDGE_SHARE * len(order)))
    starts = np.concatenate([[0], ends[:-1] + 1])
    largest = int(np.argmax(ends - starts))
    first, last = order[starts[largest]], order[ends[largest]]
    # The thin tail of the object itself ends in pixels with few others ahead: take them back.
    layer: BoolArray = (z >= first - _gap_m(first, focal_px)) & (z <= last + _gap_m(last, focal_px))
    return layer


def _gap_m(z: Float64Array, focal_px: float) -> Float64Array:
    noise = _GAP_NOISE_SIGMAS * depth_noise_m(z)
    return np.maximum(np.maximum(_MIN_GAP_M, noise), _GRAZING_SLOPE * z / focal_px)
