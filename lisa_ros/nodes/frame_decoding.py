"""One synchronised set of camera messages → one `RgbdFrame`, decoded once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from lisa_ros.errors import CameraInfoError, DepthError
from lisa_ros.geometry import CameraModel, depth_to_metres
from lisa_ros.nodes.compressed_images import color_from_compressed, depth_from_compressed
from lisa_ros.nodes.conversions import stamp_ns
from lisa_ros.nodes.depth_alignment import DepthAligner
from lisa_ros.nodes.images import color_from_message, depth_from_message
from lisa_ros.nodes.intrinsics import camera_model_from_message
from lisa_ros.types import Float32Array, Float64Array, Lens, RgbdFrame, UInt8Array

IMAGE, DEPTH, CAMERA_INFO = "image", "depth", "camera_info"
DEPTH_CAMERA_INFO = "depth_camera_info"


class FrameDecoder:
    """Decodes sets of messages; the same messages give the same frame object again.

    rectified: whether the images are rectified (camera_info's P counts, there is no distortion).
    aligner: brings depth into the pixels of the colour image.
    """

    def __init__(self, *, rectified: bool, aligner: DepthAligner) -> None:
        self._rectified = rectified
        self._aligner = aligner
        self._last: tuple[Mapping[str, Any], RgbdFrame] | None = None
        self._rays: tuple[CameraModel, Float64Array] | None = None

    def decode(self, messages: Mapping[str, Any]) -> RgbdFrame:
        """Decode the messages of `image` and, where given, `depth` with its `camera_info`.

        depth_camera_info is used where depth has to be resampled or registered. Raises ImageError,
        DepthError or CameraInfoError for messages that cannot be used.
        """
        if self._last is None or not _are_same(self._last[0], messages):
            self._last = None  # the old frame goes before the new one comes
            self._last = (messages, self._decode(messages))
        return self._last[1]

    def _decode(self, messages: Mapping[str, Any]) -> RgbdFrame:
        message = messages[IMAGE]
        image = _color(message)
        header = message.header
        if DEPTH not in messages:
            return RgbdFrame(image, None, None, header.frame_id, stamp_ns(header.stamp))
        size = (image.shape[0], image.shape[1])
        camera = self._camera(messages[CAMERA_INFO], size)
        bent = camera.distortion
        return RgbdFrame(
            image=image,
            depth_m=self._depth(messages, camera),
            intrinsics=camera.intrinsics,
            frame_id=header.frame_id,
            stamp_ns=stamp_ns(header.stamp),
            rays=None if bent is None else self._ray_grid(camera),
            lens=None if bent is None else Lens(bent.model, bent.d),
        )

    def _depth(self, messages: Mapping[str, Any], camera: CameraModel) -> Float32Array:
        """Return depth in the pixels of the colour image."""
        message, info = messages[DEPTH], messages.get(DEPTH_CAMERA_INFO)
        depth_m = depth_to_metres(_depth_values(message))
        frames = (message.header.frame_id, messages[IMAGE].header.frame_id)

        def depth_camera() -> CameraModel | None:
            if info is None:
                return None
            try:
                return self._camera(info, (depth_m.shape[0], depth_m.shape[1]))
            except CameraInfoError as error:
                raise DepthError(f"depth_camera_info is of no use: {error}") from error

        if self._aligner.is_registered(*frames):
            return self._aligner.to_size(depth_m, camera, depth_camera)
        return self._aligner.from_other_view(
            depth_m,
            camera,
            depth_camera(),
            frames=frames,
            stamp_ns=stamp_ns(message.header.stamp),
        )

    def _camera(self, info: CameraInfo, size: tuple[int, int]) -> CameraModel:
        return camera_model_from_message(info, size, rectified=self._rectified)

    def _ray_grid(self, camera: CameraModel) -> Float64Array:
        """Return the rays of a distorted camera, computed once for as long as it stays the same."""
        if self._rays is None or self._rays[0] != camera:
            self._rays = (camera, camera.ray_grid())
        return self._rays[1]


def _color(message: Image | CompressedImage) -> UInt8Array:
    if isinstance(message, CompressedImage):
        return color_from_compressed(message)
    return color_from_message(message)


def _depth_values(message: Image | CompressedImage) -> Any:
    if isinstance(message, CompressedImage):
        return depth_from_compressed(message)
    return depth_from_message(message)


def _are_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return one.keys() == other.keys() and all(one[name] is other[name] for name in one)
