"""A mask and a registered depth image to a 3D target.

The position of a target is the per-axis median of the deprojected pixels that are kept: a point of
the visible surface, never the object's centre.
"""

from __future__ import annotations

import numpy as np

from lisa_ros.errors import DepthError, MaskError
from lisa_ros.geometry.depth_layers import dominant_layer
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
    v, u = np.nonzero(mask)
    z = depth_m[v, u].astype(np.float64)
    measured = np.isfinite(z) & (z > 0)
    u, v, z = u[measured], v[measured], z[measured]
    coverage = len(z) / mask_px
    if len(z) < min_points or coverage < min_coverage:
        return NoDepth(
            f"{len(z)} of the mask's {mask_px} pixels have a depth; at least {min_points} pixels "
            "and "
            f"{min_coverage:.0%} of the mask are needed",
            depth_coverage=coverage,
            mask_px=mask_px,
        )
    keep = dominant_layer(z, min(intrinsics.fx, intrinsics.fy))
    u, v, z = u[keep], v[keep], z[keep]
    pixel_ray = pixel_rays(intrinsics, u, v) if rays is None else rays[v, u]
    points = np.column_stack([pixel_ray * z[:, None], z])
    position = np.median(points, axis=0)
    return Target3D(
        position=position,
        covariance=position_covariance(points, position),
        extent=extent_along(points, np.eye(3))[1],
        box=oriented_box(points),
        normal=plane_normal(fit_plane(pixel_ray, z)),
        depth_coverage=coverage,
        kept_px=len(z),
        mask_px=mask_px,
    )


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
