"""What a camera_info message says about the camera: from its plain values to intrinsics and rays.

No ROS here: `CameraInfo` mirrors the fields of sensor_msgs/CameraInfo, so the node copies them
over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from lisa_ros.errors import CameraInfoError
from lisa_ros.geometry.distortion import LensDistortion
from lisa_ros.geometry.projection import ray_grid
from lisa_ros.types import Float64Array, Intrinsics

# Beyond these there is no camera, but points at 1e80 m.
_MIN_FOCAL_PX = 1.0
_MAX_CENTRE_PX = 1e6


@dataclass(frozen=True)
class RegionOfInterest:
    """sensor_msgs/RegionOfInterest: pixels of the full, unbinned image; width 0 is all of it."""

    x_offset: int = 0
    y_offset: int = 0
    width: int = 0
    height: int = 0
    do_rectify: bool = False


@dataclass(frozen=True)
class CameraInfo:
    """The calibration in sensor_msgs/CameraInfo, field by field.

    width, height: pixels of the full, unbinned image. k: 9 numbers, row-major 3x3, the raw camera.
    p: 12 numbers, row-major 3x4, the rectified camera. d: distortion coefficients of
    distortion_model. binning_x, binning_y: 0 means 1.
    """

    width: int
    height: int
    k: Sequence[float]
    p: Sequence[float] = (0.0,) * 12
    d: Sequence[float] = ()
    distortion_model: str = ""
    binning_x: int = 0
    binning_y: int = 0
    roi: RegionOfInterest = field(default_factory=RegionOfInterest)


@dataclass(frozen=True)
class CameraModel:
    """How the pixels of one image look into the world.

    intrinsics: pinhole of the image as it is, ROI and binning applied. distortion: the lens of an
    unrectified image; None where the pixels are those of a pinhole.
    """

    intrinsics: Intrinsics
    distortion: LensDistortion | None = None

    def ray_grid(self) -> Float64Array:
        """Give the rays f64[H,W,2] = (x/z, y/z) of all pixels; NaN where the lens images nothing.

        For a distorted camera of 640x480 it takes 0.1 to 0.4 s (one core of a busy machine, the
        longest for a wide lens that does not fill the image); it never changes: compute it once.
        """
        rays = ray_grid(self.intrinsics)
        return rays if self.distortion is None else self.distortion.undistort(rays)


def camera_model(
    info: CameraInfo, *, rectified: bool, image_size: tuple[int, int] | None = None
) -> CameraModel:
    """Read a camera model out of camera_info values.

    rectified: whether the image has been rectified (image_rect topics, most depth cameras' aligned
    streams); then P counts and there is no distortion left. Otherwise K and D count. image_size:
    the image's (H, W), compared with what the calibration, its ROI and its binning make of it.

    ROI and binning are applied as image_geometry's PinholeCameraModel does: first cx − x_offset,
    then everything divided by the binning. With pixel centres at integers, averaging b pixels
    shifts the centre by another (b − 1)/2b pixels; image_geometry leaves that out, and so does
    this, so that a point is where the other tools of a ROS system see it.

    Raises CameraInfoError for sizes, focal lengths or coefficients that cannot be.
    """
    size = _image_size(info)
    if image_size is not None and size != tuple(image_size):
        raise CameraInfoError(
            f"got an image of {image_size[1]}x{image_size[0]} pixels, expected {size[1]}x{size[0]} "
            "from camera_info (size, ROI, binning); use the camera_info that belongs to this image"
        )
    fx, fy, cx, cy = _rectified_focal(info) if rectified else _raw_focal(info)
    bin_x, bin_y = max(info.binning_x, 1), max(info.binning_y, 1)
    intrinsics = Intrinsics(
        fx=fx / bin_x,
        fy=fy / bin_y,
        cx=(cx - info.roi.x_offset) / bin_x,
        cy=(cy - info.roi.y_offset) / bin_y,
        width=size[1],
        height=size[0],
    )
    return CameraModel(intrinsics, None if rectified else _distortion(info))


def _image_size(info: CameraInfo) -> tuple[int, int]:
    """Give (H, W) of the image that the calibration describes."""
    roi = info.roi
    whole = roi.width == 0 or roi.height == 0
    width, height = (info.width, info.height) if whole else (roi.width, roi.height)
    fits = 0 <= roi.x_offset <= info.width - width and 0 <= roi.y_offset <= info.height - height
    if info.width < 1 or info.height < 1 or min(width, height) < 1 or not fits:
        raise CameraInfoError(
            f"got camera_info of {info.width}x{info.height} pixels with {roi}, expected a size "
            "above "
            "0 and a region inside of it; calibrate the camera or fix its driver's camera_info"
        )
    if min(info.binning_x, info.binning_y) < 0:
        raise CameraInfoError(
            f"got binning {info.binning_x}x{info.binning_y}, expected 0 or more; fix camera_info"
        )
    binned = height // max(info.binning_y, 1), width // max(info.binning_x, 1)
    if 0 in binned:
        raise CameraInfoError(
            f"got binning {info.binning_x}x{info.binning_y} of {width}x{height} pixels, expected "
            "at least one to be left; fix camera_info"
        )
    return binned


def _raw_focal(info: CameraInfo) -> tuple[float, float, float, float]:
    k = _matrix("k", info.k, (3, 3))
    return _focal("k", k)


def _rectified_focal(info: CameraInfo) -> tuple[float, float, float, float]:
    p = _matrix("p", info.p, (3, 4))
    if p[0, 3] != 0 or p[1, 3] != 0:
        raise CameraInfoError(
            f"got p with a translation ({p[0, 3]}, {p[1, 3]}), which is the second camera of a "
            "stereo pair, whose points belong to the first one's frame; expected 0; use the first "
            "camera's image and camera_info"
        )
    return _focal("p", p)


def _matrix(name: str, values: Sequence[float], shape: tuple[int, int]) -> Float64Array:
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.size != shape[0] * shape[1] or not np.all(np.isfinite(matrix)):
        raise CameraInfoError(
            f"got {name} = {matrix.tolist()}, expected {shape[0] * shape[1]} finite numbers; "
            "calibrate the camera or fix its driver's camera_info"
        )
    return matrix.reshape(shape)


def _focal(name: str, matrix: Float64Array) -> tuple[float, float, float, float]:
    fx, fy, cx, cy = (float(matrix[i]) for i in ((0, 0), (1, 1), (0, 2), (1, 2)))
    if min(fx, fy) < _MIN_FOCAL_PX or max(abs(cx), abs(cy)) > _MAX_CENTRE_PX:
        raise CameraInfoError(
            f"got focal lengths ({fx}, {fy}) and a centre ({cx}, {cy}) in {name}, expected lengths "
            f"of {_MIN_FOCAL_PX:g} px or more and a centre near the image; zeros mean an "
            "uncalibrated camera: calibrate it, or choose the other of k (raw image) and p "
            "(rectified)"
        )
    return fx, fy, cx, cy


def _distortion(info: CameraInfo) -> LensDistortion | None:
    coefficients = tuple(float(c) for c in info.d)
    if not any(coefficients):
        # For a fish-eye zeros are not "no distortion", but drivers fill them in for rectified
        # simulated and depth-aligned images under any model's name.
        return None
    return LensDistortion(info.distortion_model, coefficients)
