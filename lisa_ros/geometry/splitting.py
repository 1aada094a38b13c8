"""One mask into the masks of the objects it covers."""

from __future__ import annotations

import math

import numpy as np

from lisa_ros.errors import DepthError, MaskError
from lisa_ros.geometry.connectivity import OUTSIDE, LabelArray, connected_objects, spread
from lisa_ros.geometry.fragments import MIN_PART_PX, fragments
from lisa_ros.types import BoolArray, Float32Array, Float64Array, Intrinsics

# One round shows nearly every fragment; what it joins may make another one of its neighbour.
_MAX_ROUNDS = 4
# Half of a 1280 x 720 image.
_MAX_LOOKED_AT_PX = 460_800


def split_mask(
    mask: BoolArray,
    depth_m: Float32Array | None,
    intrinsics: Intrinsics | None,
    *,
    max_parts: int,
) -> tuple[BoolArray, ...]:
    """Split a mask where what the camera saw is not connected; the largest part comes first.

    mask: bool[H,W]. depth_m: f32[H,W] z-depth in metres registered to the mask's image, NaN (or not
    above 0) where nothing was measured; nothing at all where depth_m or intrinsics is None.
    Returns at most max_parts masks bool[H,W] that do not overlap; none for an empty mask.

    Two parts of the mask are two objects where depth shows it: where the background is seen between
    them, or where one is further behind the other than the larger of them is big. Missing depth and
    whatever stands in front separate nothing (`connected_objects`). Without depth the parts are
    those that do not touch in the image. Strips along the edge of a part stay with it, and specks
    are left out (`fragments`); a mask of nothing but specks stays one.

    So objects that touch stay one, and so do two in line behind the same thing.

    Raises MaskError or DepthError for a wrong shape or dtype.
    """
    if mask.dtype != np.bool_ or mask.ndim != 2:
        raise MaskError(
            f"got a mask of dtype {mask.dtype} and shape {mask.shape}, expected bool[H,W]; "
            "threshold it first and pass one mask at a time"
        )
    if depth_m is not None and depth_m.shape != mask.shape:
        raise DepthError(
            f"got depth of shape {depth_m.shape}, expected {mask.shape} from the mask; use depth "
            "registered to the colour image"
        )
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return ()
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    z = np.full(mask[window].shape, np.nan)
    focal_px = 1.0  # means nothing without depth
    if depth_m is not None and intrinsics is not None:
        focal_px = min(intrinsics.fx, intrinsics.fy)
        measured = np.isfinite(depth_m[window]) & (depth_m[window] > 0)
        z[measured] = depth_m[window][measured]
    labels = _labels(mask[window], z, focal_px)
    size = np.bincount(labels[labels != OUTSIDE])
    parts = []
    for label in np.argsort(-size, kind="stable")[: min(max_parts, np.count_nonzero(size))]:
        part = np.zeros_like(mask)
        part[window] = labels == label
        parts.append(part)
    return tuple(parts)


def _labels(mask: BoolArray, z: Float64Array, focal_px: float) -> LabelArray:
    """Label the mask's objects; of a large mask only every so many rows and columns are looked at.

    So that neither time nor memory grows with the image.
    """
    stride = math.ceil(math.sqrt(mask.size / _MAX_LOOKED_AT_PX))
    if stride == 1:
        return _without_fragments(mask, z, focal_px)
    every = np.s_[::stride, ::stride]
    if not mask[every].any():
        return np.where(mask, 0, OUTSIDE)
    coarse = _without_fragments(mask[every], z[every], focal_px / stride)
    blocks = coarse.repeat(stride, axis=0).repeat(stride, axis=1)[: mask.shape[0], : mask.shape[1]]
    # Where the mask begins inside of a block, the block's corner is still outside.
    return spread(np.where(mask, blocks, OUTSIDE), mask, z, focal_px)


def _without_fragments(mask: BoolArray, z: Float64Array, focal_px: float) -> LabelArray:
    """Label the mask's objects; fragments join the object beside them, specks become OUTSIDE."""
    labels = connected_objects(mask, z, focal_px)
    if np.bincount(labels[mask]).max() < MIN_PART_PX:
        return np.where(mask, 0, OUTSIDE)
    small = np.zeros_like(mask)
    for _ in range(_MAX_ROUNDS):
        found = fragments(labels) & ~small
        if not found.any():
            break
        # Looked at again without them, since a strip may have lain between two halves of an object.
        small |= found
        labels = connected_objects(mask, z, focal_px, apart=small)
    size = np.bincount(labels[mask])
    own = np.bincount(labels[mask & ~small], minlength=len(size))
    stays = (own > 0) & (size >= MIN_PART_PX)
    kept: LabelArray = np.where(mask & stays[labels], labels, OUTSIDE)
    return kept
