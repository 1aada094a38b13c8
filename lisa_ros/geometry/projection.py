"""Between pixels and points in the camera optical frame (REP 103: x right, y down, z forward).

A pixel (u, v) is its centre: the middle of the image's first pixel is (0, 0). A ray is (x/z, y/z).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lisa_ros.errors import DepthError
from lisa_ros.types import Float32Array, Float64Array, Intrinsics


def pixel_rays(intrinsics: Intrinsics, u: npt.ArrayLike, v: npt.ArrayLike) -> Float64Array:
    """Give the rays f64[...,2] = (x/z, y/z) of rectified pixels u, v (any equal shapes, pixels)."""
    u = np.asarray(u, dtype=np.float64)
    v = np.asarray(v, dtype=np.float64)
    return np.stack(
        [(u - intrinsics.cx) / intrinsics.fx, (v - intrinsics.cy) / intrinsics.fy], axis=-1
    )


def ray_grid(intrinsics: Intrinsics) -> Float64Array:
    """Give the rays f64[H,W,2] = (x/z, y/z) of all pixels of a rectified image."""
    v, u = np.indices((intrinsics.height, intrinsics.width), dtype=np.float64)
    return pixel_rays(intrinsics, u, v)


def deproject(depth_m: Float32Array, intrinsics: Intrinsics) -> Float32Array:
    """Lift a whole depth image to an organised cloud f32[H,W,3], metres, NaN where depth is NaN.

    depth_m: f32[H,W] z-depth in metres. Inverse of `project`. Raises DepthError for another shape.
    """
    if depth_m.shape != (intrinsics.height, intrinsics.width):
        raise DepthError(
            f"got depth of shape {depth_m.shape}, expected "
            f"{(intrinsics.height, intrinsics.width)} from the camera's intrinsics; use depth "
            "registered to the colour image"
        )
    # The grid is separable, so two vectors do; this runs for every frame when a cloud is
    # subscribed.
    ray_x = (np.arange(intrinsics.width) - intrinsics.cx) / intrinsics.fx
    ray_y = (np.arange(intrinsics.height) - intrinsics.cy) / intrinsics.fy
    cloud = np.empty((*depth_m.shape, 3), np.float32)
    cloud[..., 0] = depth_m * ray_x[None, :]
    cloud[..., 1] = depth_m * ray_y[:, None]
    cloud[..., 2] = depth_m
    return cloud


def project(points: Float64Array, intrinsics: Intrinsics) -> Float64Array:
    """Give the rectified pixels f64[...,2] = (u, v) of points f64[...,3] m in the optical frame.

    Points on or behind the camera plane (z <= 0) have no pixel: NaN.
    """
    points = np.asarray(points, dtype=np.float64)
    z = np.where(points[..., 2] > 0, points[..., 2], np.nan)
    u = intrinsics.fx * points[..., 0] / z + intrinsics.cx
    v = intrinsics.fy * points[..., 1] / z + intrinsics.cy
    return np.stack([u, v], axis=-1)
