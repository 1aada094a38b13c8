"""One frame's depth with all that places it: cameras, pose, alignment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from lisa_ros.errors import DatasetError, MaskError
from lisa_ros.geometry.projection import ray_grid
from lisa_ros.geometry.transforms import invert_transform
from lisa_ros.types import Float32Array, Float64Array, Intrinsics
from training.data.scannet.pose import nearest_rigid, tracked_pose
from training.data.scannet.sens import SensFrame
from training.data.scannet.sens_header import SensHeader

_Pixel = TypeVar("_Pixel", bound=np.generic)

# Where a depth pixel falls between two colour pixels, rounding errors must not choose.
_TIE_PX = 1e-6


@dataclass(frozen=True)
class DepthView:
    """A depth image and the colour camera beside it.

    depth_m: f32[h,w] on the grid of depth_camera. T_color_depth: f64[4,4], the identity in released
    scans. T_world_camera: depth camera to world, None where tracking was lost. T_aligned_world:
    None where it is not known.
    """

    depth_m: Float32Array
    depth_camera: Intrinsics
    color_camera: Intrinsics
    T_color_depth: Float64Array
    T_world_camera: Float64Array | None
    T_aligned_world: Float64Array | None

    def on_depth_grid(self, image: npt.NDArray[_Pixel]) -> npt.NDArray[_Pixel]:
        """Give every depth pixel the nearest pixel of an image [H,W] of the colour camera.

        Zero (or false) where the colour camera does not see. A depth pixel without measurement is
        looked up at the median depth, which matters only where the cameras are apart.

        Raises:
            MaskError: the image is not of the colour camera's size.

        """
        width, height = self.color_camera.width, self.color_camera.height
        if image.shape != (height, width):
            raise MaskError(
                f"got an image of shape {image.shape}, expected {(height, width)} from the colour "
                "camera; give annotation at the size of the colour image"
            )
        points = self._color_points()
        with np.errstate(divide="ignore", invalid="ignore"):
            u = self.color_camera.fx * points[..., 0] / points[..., 2] + self.color_camera.cx
            v = self.color_camera.fy * points[..., 1] / points[..., 2] + self.color_camera.cy
        column, row = np.ceil(u - 0.5 - _TIE_PX), np.ceil(v - 0.5 - _TIE_PX)
        seen = (points[..., 2] > 0) & (column >= 0) & (column < width) & (row >= 0) & (row < height)
        values: npt.NDArray[_Pixel] = np.zeros(self.depth_m.shape, image.dtype)
        values[seen] = image[row[seen].astype(np.intp), column[seen].astype(np.intp)]
        return values

    def _color_points(self) -> Float64Array:
        """Points f64[h,w,3] along the colour camera's rays to the depth pixels, up to scale."""
        rays = ray_grid(self.depth_camera)
        rays = np.concatenate([rays, np.ones((*rays.shape[:2], 1))], axis=-1)
        offset = self.T_color_depth[:3, 3]
        points: Float64Array = rays @ self.T_color_depth[:3, :3].T
        measured = np.isfinite(self.depth_m)
        if not offset.any() or not measured.any():
            return points
        depth = np.where(measured, self.depth_m, np.median(self.depth_m[measured]))
        return points + offset / depth[..., None].astype(np.float64)


def view_of_recorded(
    header: SensHeader, frame: SensFrame, T_aligned_world: Float64Array | None
) -> DepthView:
    """Put a recording's frame together with its cameras.

    Raises:
        DatasetError: a camera without calibration.

    """
    return DepthView(
        depth_m=frame.depth_m,
        depth_camera=header.depth_camera(),
        color_camera=header.color_camera(),
        T_color_depth=color_from_depth(header.extrinsic_color, header.extrinsic_depth),
        T_world_camera=frame.T_world_camera,
        T_aligned_world=T_aligned_world,
    )


def color_from_depth(extrinsic_color: Float64Array, extrinsic_depth: Float64Array) -> Float64Array:
    """Give T_color_depth f64[4,4] of two extrinsics, each from its camera to a common frame.

    Raises:
        DatasetError: one of them is no rigid transform.

    """
    for what, extrinsic in (("colour", extrinsic_color), ("depth", extrinsic_depth)):
        if tracked_pose(extrinsic) is None:
            raise DatasetError(
                f"The extrinsic of the {what} camera is {extrinsic.tolist()}, expected a rigid "
                "transform (the identity in released scans); the recording is damaged."
            )
    if np.array_equal(extrinsic_color, extrinsic_depth):
        return np.eye(4)
    to_color: Float64Array = invert_transform(nearest_rigid(extrinsic_color))
    return to_color @ nearest_rigid(extrinsic_depth)
