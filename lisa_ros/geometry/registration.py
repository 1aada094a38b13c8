"""Depth in the pixels of the colour image, from depth that another camera or another size measured.

`DepthRegistration` moves every measurement to where the colour camera sees it; what that camera
sees and the depth camera does not is a hole. `resample_depth` is for one camera at two sizes, where
nothing hides anything else.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lisa_ros.errors import DepthError, TransformError
from lisa_ros.geometry.camera import CameraModel
from lisa_ros.geometry.projection import pixel_rays
from lisa_ros.geometry.transforms import matrix_to_quaternion
from lisa_ros.types import Float32Array, Float64Array, Intrinsics

# A measurement is drawn as a rectangle this much larger than its pixel, so that surfaces which the
# colour camera sees less obliquely than the depth camera does not come apart. With 6 cm between the
# lenses a surface at 0.5 m that is turned by 60° stretches by 20 %.
_OVERLAP = 1.25
# Pixels of the colour image that one of the depth image may cover, along each axis. The coarsest
# real pair (a time-of-flight camera of 224 columns beside a 1920 one) needs 9.
_MAX_SPLAT_PX = 16.0
_MIN_SIDE_PX = 2
# How far beyond its outermost ray a lens model is still believed, for what is drawn half outside.
_FIELD_MARGIN = 1.05


class DepthRegistration:
    """Registers depth images of one camera to another camera; computed once for a pair of them.

    T_color_depth: f64[4,4], depth camera's optical frame → colour camera's. Distorted lenses on
    either side are taken into account. Raises DepthError where the cameras cannot belong together
    (a depth pixel would cover more than 16 of colour), TransformError for what is no rigid
    transform.
    """

    def __init__(
        self, depth_camera: CameraModel, color_camera: CameraModel, T_color_depth: Float64Array
    ) -> None:
        T_color_depth = np.asarray(T_color_depth, np.float64)
        if T_color_depth.shape != (4, 4) or not np.isfinite(T_color_depth).all():
            raise TransformError(
                f"got T_color_depth = {T_color_depth.tolist()}, expected a finite f64[4,4]; check "
                "the transform between the two cameras"
            )
        matrix_to_quaternion(T_color_depth[:3, :3])  # raises for what is no rotation
        size = depth_camera.intrinsics
        if min(size.width, size.height) < _MIN_SIDE_PX:
            raise DepthError(
                f"got depth of {size.width}x{size.height} pixels, expected at least "
                f"{_MIN_SIDE_PX}x{_MIN_SIDE_PX} to register it; check the depth camera's settings"
            )
        self._color_camera = color_camera
        self._field = _field(color_camera)
        self._shape = (size.height, size.width)
        self._translation = T_color_depth[:3, 3]
        rays = depth_camera.ray_grid()
        ones = np.ones((*self._shape, 1))
        # [h,w,3]: where the surface of a pixel lies in the colour camera's frame, per metre of
        # depth, seen from the depth camera.
        self._directions = np.concatenate([rays, ones], axis=-1) @ T_color_depth[:3, :3].T
        self._half_width, self._half_height = self._footprints()

    def register(self, depth_m: Float32Array) -> Float32Array:
        """Return depth as the colour camera would measure it: f32[H,W] m, NaN for holes.

        depth_m: f32[h,w] z-depth, NaN for holes. Where several measurements fall on a pixel the
        nearest hides the others; each keeps its own depth over all of the pixels that it covers.
        Raises DepthError for another size than the depth camera's.
        """
        if depth_m.shape != self._shape:
            raise DepthError(
                f"got depth of shape {depth_m.shape}, expected {self._shape} from the depth "
                "camera's intrinsics; use the camera_info that belongs to this depth image"
            )
        measured = np.flatnonzero(np.isfinite(depth_m) & (depth_m > 0))
        depth = depth_m.reshape(-1)[measured].astype(np.float64)
        points = self._directions.reshape(-1, 3)[measured] * depth[:, None] + self._translation
        z = points[:, 2]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            u, v = _image(points, self._color_camera)
            inside = np.hypot(points[:, 0], points[:, 1]) <= self._field * z
            nearer = depth / z
            half_u = np.clip(self._half_width[measured] * nearer, 0.5, _MAX_SPLAT_PX / 2)
            half_v = np.clip(self._half_height[measured] * nearer, 0.5, _MAX_SPLAT_PX / 2)
        seen = (z > 0) & inside & np.isfinite(u + v + half_u + half_v)
        columns = _spans(u[seen], half_u[seen], self._color_camera.intrinsics.width)
        rows = _spans(v[seen], half_v[seen], self._color_camera.intrinsics.height)
        return self._draw(columns, rows, z[seen].astype(np.float32))

    def _footprints(self) -> tuple[Float64Array, Float64Array]:
        """Return half the width and height in colour pixels of each depth pixel, seen from afar.

        They come from how far apart the images of neighbours are, which counts both lenses and any
        rotation in. Nearer surfaces scale them by the ratio of their two depths.
        """
        far = self._directions.reshape(-1, 3)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            halves = []
            for image in _image(far, self._color_camera):
                along_v, along_u = np.gradient(image.reshape(self._shape))
                halves.append((np.abs(along_u) + np.abs(along_v)).reshape(-1) * _OVERLAP / 2)
        finite = [half[np.isfinite(half)] for half in halves]
        typical_px = max((2 * float(np.median(half)) if half.size else 0.0) for half in finite)
        if typical_px > _MAX_SPLAT_PX:
            raise DepthError(
                f"one pixel of depth would cover {typical_px:.0f} of the colour image, expected at "
                f"most {_MAX_SPLAT_PX:.0f}; check that each camera_info belongs to its image"
            )
        return halves[0], halves[1]

    def _draw(
        self,
        columns: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
        rows: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
        z: Float32Array,
    ) -> Float32Array:
        """Draw rectangles (first and end of columns and rows, by measurement), the nearest on top.

        Pass by pixel of the rectangle, so that each pass is one operation on arrays.
        """
        (left, right), (top, bottom) = columns, rows
        height, width = self._color_camera.intrinsics.height, self._color_camera.intrinsics.width
        nearest = np.full(height * width, np.inf, dtype=np.float32)
        for down in range(int((bottom - top).max(initial=0))):
            tall = np.flatnonzero(bottom - top > down)
            start = (top[tall] + down) * width + left[tall]
            wide, z_tall = right[tall] - left[tall], z[tall]
            for across in range(int(wide.max(initial=0))):
                drawn = wide > across
                np.minimum.at(nearest, start[drawn] + across, z_tall[drawn])
        nearest[np.isinf(nearest)] = np.nan
        return nearest.reshape(height, width)


def resample_depth(
    depth_m: Float32Array, depth_camera: Intrinsics, color_camera: Intrinsics
) -> Float32Array:
    """Return depth at the size of the colour image: f32[H,W] m, NaN outside of the depth image.

    For one pinhole at two sizes or with two crops: the optical centre is the same. Every pixel gets
    the nearest measurement along its ray; depths are not mixed, as there may be an edge between.
    Raises DepthError when depth_m f32[h,w] does not have the depth camera's size.
    """
    if depth_m.shape != (depth_camera.height, depth_camera.width):
        raise DepthError(
            f"got depth of shape {depth_m.shape}, expected "
            f"{(depth_camera.height, depth_camera.width)} from the depth camera's intrinsics; use "
            "the camera_info that belongs to this depth image"
        )
    d, c = depth_camera, color_camera
    u = np.rint((np.arange(c.width) - c.cx) * (d.fx / c.fx) + d.cx)
    v = np.rint((np.arange(c.height) - c.cy) * (d.fy / c.fy) + d.cy)
    u_inside, v_inside = (u >= 0) & (u < d.width), (v >= 0) & (v < d.height)
    resampled = np.full((c.height, c.width), np.nan, dtype=np.float32)
    rows, columns = v[v_inside].astype(np.int64), u[u_inside].astype(np.int64)
    resampled[np.ix_(v_inside, u_inside)] = depth_m[np.ix_(rows, columns)]
    return resampled


def scaled_intrinsics(camera: Intrinsics, width: int, height: int) -> Intrinsics:
    """Return the same camera with its image resized to width x height pixels.

    Pixel centres are at integers, so the image begins half a pixel before the first of them.
    """
    scale_x, scale_y = width / camera.width, height / camera.height
    return Intrinsics(
        fx=camera.fx * scale_x,
        fy=camera.fy * scale_y,
        cx=(camera.cx + 0.5) * scale_x - 0.5,
        cy=(camera.cy + 0.5) * scale_y - 0.5,
        width=width,
        height=height,
    )


def _image(points: Float64Array, camera: CameraModel) -> tuple[Float64Array, Float64Array]:
    """Return the pixels u, v of points f64[N,3] m, lens included; NaN behind the camera."""
    z = np.where(points[:, 2] > 0, points[:, 2], np.nan)
    rays = points[:, :2] / z[:, None]
    if camera.distortion is not None:
        rays = camera.distortion.distort(rays)
    k = camera.intrinsics
    return rays[:, 0] * k.fx + k.cx, rays[:, 1] * k.fy + k.cy


def _field(camera: CameraModel) -> float:
    """Return how far from its axis a camera sees, as √(x² + y²)/z.

    A lens model is a polynomial: beyond the rays that it was fitted to it turns round, and would
    put what lies beside the image into it.
    """
    if camera.distortion is None:
        return np.inf
    k = camera.intrinsics
    u, v = np.arange(k.width), np.arange(k.height)
    border = [(u, 0 * u), (u, 0 * u + k.height - 1), (0 * v, v), (0 * v + k.width - 1, v)]
    rays = np.concatenate([pixel_rays(k, *side) for side in border])
    with np.errstate(over="ignore"):
        radii = np.linalg.norm(camera.distortion.undistort(rays), axis=-1)
    radii = radii[np.isfinite(radii)]
    return float(radii.max()) * _FIELD_MARGIN if radii.size else np.inf


def _spans(
    centre: Float64Array, half: Float64Array, size: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the first pixel and the one after the last whose centres lie within, cut to size."""
    first = np.clip(np.ceil(centre - half), 0, size)
    end = np.clip(np.ceil(centre + half), 0, size)
    return first.astype(np.int64), end.astype(np.int64)
