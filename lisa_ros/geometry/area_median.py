"""The per-axis median over a mask in which some pixels have no depth.

Each kept pixel counts for itself and for its share of the holes beside it, so that the median is
over the visible area and not over the places that happen to be measured: with a fifth of the
pixels lost at random, a small object's plain median moves by several millimetres.
"""

from __future__ import annotations

import numpy as np

from lisa_ros.types import BoolArray, Float64Array


def area_weights(holes: BoolArray, kept: BoolArray) -> Float64Array:
    """Give the area in pixels that each kept pixel stands for, f64[N] in row-major order.

    holes, kept: bool[h,w], disjoint, off the border. A hole is shared by the kept pixels among
    its eight neighbours; a hole without any (deep inside a large one) counts for nobody.
    """
    width = kept.shape[1]
    rows, columns = np.indices((3, 3)) - 1
    around = (rows * width + columns).ravel()
    near = np.flatnonzero(holes)[:, None] + around
    owned = kept.ravel()[near]
    share = owned / np.maximum(owned.sum(axis=1, keepdims=True), 1)
    area = np.bincount(near.ravel(), share.ravel(), kept.size).astype(np.float64)
    weights: Float64Array = 1.0 + area[kept.ravel()]
    return weights


def area_median(points: Float64Array, weights: Float64Array) -> Float64Array:
    """Give the per-axis weighted median f64[D] of points f64[N,D]; weights f64[N] above 0.

    With equal weights it is the plain median, which for an even number is the middle of two values.
    """
    order = np.argsort(points, axis=0)
    below = np.cumsum(weights[order], axis=0)
    half = below[-1] / 2
    median = np.empty(points.shape[1])
    for axis in range(points.shape[1]):
        values, total = points[order[:, axis], axis], below[:, axis]
        # Where the weights split exactly in half, both neighbours are medians: take their middle.
        tolerance = 1e-9 * half[axis]
        low = np.searchsorted(total, half[axis] - tolerance)
        high = np.searchsorted(total, half[axis] + tolerance)
        median[axis] = (values[low] + values[high]) / 2
    return median
