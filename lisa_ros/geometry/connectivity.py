"""Which pixels of a mask lie on one object, as far as a depth image can tell.

First surfaces: two measured pixels that follow each other in a row or a column are connected when
the step between their depths is one that a surface makes (`gap_m`, which also tells layers apart in
lifting). Between them there may be pixels of the mask without depth. Pixels beside a jump of depth
connect nothing: cameras mix foreground and background there, and a chain of such flying pixels
would lead from one object to the next. They join the surface that is closest to them afterwards.

Then objects: a bowl's rim is a surface apart from its inside, and whatever stands before an object
cuts it in two. A mask is made for one thing more often than for several, so that two surfaces are
one object unless something shows the contrary: either they are further apart than the larger of
them is big, or the background is seen between them. What stands behind a solid thing is further
away than that thing is deep, and it is rarely deeper than it is wide.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lisa_ros.geometry.depth_layers import gap_m
from lisa_ros.geometry.merging import IndexArray, merge_labels
from lisa_ros.types import BoolArray, Float64Array

LabelArray = npt.NDArray[np.intp]

OUTSIDE = -1
# Over pixels that show no depth of it, a surface is followed up to 45 degrees.
_BRIDGE_SLOPE = 1.0
# What is further from an object than this times its size (the root of its area) is another one.
_REACH_SIZES = 1.0


def connected_objects(
    mask: BoolArray, z: Float64Array, focal_px: float, *, apart: BoolArray | None = None
) -> LabelArray:
    """Label each pixel of a mask with its object: intp[h,w], 0..n-1, OUTSIDE beyond the mask.

    mask: bool[h,w], not empty. z: f64[h,w] depths in metres, inside and outside of the mask, NaN
    where nothing was measured. A part of the mask that touches no surface is labelled by itself; so
    without any depth the labels are the mask's 4-connected components. apart: bool[h,w], pixels of
    the mask that connect nothing and join what is closest to them, as those beside a jump do.
    """
    rows = _Lines.along_rows(mask, z, focal_px)
    columns = rows.transposed()
    measured = mask & np.isfinite(z)
    if apart is not None:
        measured &= ~apart
    edge = np.zeros(mask.size, np.bool_)
    for links in (rows.links(measured), columns.links(measured.T).transposed(mask.shape)):
        edge[links.first[links.jumps]] = True
        edge[links.second[links.jumps]] = True
    smooth = measured & ~edge.reshape(mask.shape)
    labels = np.full(mask.shape, OUTSIDE, np.intp)
    if smooth.any():
        links = rows.links(smooth), columns.links(smooth.T).transposed(mask.shape)
        labels[smooth] = _objects(smooth, (z[smooth] / focal_px) ** 2, *links)
    # Along its surface first, or the corner of an edge would join what is straight beside it.
    labels = _spread(labels, mask, z, focal_px, rows.gap)
    labels = _spread(labels, mask, z, focal_px, np.full(mask.shape, np.inf))
    return _with_rest(labels, mask)


@dataclass(frozen=True)
class _Links:
    """Pairs of measured pixels that follow each other in a line, whatever is between them.

    first, second: intp[N-1], flat indices. distance_m: from the one to the other. jumps: no surface
    holds both, though there is nothing but the mask between them. joined: one surface holds both.
    open: nothing between them shows that what they lie on are two objects.
    """

    first: IndexArray
    second: IndexArray
    distance_m: Float64Array
    jumps: BoolArray
    joined: BoolArray
    open: BoolArray

    def transposed(self, shape: tuple[int, ...]) -> _Links:
        """Give the links of a transposed image the indices of the image itself, of this shape."""
        height, width = shape
        first, second = ((at % height) * width + at // height for at in (self.first, self.second))
        return replace(self, first=first, second=second)


@dataclass(frozen=True)
class _Lines:
    """An image whose rows are looked along.

    mask: bool[h,w]. z: f64[h,w]. gap: f64[h,w], the step that is a jump. in_mask, beside: f64[h,w],
    the depths that measured pixels of the mask and beside it have at least and at most, -inf for
    the others. pixel: its size at 1 m.
    """

    mask: BoolArray
    z: Float64Array
    gap: Float64Array
    in_mask: Float64Array
    beside: Float64Array
    pixel: float

    @classmethod
    def along_rows(cls, mask: BoolArray, z: Float64Array, focal_px: float) -> _Lines:
        gap, measured = gap_m(z, focal_px), np.isfinite(z)
        in_mask = np.where(mask & measured, z - gap, -np.inf)
        beside = np.where(~mask & measured, z + gap, -np.inf)
        return cls(mask, z, gap, in_mask, beside, 1 / focal_px)

    def transposed(self) -> _Lines:
        turned = (self.mask.T, self.z.T, self.gap.T, self.in_mask.T, self.beside.T)
        return _Lines(*map(np.ascontiguousarray, turned), pixel=self.pixel)

    def links(self, nodes: BoolArray) -> _Links:
        """Look at each node bool[h,w] and the one that follows it."""
        at = np.flatnonzero(nodes)
        first, second = at[:-1], at[1:]
        span = second - first
        same_row = first // nodes.shape[1] == second // nodes.shape[1]
        z, gap = self.z.ravel()[at], self.gap.ravel()[at]
        step, nearer = np.abs(z[1:] - z[:-1]), np.minimum(z[1:], z[:-1])
        aside = span * self.pixel * nearer
        smooth = step <= np.maximum(np.minimum(gap[1:], gap[:-1]), _BRIDGE_SLOPE * aside)
        inside, is_open = same_row.copy(), same_row.copy()
        between = np.flatnonzero(same_row & (span > 1))
        if len(between):
            inside[between], is_open[between] = self._between(
                first[between], second[between], nearer[between], nearer[between] + step[between]
            )
        return _Links(
            first,
            second,
            np.hypot(aside, step),
            jumps=inside & ~smooth,
            joined=inside & is_open & smooth,
            open=is_open,
        )

    def _between(
        self, first: IndexArray, second: IndexArray, nearer: Float64Array, farther: Float64Array
    ) -> tuple[BoolArray, BoolArray]:
        """Whether nothing but the mask is between two pixels, and whether the way is open.

        It is closed by a pixel of the mask that is farther than both, and by one beside the mask
        that is not nearer than both, so that it cannot hide what connects them. Without depth a
        pixel may be background as well as a shadow of what is in front, which many cameras do not
        measure: it closes nothing, but a way beside the mask with no measured pixel is closed.
        """
        bounds = np.column_stack([first + 1, second]).ravel()
        all_mask = np.logical_and.reduceat(self.mask.ravel(), bounds)[::2]
        in_mask = np.maximum.reduceat(self.in_mask.ravel(), bounds)[::2]
        beside = np.maximum.reduceat(self.beside.ravel(), bounds)[::2]
        is_open = (in_mask <= farther) & (beside <= nearer) & (all_mask | np.isfinite(beside))
        return all_mask, is_open


def _objects(nodes: BoolArray, area: Float64Array, rows: _Links, columns: _Links) -> IndexArray:
    """Give the object intp[N] of each node; area: f64[N], m², of each node."""
    number = np.cumsum(nodes.ravel()) - 1
    run = np.concatenate([[0], np.cumsum(~rows.joined)])
    surface = merge_labels(
        int(run[-1]) + 1,
        run[number[columns.first[columns.joined]]],
        run[number[columns.second[columns.joined]]],
    )[run]
    size_m = np.sqrt(np.bincount(surface, weights=area))
    one, other, distance_m = (
        np.concatenate([of_rows[rows.open], of_columns[columns.open]])
        for of_rows, of_columns in (
            (surface[number[rows.first]], surface[number[columns.first]]),
            (surface[number[rows.second]], surface[number[columns.second]]),
            (rows.distance_m, columns.distance_m),
        )
    )
    close = distance_m <= _REACH_SIZES * np.maximum(size_m[one], size_m[other])
    return merge_labels(len(size_m), one[close], other[close])[surface]


def _spread(
    labels: LabelArray,
    mask: BoolArray,
    z: Float64Array,
    focal_px: float,
    within: Float64Array,
) -> LabelArray:
    """Give the pixels of the mask without a label that of the closest point, in metres.

    Of the labelled points to their left, right, top and bottom without a gap in the mask. within:
    f64[h,w], only points that are closer than this.
    """
    spread, closest = labels.copy(), within.copy()
    unlabelled = mask & (labels == OUTSIDE)
    if not unlabelled.any():
        return spread
    for turned in (_as_is, np.fliplr, np.transpose, _transposed_and_flipped):
        source = _last_label(turned(labels), turned(mask))
        row, column = np.nonzero(turned(unlabelled) & (source != OUTSIDE))
        start = source[row, column]
        z_start = turned(z)[row, start]
        step = turned(z)[row, column] - z_start
        aside = (column - start) * z_start / focal_px
        distance = np.hypot(np.where(np.isnan(step), 0.0, step), aside)
        better = distance < turned(closest)[row, column]
        row, column, start = row[better], column[better], start[better]
        turned(closest)[row, column] = distance[better]
        turned(spread)[row, column] = turned(labels)[row, start]
    return spread


def _as_is(image: npt.NDArray) -> npt.NDArray:
    return image


def _transposed_and_flipped(image: npt.NDArray) -> npt.NDArray:
    return np.fliplr(image.T)


def _last_label(labels: LabelArray, mask: BoolArray) -> IndexArray:
    """Give the column of the last labelled pixel in the row, OUTSIDE where the mask ended since."""
    column = np.arange(mask.shape[1])
    label = np.maximum.accumulate(np.where(labels == OUTSIDE, OUTSIDE, column), axis=1)
    end = np.maximum.accumulate(np.where(mask, OUTSIDE, column), axis=1)
    return np.where(label > end, label, OUTSIDE)


def _with_rest(labels: LabelArray, mask: BoolArray) -> LabelArray:
    """Label what is left of the mask: as what it touches, or piece by piece on its own."""
    rest = mask & (labels == OUTSIDE)
    if not rest.any():
        return labels
    piece = _pieces(rest)
    count, pieces = int(labels.max()) + 1, int(piece.max()) + 1
    owner = count + np.arange(pieces)
    for one, other in (
        (np.s_[:, 1:], np.s_[:, :-1]),
        (np.s_[:, :-1], np.s_[:, 1:]),
        (np.s_[1:], np.s_[:-1]),
        (np.s_[:-1], np.s_[1:]),
    ):
        touches = rest[one] & (labels[other] != OUTSIDE)
        owner[piece[one][touches]] = labels[other][touches]
    labels = labels.copy()
    labels[rest] = owner[piece[rest]]
    used = np.unique(labels[mask])
    labels[mask] = np.searchsorted(used, labels[mask])
    return labels


def _pieces(mask: BoolArray) -> LabelArray:
    """Label the 4-connected components of a mask."""
    at = np.flatnonzero(mask)
    labels = np.full(mask.size, OUTSIDE, np.intp)
    follows = (np.diff(at) == 1) & (at[1:] % mask.shape[1] != 0)
    labels[at] = np.concatenate([[0], np.cumsum(~follows)])
    above = np.flatnonzero(mask[:-1] & mask[1:])
    runs = int(labels[at[-1]]) + 1
    labels[at] = merge_labels(runs, labels[above], labels[above + mask.shape[1]])[labels[at]]
    return labels.reshape(mask.shape)
