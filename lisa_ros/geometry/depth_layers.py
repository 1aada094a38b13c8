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
# Up to this share of the pixels, keeping a group that is not the object's costs less than dropping
# one that is.
_SMALL_SHARE = 0.05
_REACH_WIDTHS = 2.0
# Flying pixels hang between object and background: so few pixels do not bridge a gap.
_BRIDGE_SHARE = 0.003


def gap_m(z: Float64Array, focal_px: float) -> Float64Array:
    """Give the step of depth, metres, same shape as z, that no surface makes between two pixels.

    z: depths in metres. What is less may be noise, or a surface seen at a grazing angle.
    """
    noise = _GAP_NOISE_SIGMAS * depth_noise_m(z)
    return np.maximum(np.maximum(_MIN_GAP_M, noise), _GRAZING_SLOPE * z / focal_px)


def dominant_layer(z: Float64Array, focal_px: float) -> BoolArray:
    """Select the depths bool[N] of the largest group without gaps among z f64[N], metres.

    Gaps rather than the distance to the median: a deep or slanted object has pixels far from its
    median but none that are cut off, whereas a test on the median absolute deviation drops the top
    of a box whose front is flat. Of two equal groups the nearer one wins. Groups too small to move
    a median stay if they are no further off than twice the mask's width: columns of pixels on a
    side of the object that the camera sees at a grazing angle, thin ends.
    """
    sequence = np.argsort(z)
    order = z[sequence]
    gap = gap_m(order, focal_px)
    ahead = np.searchsorted(order, order + gap, side="right") - np.arange(len(order)) - 1
    ends = np.flatnonzero(ahead < max(1.0, _BRIDGE_SHARE * len(order)))
    starts = np.concatenate([[0], ends[:-1] + 1])
    counts = ends + 1 - starts
    largest = int(np.argmax(counts))
    first, last = order[starts[largest]], order[ends[largest]]
    mask_width = np.sqrt(len(order)) * np.median(order) / focal_px
    reach = _REACH_WIDTHS * mask_width
    near = (order[ends] >= first - reach) & (order[starts] <= last + reach)
    stays = near & (counts <= _SMALL_SHARE * len(order))
    stays[largest] = True
    group = np.repeat(stays, counts)
    layer = np.empty(len(order), np.bool_)
    layer[sequence] = group
    return layer
