"""Depth as a driver sends it → depth in the pixels of the colour image, or why that cannot be.

Depth with the frame_id of the colour image is registered to it, whatever its size. Depth in another
frame is registered here if that can be done exactly: with both cameras' camera_info and the
transform between them. Needs no rclpy.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lisa_ros.errors import DepthError, TransformError
from lisa_ros.geometry import (
    CameraModel,
    DepthRegistration,
    resample_depth,
    scaled_intrinsics,
)
from lisa_ros.types import Float32Array, Float64Array

# (target frame, source frame, stamp in ns) → T_target_source f64[4,4], or TransformError.
FindTransform = Callable[[str, str, int], Float64Array]

# Sizes that differ by less than a pixel's rounding have the same shape.
_SAME_SHAPE_PX = 1.0
_DRIVER_SETTINGS = (
    "let the driver register depth to colour (RealSense: align_depth.enable:=true and the topic "
    "aligned_depth_to_color/image_raw; OAK: stereo.i_align_depth: true; Orbbec and OpenNI: "
    "depth_registration:=true; Azure Kinect: the topic depth_to_rgb/image_raw; ZED: the topic "
    "depth/depth_registered)"
)


class DepthAligner:
    """Brings depth into the pixels of the colour image. Use from one thread.

    depth_to_color: f64[4,4], the depth camera's pose in the colour camera's optical frame, for
    depth of another frame_id; find_transform: where it comes from if that is None. Either may be
    missing.
    """

    def __init__(
        self,
        *,
        depth_to_color: Float64Array | None = None,
        find_transform: FindTransform | None = None,
    ) -> None:
        self._depth_to_color = depth_to_color
        self._find_transform = find_transform
        self._last: tuple[CameraModel, CameraModel, Float64Array, DepthRegistration] | None = None

    def is_registered(self, depth_frame: str, color_frame: str) -> bool:
        """Whether depth of this frame_id is in the view of a colour image of that one."""
        if _same(depth_frame, color_frame):
            return True
        # The way to say it of a driver that names its frames otherwise.
        fixed = self._depth_to_color
        return fixed is not None and np.array_equal(fixed, np.eye(4))

    def to_size(
        self,
        depth_m: Float32Array,
        color_camera: CameraModel,
        depth_camera: Callable[[], CameraModel | None],
    ) -> Float32Array:
        """Return registered depth f32[h,w] m at the colour image's size, f32[H,W].

        depth_camera: gives the depth image's own camera, None where it is not known. Raises
        DepthError when the two sizes have different shapes and nothing says how they lie, and what
        depth_camera raises, which is asked only if the sizes differ.
        """
        color = color_camera.intrinsics
        height, width = depth_m.shape
        if (height, width) == (color.height, color.width):
            return depth_m
        camera = depth_camera()
        if camera is not None and camera.distortion is None and color_camera.distortion is None:
            return resample_depth(depth_m, camera.intrinsics, color)
        if camera is not None:
            return self._register(depth_m, camera, color_camera, np.eye(4))
        if abs(width * color.height - height * color.width) > _SAME_SHAPE_PX * max(
            color.width, color.height
        ):
            raise DepthError(
                f"depth is {width}x{height}, the colour image {color.width}x{color.height}, which "
                "is another shape; expected depth at the size of the colour image, or its "
                "camera_info on the topic `depth_camera_info`"
            )
        return resample_depth(depth_m, scaled_intrinsics(color, width, height), color)

    def from_other_view(
        self,
        depth_m: Float32Array,
        color_camera: CameraModel,
        depth_camera: CameraModel | None,
        *,
        frames: tuple[str, str],
        stamp_ns: int,
    ) -> Float32Array:
        """Register depth f32[h,w] m to the colour image: f32[H,W].

        frames: frame_ids of depth and of the colour image. stamp_ns: when to look the transform up.
        Raises DepthError, with what is missing and how to get it, where it cannot be done.
        """
        what = f"depth is in the frame {frames[0]!r}, the colour image in {frames[1]!r}"
        if depth_camera is None:
            raise DepthError(
                f"{what}: expected registered depth; {_DRIVER_SETTINGS}, or connect "
                "`depth_camera_info` and have it registered here"
            )
        if self._depth_to_color is not None:
            transform = self._depth_to_color
        elif self._find_transform is None:
            raise DepthError(
                f"{what}, and no transform between them is known; {_DRIVER_SETTINGS}, or set the "
                "parameter depth_to_color"
            )
        else:
            try:
                transform = self._find_transform(frames[1], frames[0], stamp_ns)
            except TransformError as error:
                raise DepthError(
                    f"{what}, and there is no transform between them ({error}); "
                    f"{_DRIVER_SETTINGS}, or set the parameter depth_to_color"
                ) from error
        try:
            return self._register(depth_m, depth_camera, color_camera, transform)
        except TransformError as error:
            raise DepthError(f"{what}, and cannot be registered: {error}") from error

    def _register(
        self,
        depth_m: Float32Array,
        depth_camera: CameraModel,
        color_camera: CameraModel,
        T_color_depth: Float64Array,
    ) -> Float32Array:
        """Register with what was computed for the last frame, as long as the cameras stay."""
        known = self._last
        if (
            known is None
            or known[:2] != (depth_camera, color_camera)
            or not np.array_equal(known[2], T_color_depth)
        ):
            self._last = None
            registration = DepthRegistration(depth_camera, color_camera, T_color_depth)
            self._last = known = (depth_camera, color_camera, T_color_depth, registration)
        return known[3].register(depth_m)


def _same(one: str, other: str) -> bool:
    """Compare frame_ids; bags made with ROS 1 may have a slash in front."""
    return one.lstrip("/") == other.lstrip("/")
