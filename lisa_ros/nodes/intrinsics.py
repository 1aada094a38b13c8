"""sensor_msgs/CameraInfo → the camera model of the image that it comes with."""

from __future__ import annotations

from sensor_msgs.msg import CameraInfo, Image

from lisa_ros import geometry
from lisa_ros.geometry import CameraModel


def camera_model_from_message(info: CameraInfo, image: Image, *, rectified: bool) -> CameraModel:
    """Read the camera model of `image` out of its camera_info message.

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
    size = (int(image.height), int(image.width))
    return geometry.camera_model(values, rectified=rectified, image_size=size)
