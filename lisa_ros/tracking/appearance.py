"""What a target looks like: the colours inside its mask, and how alike two such are.

Three marginal histograms on opponent axes rather than one joint one, which the few pixels of a
small mask could not fill. Values are shared between the two nearest bins, so that a slightly
brighter image changes the histograms slightly.
"""

from __future__ import annotations

import numpy as np

from lisa_ros.types import BoolArray, Float32Array, Float64Array, UInt8Array

# Of luma, R-G and B-(R+G)/2: from, to, bins. Fewer bins for luma, which shadows change most.
_AXES = ((0.0, 255.0, 8), (-255.0, 255.0, 16), (-255.0, 255.0, 16))
# More pixels than these say nothing new.
_MAX_PX = 4096


def colours_of(image: UInt8Array, mask: BoolArray) -> Float64Array:
    """Return the colour histograms f64[40] of the masked pixels; each of the three sums to 1.

    image: u8[H,W,3] RGB. mask: bool[H,W] with at least one pixel.
    """
    inside = np.flatnonzero(mask)
    inside = inside[:: max(1, len(inside) // _MAX_PX)]
    rgb = image.reshape(-1, 3)[inside].astype(np.float32)
    red, green, blue = rgb[:, 0], rgb[:, 1], rgb[:, 2]
    values = (0.3 * red + 0.59 * green + 0.11 * blue, red - green, blue - (red + green) / 2)
    return np.concatenate(
        [_histogram(value, *axis) for value, axis in zip(values, _AXES, strict=True)]
    )


def likeness(first: Float64Array, second: Float64Array) -> float:
    """Return how alike two results of `colours_of` are, 0..1.

    It is the Bhattacharyya coefficient of the axis that differs most: two things of the same
    brightness are not alike when their hues differ.
    """
    starts = np.cumsum([0] + [bins for _, _, bins in _AXES[:-1]])
    return float(np.add.reduceat(np.sqrt(first * second), starts).min())


def _histogram(values: Float32Array, low: float, high: float, bins: int) -> Float64Array:
    place = (values - low) / (high - low) * (bins - 1)
    lower = np.clip(place.astype(np.intp), 0, bins - 2)
    share = np.clip(place - lower, 0, 1)
    counts = np.bincount(lower, 1 - share, bins) + np.bincount(lower + 1, share, bins)
    # Smoothed, so that the narrow peak of a plain surface may move by a bin.
    padded = np.pad(counts, 1, mode="edge")
    smooth = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    shares: Float64Array = smooth / smooth.sum()
    return shares
