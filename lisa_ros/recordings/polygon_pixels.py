"""Which pixels a polygon covers: its outline, one pixel wide, and its inside by the even-odd rule.

Written out in numpy because annotations were made for OpenCV's rasteriser (4.x), from which
Pillow's differs by a pixel along most slanted edges: too much for small objects. Work and memory
are bounded by the image and the number of points, not by coordinates far outside.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lisa_ros.types import BoolArray, Float64Array

_Integers = npt.NDArray[np.int64]
# OpenCV walks down the sides of a polygon in steps of 1/65536 px; ties depend on it.
_FRACTION_BITS = 16


def polygon_pixels(points: _Integers, height: int, width: int) -> BoolArray:
    """bool[height,width] of the closed polygon points i64[N,2], (x, y) px; N of 1 and 2 are lines.

    Points may lie outside the image, up to 2³⁰ px.
    """
    sides = np.stack([np.roll(points, 1, axis=0), points], axis=1)  # (side, end, xy)
    clipped, seen = _clip_sides(sides, height, width)
    covered = _inside(sides, clipped, height, width)
    x, y = _outline(clipped[seen])
    covered[y, x] = True
    return covered


def polygon_window(
    points: _Integers, height: int, width: int
) -> tuple[tuple[slice, slice], BoolArray]:
    """The rows and columns of the image that hold the polygon, and its pixels there.

    The window is the whole image for a polygon that leaves it.
    """
    low, high = points.min(axis=0), points.max(axis=0) + 1
    if (low < 0).any() or (high > (width, height)).any():
        return (slice(0, height), slice(0, width)), polygon_pixels(points, height, width)
    window = (slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0])))
    return window, polygon_pixels(points - low, int(high[1] - low[1]), int(high[0] - low[0]))


def _clip_sides(sides: _Integers, height: int, width: int) -> tuple[_Integers, BoolArray]:
    """Cut i64[N,2,2] (side, end, xy) to the image: first by rows, then by columns.

    A cut end lies on whole pixels, and the second end is cut along the side that is left after the
    first: so the cut side leans a little, as OpenCV's does. Also returns which sides are in sight;
    of the others some keep ends outside.
    """
    sides = sides.copy()
    for axis, limit in ((1, height), (0, width)):
        beyond = np.sign(sides[:, :, axis]).clip(max=0) + (sides[:, :, axis] >= limit)
        # A side with both ends beyond the same border is left alone, whatever the other axis says.
        alone = _same_border(sides, height, width)
        for end in (0, 1):
            rows = np.flatnonzero((beyond[:, end] != 0) & ~alone)
            border = np.where(beyond[rows, end] < 0, 0, limit - 1)
            point, reach = sides[rows, end], sides[rows, 1] - sides[rows, 0]
            shift = (border - point[:, axis]) * reach[:, 1 - axis] / reach[:, axis].astype(float)
            sides[rows, end, 1 - axis] += _towards_zero(shift)
            sides[rows, end, axis] = border
    outside: BoolArray = (sides < 0) | (sides >= np.array([width, height]))
    return sides, np.logical_not(outside.any(axis=(1, 2)))


def _same_border(sides: _Integers, height: int, width: int) -> BoolArray:
    before: BoolArray = sides < 0
    after: BoolArray = sides >= np.array([width, height])
    both: BoolArray = np.any(before.all(axis=1) | after.all(axis=1), axis=1)
    return both


def _inside(sides: _Integers, clipped: _Integers, height: int, width: int) -> BoolArray:
    """Fill between pairs of sides, row by row; a side counts from its upper end to its lower."""
    top, bottom = sides[:, :, 1].min(axis=1), sides[:, :, 1].max(axis=1)
    side, y = _ranges(np.maximum(top, 0), np.minimum(bottom, height))
    # A side that was cut follows its whole-pixel ends and is rounded down, others to the nearest.
    whole = (clipped[:, 0, 1] == clipped[:, 1, 1]) | (clipped == sides).all(axis=(1, 2))
    lines = np.where(whole[:, None, None], sides, clipped)
    upwards = (lines[:, 0, 1] > lines[:, 1, 1])[:, None, None]
    line = np.where(upwards, lines[:, ::-1], lines)[side]
    run, drop = (line[:, 1] - line[:, 0]).T
    slope = _towards_zero((run << _FRACTION_BITS) / drop.astype(float))
    x = (line[:, 0, 0] << _FRACTION_BITS) + slope * (y - line[:, 0, 1])
    x = (x + np.where(whole[side], 1 << (_FRACTION_BITS - 1), 0)) >> _FRACTION_BITS
    order = np.lexsort((x, y))
    x, y = np.clip(x[order], -1, width), y[order]
    # A closed polygon crosses every row an even number of times: every second crossing opens.
    depth = np.zeros((height, width + 2), np.int32)
    np.add.at(depth, (y[0::2], np.maximum(x[0::2], 0)), 1)
    np.add.at(depth, (y[1::2], x[1::2] + 1), -1)
    return np.cumsum(depth, axis=1, dtype=np.int32, out=depth)[:, :width] > 0


def _outline(sides: _Integers) -> tuple[_Integers, _Integers]:
    """Pixels (x, y) nearest to each side i64[N,2,2]; halves go towards its left end."""
    rightwards = (sides[:, 0, 0] <= sides[:, 1, 0])[:, None, None]
    left, right = np.moveaxis(np.where(rightwards, sides, sides[:, ::-1]), 1, 0)
    reach = right - left
    rows = np.arange(len(sides))
    # One pixel for each step along the longer axis.
    along = (np.abs(reach[:, 1]) > reach[:, 0]).astype(np.int64)
    longer, shorter = reach[rows, along], reach[rows, 1 - along]
    length, rise = np.abs(longer), np.abs(shorter)
    side, step = _ranges(np.zeros_like(length), length + 1)
    across = -((length[side] - 2 * rise[side] * step) // np.maximum(2 * length[side], 1))
    pixels = np.empty((len(side), 2), np.int64)
    every = np.arange(len(side))
    pixels[every, along[side]] = left[side, along[side]] + np.sign(longer)[side] * step
    pixels[every, 1 - along[side]] = left[side, 1 - along[side]] + np.sign(shorter)[side] * across
    return pixels[:, 0], pixels[:, 1]


def _ranges(starts: _Integers, stops: _Integers) -> tuple[_Integers, _Integers]:
    """All of range(starts[i], stops[i]), one after the other: which i, and the number."""
    counts = np.maximum(stops - starts, 0)
    which = np.repeat(np.arange(len(counts)), counts)
    before = np.cumsum(counts) - counts
    return which, starts[which] + np.arange(len(which)) - before[which]


def _towards_zero(values: Float64Array) -> _Integers:
    return np.trunc(values).astype(np.int64)
