"""One synchronised set of camera messages → one `RgbdFrame`, decoded once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sensor_msgs.msg import CameraInfo, Image

from lisa_ros.errors import DepthError
from lisa_ros.geometry import CameraModel, depth_to_metres
from lisa_ros.nodes.conversions import stamp_ns
from lisa_ros.nodes.images import color_from_message, depth_from_message
from lisa_ros.nodes.intrinsics import camera_model_from_message
from lisa_ros.types import Float64Array, Lens, RgbdFrame

IMAGE, DEPTH, CAMERA_INFO = "image", "depth", "camera_info"
_REGISTER = "expected depth registered to the colour image (RealSense: align_depth.enable:=true)"


class FrameDecoder:
    """Decodes sets of messages; the same messages give the same frame object again.

    rectified: whether the images are rectified (camera_info's P counts, there is no distortion).
    """

    def __init__(self, *, rectified: bool) -> None:
        self._rectified = rectified
        self._last: tuple[Mapping[str, Any], RgbdFrame] | None = None
        self._rays: tuple[CameraModel, Float64Array] | None = None

    def decode(self, messages: Mapping[str, Any]) -> RgbdFrame:
        """Decode the messages of `image` and, where given, `depth` with its `camera_info`.

        Raises ImageError, DepthError or CameraInfoError for messages that cannot be used.
        """
        if self._last is None or not _are_same(self._last[0], messages):
            self._last = None  # the old frame goes before the new one comes
            self._last = (messages, self._decode(messages))
        return self._last[1]

    def _decode(self, messages: Mapping[str, Any]) -> RgbdFrame:
        image = messages[IMAGE]
        frame = RgbdFrame(
            image=color_from_message(image),
            depth_m=None,
            intrinsics=None,
            frame_id=image.header.frame_id,
            stamp_ns=stamp_ns(image.header.stamp),
        )
        if DEPTH not in messages:
            return frame
        return self._with_depth(frame, image, messages[DEPTH], messages[CAMERA_INFO])

    def _with_depth(
        self, frame: RgbdFrame, image: Image, depth: Image, info: CameraInfo
    ) -> RgbdFrame:
        _check_registered(image, depth)
        camera = camera_model_from_message(info, image, rectified=self._rectified)
        return RgbdFrame(
            image=frame.image,
            depth_m=depth_to_metres(depth_from_message(depth)),
            intrinsics=camera.intrinsics,
            frame_id=frame.frame_id,
            stamp_ns=frame.stamp_ns,
            rays=None if camera.distortion is None else self._ray_grid(camera),
            lens=None
            if camera.distortion is None
            else Lens(camera.distortion.model, camera.distortion.d),
        )

    def _ray_grid(self, camera: CameraModel) -> Float64Array:
        """Return the rays of a distorted camera, computed once for as long as it stays the same."""
        if self._rays is None or self._rays[0] != camera:
            self._rays = (camera, camera.ray_grid())
        return self._rays[1]


def _are_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return one.keys() == other.keys() and all(one[name] is other[name] for name in one)


def _check_registered(image: Image, depth: Image) -> None:
    """Raise DepthError when the depth image is not the colour camera's."""
    if (image.width, image.height) != (depth.width, depth.height):
        raise DepthError(
            f"depth is {depth.width}x{depth.height}, the colour image "
            f"{image.width}x{image.height}; {_REGISTER}"
        )
    if image.header.frame_id != depth.header.frame_id:
        raise DepthError(
            f"depth is in the frame {depth.header.frame_id!r}, the colour image in "
            f"{image.header.frame_id!r}; {_REGISTER}"
        )
