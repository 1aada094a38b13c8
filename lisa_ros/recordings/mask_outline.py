"""From a mask to polygons that `polygon_mask` draws back exactly.

Polygons have no holes, so a region with holes is cut into bands of rows, each without one. A
polygon runs through the middles of the region's border pixels; straight runs keep their ends only.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from lisa_ros.recordings.polygon_pixels import polygon_pixels
from lisa_ros.types import BoolArray

Outline = tuple[tuple[float, float], ...]
_Corners = npt.NDArray[np.int64]

# Eight neighbours, clockwise in an image whose y points down, from the right one on.
_STEPS = ((1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1))
_MIDDLE = 0.5  # pixel u spans [u, u + 1), so its middle survives truncation, and looks right
_ASIDE = 0.25  # from the middle, still in the same pixel


def mask_outlines(mask: BoolArray) -> list[Outline]:
    """Closed polygons, points (x, y) px at pixel middles, whose pixels together are bool[H,W]."""
    return [_outline(corners) for corners in _trace(mask)]


def _outline(corners: _Corners) -> Outline:
    """Points in the pixels of the corners: three at least, as labelme wants of a polygon."""
    points = [(x + _MIDDLE, y + _MIDDLE) for x, y in corners.tolist()]
    x, y = points[-1]
    aside = [(x, y + _ASIDE), (x + _ASIDE, y)]
    return tuple(points + aside[: max(3 - len(points), 0)])


def _trace(mask: BoolArray) -> Iterator[_Corners]:
    """Corners i64[N,2] (x, y) of each region (pixels that touch, corners included) or its bands."""
    rest = np.pad(mask, 1)  # so that no neighbour lies outside
    flat = rest.reshape(-1)
    start = 0
    while True:
        start += int(flat[start:].argmax())
        if not flat[start]:
            return
        corners = _border(flat, start, rest.shape[1])
        corner, end = corners.min(axis=0), corners.max(axis=0) + 1
        window = rest[corner[1] : end[1], corner[0] : end[0]]
        filled = polygon_pixels(corners - corner, *window.shape)
        holes = filled & ~window
        if holes.any():
            for band in _bands(filled & window, holes):
                yield from (piece + (corner - 1) for piece in _trace(band))
        else:
            yield corners - 1
        window[filled] = False


def _bands(region: BoolArray, holes: BoolArray) -> Iterator[BoolArray]:
    """The region cut below the top row of every hole, which opens it."""
    above, before = np.zeros_like(holes), np.zeros_like(holes)
    above[1:], before[:, 1:] = holes[:-1], holes[:, :-1]
    # A hole begins with a run of pixels that has none of it above.
    opens = holes & ~before
    run = np.cumsum(opens)[holes.ravel()] - 1
    continued = np.bincount(run, weights=above[holes]) > 0
    cuts = np.unique(np.nonzero(opens)[0][~continued]) + 1
    edges = [0, *cuts.tolist(), len(region)]
    for start, stop in itertools.pairwise(edges):
        band = np.zeros_like(region)
        band[start:stop] = region[start:stop]
        yield band


def _border(cells: npt.NDArray[np.bool_], start: int, stride: int) -> _Corners:
    """Walk clockwise round the region whose first cell, row by row, is `start`: corners (x, y)."""
    filled = cells.data  # indexing this is several times faster than indexing the array
    offsets = [dx + dy * stride for dx, dy in _STEPS]
    corners = []
    here, heading, first = start, 0, None
    while True:
        # The region lies to the right: look for the next cell from the left on.
        turns = ((heading + 6 + turn) % 8 for turn in range(8))
        step = next((way for way in turns if filled[here + offsets[way]]), None)
        if step is None:  # a region of one pixel
            corners.append(here)
            break
        if here == start and step == first:
            break
        if step != heading or first is None:
            corners.append(here)
        first = step if first is None else first
        here, heading = here + offsets[step], step
    rows, columns = np.divmod(np.array(corners, np.int64), stride)
    return np.stack([columns, rows], axis=1)
