"""sensor_msgs/CameraInfo → the camera model of the image that it comes with."""

from __future__ import annotations

from sensor_msgs.msg import CameraInfo

from lisa_ros import geometry
from lisa_ros.errors import CameraInfoError
from lisa_ros.geometry import CameraModel
from lisa_ros.types import Intrinsics

# Image sizes in a focal length, or the other way round: fields of view of 179.9° and of 0.06°.
_MOST_SIZES = 1000


def camera_model_from_message(
    info: CameraInfo, image_size: tuple[int, int], *, rectified: bool
) -> CameraModel:
    """Read the camera model of an image of `image_size` (H, W) out of its camera_info message.

    rectified: whether the image's pixels are those of P (see `geometry.camera_model`). Raises
    CameraInfoError when the message contradicts itself or the image's size.
    """
    region = geometry.RegionOfInterest(
        x_offset=int(info.roi.x_offset),
        y_offset=int(info.roi.y_offset),
        width=int(info.roi.width),
        height=int(info.roi.height),
        do_rectify=bool(info.roi.do_rectify),
    )
    values = geometry.CameraInfo(
        width=int(info.width),
        height=int(info.height),
        k=tuple(float(value) for value in info.k),
        p=tuple(float(value) for value in info.p),
        d=tuple(float(value) for value in info.d),
        distortion_model=str(info.distortion_model),
        binning_x=int(info.binning_x),
        binning_y=int(info.binning_y),
        roi=region,
    )
    camera = geometry.camera_model(values, rectified=rectified, image_size=image_size)
    _check_plausible(camera.intrinsics)
    return camera


def _check_plausible(camera: Intrinsics) -> None:
    """Refuse numbers that no lens has, before they overflow in a later step."""
    for name, length_px, size_px in (
        ("fx", camera.fx, camera.width),
        ("fy", camera.fy, camera.height),
        ("cx", camera.cx, camera.width),
        ("cy", camera.cy, camera.height),
    ):
        limit_px = _MOST_SIZES * size_px
        if abs(length_px) > limit_px or (name[0] == "f" and length_px * _MOST_SIZES < size_px):
            raise CameraInfoError(
                f"got {name} = {length_px:g} px for an image of {camera.width}x{camera.height} "
                "pixels, which no lens has; calibrate the camera or fix its driver's camera_info"
            )
