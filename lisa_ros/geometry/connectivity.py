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

import numpy as np
import numpy.typing as npt

from lisa_ros.geometry.line_links import Lines, Links
from lisa_ros.geometry.merging import IndexArray, merge_labels
from lisa_ros.types import BoolArray, Float64Array

LabelArray = npt.NDArray[np.intp]

OUTSIDE = -1
_NONE = np.int32(-1)
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
    rows = Lines.along_rows(mask, z, focal_px)
    columns = Lines.along_rows(mask.T.copy(), z.T.copy(), focal_px)
    measured = mask & np.isfinite(z)
    if apart is not None:
        measured &= ~apart
    edge = np.zeros(mask.size, np.bool_)
    for links in (rows.links(measured), columns.links(measured.T).transposed()):
        edge[links.first[links.jumps]] = True
        edge[links.second[links.jumps]] = True
    smooth = measured & ~edge.reshape(mask.shape)
    labels = np.full(mask.shape, OUTSIDE, np.intp)
    if smooth.any():
        along, down = rows.links(smooth), columns.links(smooth.T).transposed()
        labels[smooth] = _objects(smooth, (z[smooth] / focal_px) ** 2, along, down)
    # Along its surface first, or the corner of an edge would join what is straight beside it.
    labels = spread(labels, mask, z, focal_px, rows.gap)
    labels = spread(labels, mask, z, focal_px)
    return _with_rest(labels, mask)


def _objects(nodes: BoolArray, area: Float64Array, rows: Links, columns: Links) -> IndexArray:
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
    objects: IndexArray = merge_labels(len(size_m), one[close], other[close])[surface]
    return objects


def spread(
    labels: LabelArray,
    mask: BoolArray,
    z: Float64Array,
    focal_px: float,
    within: Float64Array | None = None,
) -> LabelArray:
    """Give the pixels of a mask without a label that of the closest point, in metres.

    Of the labelled points to their left, right, top and bottom without a gap in the mask. labels:
    intp[h,w], OUTSIDE for none. mask: bool[h,w]. z: f64[h,w] m, NaN where nothing was measured.
    within: f64[h,w] m, only points that are closer than this.
    """
    labelled = labels.copy()
    closest = np.full(mask.shape, np.inf) if within is None else within.copy()
    unlabelled = mask & (labels == OUTSIDE)
    if not unlabelled.any():
        return labelled
    for turned in (_as_is, np.fliplr, np.transpose, _transposed_and_flipped):
        source = _last_label(turned(labels), turned(mask))
        row, column = np.nonzero(turned(unlabelled) & (source != _NONE))
        start = source[row, column]
        z_start = turned(z)[row, start]
        step = np.nan_to_num(turned(z)[row, column] - z_start, nan=0.0)
        # Among points without depth the closest in the image: any depth will do.
        aside = (column - start) * np.nan_to_num(z_start, nan=1.0) / focal_px
        distance = np.hypot(step, aside)
        better = distance < turned(closest)[row, column]
        row, column, start = row[better], column[better], start[better]
        turned(closest)[row, column] = distance[better]
        turned(labelled)[row, column] = turned(labels)[row, start]
    return labelled


def _as_is(image: npt.NDArray) -> npt.NDArray:
    return image


def _transposed_and_flipped(image: npt.NDArray) -> npt.NDArray:
    return np.fliplr(image.T)


def _last_label(labels: LabelArray, mask: BoolArray) -> npt.NDArray[np.int32]:
    """Give the column i32[h,w] of the last labelled pixel of the row; _NONE: the mask ended."""
    column = np.arange(mask.shape[1], dtype=np.int32)
    label = np.maximum.accumulate(np.where(labels == OUTSIDE, _NONE, column), axis=1)
    end = np.maximum.accumulate(np.where(mask, _NONE, column), axis=1)
    return np.where(label > end, label, _NONE)


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
