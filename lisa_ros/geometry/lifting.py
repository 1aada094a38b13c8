"""A mask and a registered depth image to a 3D target.

The position of a target is the per-axis median of the deprojected pixels that are kept: a point of
the visible surface, never the object's centre. A pixel also counts for its share of the holes
beside it (`area_median`); without holes it is the plain median.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lisa_ros.errors import DepthError, MaskError
from lisa_ros.geometry.area_median import area_median, area_weights
from lisa_ros.geometry.depth import depth_noise_m
from lisa_ros.geometry.depth_layers import dominant_layer
from lisa_ros.geometry.mask_edge import overrun
from lisa_ros.geometry.projection import pixel_rays
from lisa_ros.geometry.surface import (
    extent_along,
    fit_plane,
    oriented_box,
    plane_normal,
    position_covariance,
)
from lisa_ros.types import (
    BoolArray,
    Float32Array,
    Float64Array,
    Intrinsics,
    NoDepth,
    Target3D,
)

# Rows and columns around the mask's bounding box, for a look at what surrounds it.
_MARGIN_PX = 2
# What is no edge: three times the depth noise, and a surface 27 degrees off the plane.
_EDGE_NOISE_SIGMAS = 3.0
_EDGE_SLOPE = 0.5


def lift_mask(
    mask: BoolArray,
    depth_m: Float32Array,
    intrinsics: Intrinsics,
    *,
    rays: Float64Array | None = None,
    min_points: int = 10,
    min_coverage: float = 0.1,
) -> Target3D | NoDepth:
    """Lift one mask to its target in the camera optical frame.

    mask: bool[H,W]. depth_m: f32[H,W] z-depth in metres registered to the mask's image, NaN (or
    not above 0) where nothing was measured. rays: f64[H,W,2] = (x/z, y/z) of every pixel, for an
    unrectified image (`CameraModel.ray_grid`); by default those of the pinhole. Fewer than
    min_points usable pixels, or a smaller share of the mask than min_coverage, is NoDepth with the
    reason.

    Raises MaskError or DepthError for a wrong shape or dtype.
    """
    _check_shapes(mask, depth_m, intrinsics, rays)
    mask_px = int(np.count_nonzero(mask))
    if mask_px == 0:
        return NoDepth("the mask is empty", depth_coverage=0.0, mask_px=0)
    window = _cut_out(mask, depth_m, intrinsics, rays)
    measured_px = int(np.count_nonzero(window.mask & window.measured))
    coverage = measured_px / mask_px
    if measured_px < min_points or coverage < min_coverage:
        return NoDepth(
            f"{measured_px} of the mask's {mask_px} pixels have a depth; at least {min_points} "
            f"pixels and {min_coverage:.0%} of the mask are needed",
            depth_coverage=coverage,
            mask_px=mask_px,
        )
    kept = _object_pixels(window)
    kept_px = int(np.count_nonzero(kept))
    if kept_px < min_points:
        return NoDepth(
            f"{kept_px} of the mask's {measured_px} measured pixels lie on one surface, at least "
            f"{min_points} are needed; the mask may be nothing but an edge",
            depth_coverage=coverage,
            mask_px=mask_px,
        )
    z, ray = window.z[kept], window.rays[kept]
    points = np.column_stack([ray * z[:, None], z])
    position = area_median(points, area_weights(window.mask & ~window.measured, kept))
    return Target3D(
        position=position,
        distance_m=float(np.linalg.norm(position)),
        covariance=position_covariance(points, position),
        extent=extent_along(points, np.eye(3))[1],
        box=oriented_box(points),
        normal=plane_normal(fit_plane(ray, z)),
        depth_coverage=coverage,
        kept_px=kept_px,
        mask_px=mask_px,
    )


@dataclass(frozen=True)
class _Window:
    """The part of the image around the mask, with a margin that the mask does not touch.

    mask, measured: bool[h,w]. z: f64[h,w] metres, NaN where not measured. rays: f64[h,w,2].
    """

    mask: BoolArray
    measured: BoolArray
    z: Float64Array
    rays: Float64Array
    focal_px: float


def _cut_out(
    mask: BoolArray, depth_m: Float32Array, intrinsics: Intrinsics, rays: Float64Array | None
) -> _Window:
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
    top, left = rows[0] - _MARGIN_PX, columns[0] - _MARGIN_PX
    height = rows[-1] + 1 + _MARGIN_PX - top
    width = columns[-1] + 1 + _MARGIN_PX - left
    # Beyond the image's border there is neither mask nor measurement.
    inside = np.s_[
        max(top, 0) : min(top + height, mask.shape[0]),
        max(left, 0) : min(left + width, mask.shape[1]),
    ]
    there = np.s_[
        inside[0].start - top : inside[0].stop - top, inside[1].start - left : inside[1].stop - left
    ]
    part = np.zeros((height, width), np.bool_)
    part[there] = mask[inside]
    z = np.full((height, width), np.nan)
    z[there] = depth_m[inside]
    if rays is None:
        v, u = np.indices((height, width))
        ray = pixel_rays(intrinsics, u + left, v + top)
    else:
        ray = np.full((height, width, 2), np.nan)
        ray[there] = rays[inside]
    # A pixel that the lens model cannot invert has no ray, so its depth says nothing.
    measured = np.isfinite(z) & (z > 0) & np.isfinite(ray).all(axis=-1)
    z[~measured] = np.nan
    return _Window(part, measured, z, ray, min(intrinsics.fx, intrinsics.fy))


def _object_pixels(window: _Window) -> BoolArray:
    """Select the measured pixels bool[h,w] of the mask that lie on its object."""
    kept = window.mask & window.measured
    kept[kept] = dominant_layer(window.z[kept], window.focal_px)
    plane = fit_plane(window.rays[kept], window.z[kept])
    # Off the plane in inverse depth, where a plane is linear however it is inclined.
    with np.errstate(invalid="ignore"):
        off_plane = 1 / window.z - (window.rays @ plane[:2] + plane[2])
        middle = float(np.median(window.z[kept]))
    noise = _EDGE_NOISE_SIGMAS * depth_noise_m(window.z) / window.z**2
    slope = _EDGE_SLOPE / (window.focal_px * middle)
    candidates = kept | (window.mask & ~window.measured)
    return kept & ~overrun(candidates, off_plane, noise, slope)


def _check_shapes(
    mask: BoolArray, depth_m: Float32Array, intrinsics: Intrinsics, rays: Float64Array | None
) -> None:
    size = (intrinsics.height, intrinsics.width)
    if mask.dtype != np.bool_ or mask.ndim != 2:
        raise MaskError(
            f"got a mask of dtype {mask.dtype} and shape {mask.shape}, expected bool[H,W]; "
            "threshold it first "
            "and pass one mask at a time"
        )
    if mask.shape != size:
        raise MaskError(
            f"got a mask of shape {mask.shape}, expected {size} from the intrinsics; resize the "
            "mask to the "
            "image before lifting it"
        )
    if depth_m.dtype != np.float32:
        raise DepthError(
            f"got depth of dtype {depth_m.dtype}, expected float32 metres; convert it with "
            "depth_to_metres"
        )
    if depth_m.shape != size:
        raise DepthError(
            f"got depth of shape {depth_m.shape}, expected {size} from the intrinsics; use depth "
            "registered to "
            "the colour image"
        )
    if rays is not None and rays.shape != (*size, 2):
        raise DepthError(
            f"got rays of shape {rays.shape}, expected {(*size, 2)}; use CameraModel.ray_grid of "
            "this camera"
        )
