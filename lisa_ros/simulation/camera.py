"""The simulated pinhole camera: its format, its pose and its rays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lisa_ros.errors import SimulationError
from lisa_ros.types import Float32Array, Float64Array, Intrinsics

_FORMATS = ((256, 256), (320, 240), (384, 216))


@dataclass(frozen=True)
class CameraSpec:
    """An ideal camera whose principal point is the image centre.

    width, height: pixels. focal_px: focal length; None takes the geometric mean of the sides, about
    53° across them.
    """

    width: int
    height: int
    focal_px: float | None = None

    def intrinsics(self) -> Intrinsics:
        """The pinhole model; SimulationError when the size cannot show a room."""
        if min(self.width, self.height) < 64 or max(self.width, self.height) > 4096:
            raise SimulationError(
                f"The camera is {self.width}x{self.height} px; "
                "rooms are made for sides of 64 to 4096 px."
            )
        focal = float(np.sqrt(self.width * self.height)) if self.focal_px is None else self.focal_px
        if not focal > 0:
            raise SimulationError(f"focal_px is {focal}; expected a positive length in pixels.")
        cx, cy = (self.width - 1) / 2, (self.height - 1) / 2
        return Intrinsics(focal, focal, cx, cy, self.width, self.height)


def draw_camera(rng: np.random.Generator) -> CameraSpec:
    """A square, 4:3 or 16:9 camera of about 80 thousand pixels at most."""
    width, height = _FORMATS[int(rng.integers(len(_FORMATS)))]
    return CameraSpec(width, height, float(np.sqrt(width * height) * rng.uniform(0.95, 1.08)))


def look_at(eye: Float64Array, target: Float64Array) -> Float64Array:
    """T_world_camera f64[4,4] of a level optical frame (x right, y down, z forward) at `eye`."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    pose[:3, 3] = eye
    return pose


def ray_directions(
    intrinsics: Intrinsics, T_world_camera: Float64Array, u: Float32Array, v: Float32Array
) -> Float32Array:
    """World directions f32[N,3] through the pixels (u, v).

    Their z-depth is 1, so that the parameter of a ray is z-depth in metres.
    """
    local = np.stack(
        [
            (u - intrinsics.cx) / intrinsics.fx,
            (v - intrinsics.cy) / intrinsics.fy,
            np.ones_like(u),
        ],
        axis=-1,
    )
    turned: Float32Array = local.astype(np.float32) @ T_world_camera[:3, :3].T.astype(np.float32)
    return turned


def project(
    intrinsics: Intrinsics, T_world_camera: Float64Array, points: Float64Array
) -> Float64Array:
    """f64[N,2], the pixels (u, v) of world points [N,3] that lie in front of the camera."""
    local = (points - T_world_camera[:3, 3]) @ T_world_camera[:3, :3]
    u = intrinsics.fx * local[:, 0] / local[:, 2] + intrinsics.cx
    v = intrinsics.fy * local[:, 1] / local[:, 2] + intrinsics.cy
    return np.stack([u, v], axis=1)
