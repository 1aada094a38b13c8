"""A camera that is handed its messages, and what to hand it."""

from __future__ import annotations

from typing import Any

import numpy as np
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from lisa_ros.nodes.answers import NoFrame
from lisa_ros.nodes.conversions import stamp_message
from lisa_ros.nodes.depth_alignment import DepthAligner
from lisa_ros.nodes.frame_decoding import FrameDecoder
from lisa_ros.nodes.frames import Camera
from lisa_ros.nodes.images import message_from_array
from lisa_ros.types import RgbdFrame

NOW_S = 10_000.0
TOPICS = {"image": "/lisa/image", "depth": "/lisa/depth", "camera_info": "/lisa/camera_info"}
ALL_TOPICS = TOPICS | {"depth_camera_info": "/lisa/depth_camera_info"}


def header(stamp_s: float, frame_id: str = "camera") -> Header:
    return Header(stamp=stamp_message(round(stamp_s * 1e9)), frame_id=frame_id)


def image(stamp_s: float, size: tuple[int, int] = (6, 8)) -> Image:
    return message_from_array(np.full((*size, 3), 7, np.uint8), "rgb8", header(stamp_s))


def depth(stamp_s: float, size: tuple[int, int] = (6, 8), frame_id: str = "camera") -> Image:
    values = np.full(size, 1500, np.uint16)
    values[0, 0] = 0
    return message_from_array(values, "16UC1", header(stamp_s, frame_id))


def camera_info(stamp_s: float, **changes: Any) -> CameraInfo:
    k = [10.0, 0.0, 3.5, 0.0, 10.0, 2.5, 0.0, 0.0, 1.0]
    p = [20.0, 0.0, 3.5, 0.0, 0.0, 20.0, 2.5, 0.0, 0.0, 0.0, 1.0, 0.0]
    message = CameraInfo(header=header(stamp_s), width=8, height=6, k=k, p=p)
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def changed(message: Any, **fields: Any) -> Any:
    for name, value in fields.items():
        setattr(message, name, value)
    return message


def make_camera(
    rectified: bool = False,
    topics: dict[str, str] = TOPICS,
    now_s: float = NOW_S,
    **alignment: Any,
) -> Camera:
    return Camera(
        topics,
        FrameDecoder(rectified=rectified, aligner=DepthAligner(**alignment)),
        sync_slop_s=0.02,
        sync_queue_size=10,
        now_ns=lambda: int(now_s * 1e9),
    )


def fill(camera: Camera, stamp_s: float) -> None:
    camera.add("image", image(stamp_s))
    camera.add("depth", depth(stamp_s))
    camera.add("camera_info", camera_info(stamp_s))


def look(camera: Camera, wait_s: float = 0.0) -> RgbdFrame | NoFrame:
    return camera.wait_for_frame(max_age_s=1.0, wait_s=wait_s, should_stop=lambda: False)
