"""Which pixels of a mask lie on one connected surface.

Two measured pixels that follow each other in a row or a column are connected when the step between
their depths is one that a surface makes (`gap_m`, which also tells layers apart in lifting).
Between them there may be pixels that say nothing against it: pixels of the mask without depth, and
whatever is nearer and so hides the surface. A pixel that is farther shows that the surface ends.

Pixels beside a jump of depth connect nothing: cameras mix foreground and background there, and a
chain of such flying pixels would lead from one object to the next. They join the surface that is
closest to them afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lisa_ros.geometry.depth_layers import gap_m
from lisa_ros.geometry.merging import IndexArray, merge_labels
from lisa_ros.types import BoolArray, Float64Array

LabelArray = npt.NDArray[np.intp]

OUTSIDE = -1
# Over pixels that show no depth of it, a surface is followed up to 45 degrees.
_BRIDGE_SLOPE = 1.0


def connected_surfaces(
    mask: BoolArray, z: Float64Array, focal_px: float, *, apart: BoolArray | None = None
) -> LabelArray:
    """Label each pixel of a mask with its surface: intp[h,w], 0..n-1, OUTSIDE beyond the mask.

    mask: bool[h,w], not empty. z: f64[h,w] depths in metres, inside and outside of the mask, NaN
    where nothing was measured. A part of the mask that touches no surface is labelled by itself; so
    without any depth the labels are the mask's 4-connected components. apart: bool[h,w], pixels of
    the mask that connect nothing and join what is closest to them, as those beside a jump do.

    Surfaces that continue each other behind something nearer are one, if it is no wider, px, than
    the smaller of them (the root of its area): more of it is then seen than guessed. Nothing shows
    whether they are two objects in line.
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
    labels = _linked(smooth, rows.links(smooth), columns.links(smooth.T).transposed(mask.shape))
    # Along its surface first, or the corner of an edge would join what is straight beside it.
    labels = _spread(labels, mask, z, focal_px, rows.gap)
    labels = _spread(labels, mask, z, focal_px, np.full(mask.shape, np.inf))
    return _with_rest(labels, mask)


@dataclass(frozen=True)
class _Links:
    """Pairs of measured pixels that follow each other in a line, whatever is between them.

    first, second: intp[N-1], flat indices. span_px: from the one to the other. Of each pair at most
    one is true: jumps (only the mask between them, and no surface holds both), joined (only the
    mask between them, and one surface holds both), hidden (the same behind what is not the mask).
    """

    first: IndexArray
    second: IndexArray
    span_px: IndexArray
    jumps: BoolArray
    joined: BoolArray
    hidden: BoolArray

    def transposed(self, shape: tuple[int, ...]) -> _Links:
        """Give the links of a transposed image the indices of the image itself, of this shape."""
        height, width = shape
        first, second = ((at % height) * width + at // height for at in (self.first, self.second))
        return _Links(first, second, self.span_px, self.jumps, self.joined, self.hidden)


@dataclass(frozen=True)
class _Lines:
    """An image whose rows are looked along.

    mask: bool[h,w]. z: f64[h,w]. gap: f64[h,w], the step that is a jump. passable_from: f64[h,w],
    the depth from which on a surface can pass at this pixel without being seen. pixel: the size of
    a pixel at 1 m.
    """

    mask: BoolArray
    z: Float64Array
    gap: Float64Array
    passable_from: Float64Array
    pixel: float

    @classmethod
    def along_rows(cls, mask: BoolArray, z: Float64Array, focal_px: float) -> _Lines:
        gap = gap_m(z, focal_px)
        # A pixel of the mask may be the surface itself. One beside the mask is not, so that it must
        # be clearly nearer; without depth it may be the background.
        measured = np.where(mask, z - gap, z + gap)
        passable_from = np.where(np.isnan(z), np.where(mask, -np.inf, np.inf), measured)
        return cls(mask, z, gap, passable_from, 1 / focal_px)

    def transposed(self) -> _Lines:
        turned = (self.mask.T, self.z.T, self.gap.T, self.passable_from.T)
        return _Lines(*(np.ascontiguousarray(each) for each in turned), pixel=self.pixel)

    def links(self, nodes: BoolArray) -> _Links:
        """Look at each node bool[h,w] and the one that follows it."""
        at = np.flatnonzero(nodes)
        first, second = at[:-1], at[1:]
        span = second - first
        same_row = first // nodes.shape[1] == second // nodes.shape[1]
        z, gap = self.z.ravel()[at], self.gap.ravel()[at]
        nearer = np.minimum(z[:-1], z[1:])
        reach = np.maximum(
            np.minimum(gap[:-1], gap[1:]), span * (_BRIDGE_SLOPE * self.pixel) * nearer
        )
        smooth = np.abs(z[1:] - z[:-1]) <= reach
        passable, inside = np.ones(len(first), np.bool_), np.ones(len(first), np.bool_)
        apart = np.flatnonzero(span > 1)
        if len(apart):
            between = np.column_stack([first[apart] + 1, second[apart]]).ravel()
            limit = np.maximum.reduceat(self.passable_from.ravel(), between)[::2]
            passable[apart] = limit <= nearer[apart]
            inside[apart] = np.logical_and.reduceat(self.mask.ravel(), between)[::2]
        through = same_row & smooth & passable
        return _Links(
            first,
            second,
            span,
            jumps=same_row & inside & ~smooth,
            joined=through & inside,
            hidden=through & ~inside,
        )


def _linked(nodes: BoolArray, rows: _Links, columns: _Links) -> LabelArray:
    """Label the nodes bool[h,w] that links connect, OUTSIDE elsewhere."""
    labels = np.full(nodes.size, OUTSIDE, np.intp)
    at = np.flatnonzero(nodes)
    if len(at) == 0:
        return labels.reshape(nodes.shape)
    labels[at] = _joined_runs(labels, at, rows, columns)
    size = np.bincount(labels[at])
    one, other, span = (
        np.concatenate([of_rows[rows.hidden], of_columns[columns.hidden]])
        for of_rows, of_columns in (
            (labels[rows.first], labels[columns.first]),
            (labels[rows.second], labels[columns.second]),
            (rows.span_px, columns.span_px),
        )
    )
    narrow = span**2 <= np.minimum(size[one], size[other])
    labels[at] = merge_labels(len(size), one[narrow], other[narrow])[labels[at]]
    return labels.reshape(nodes.shape)


def _joined_runs(scratch: LabelArray, at: IndexArray, rows: _Links, columns: _Links) -> LabelArray:
    """Give the component intp[N] of each node: runs along the rows, merged along the columns."""
    run = np.concatenate([[0], np.cumsum(~rows.joined)])
    scratch[at] = run
    pairs = scratch[columns.first[columns.joined]], scratch[columns.second[columns.joined]]
    return merge_labels(int(run[-1]) + 1, *pairs)[run]


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
