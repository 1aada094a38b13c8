"""A camera with a scene of known numbers: a red square at 0.8 m before a grey wall at 1.2 m."""

from __future__ import annotations

import threading

import numpy as np
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from lisa_ros.nodes.images import message_from_array
from lisa_ros.nodes.simulated_camera import camera_info_message
from lisa_ros.types import Intrinsics

INTRINSICS = Intrinsics(fx=100.0, fy=100.0, cx=39.5, cy=29.5, width=80, height=60)
FRAME_ID = "camera_color_optical_frame"
BOX = (slice(20, 30), slice(50, 60))
BOX_DEPTH_M = 0.8
# The middle of rows 20..29 and columns 50..59, deprojected.
BOX_POSITION_M = (
    (54.5 - INTRINSICS.cx) / INTRINSICS.fx * BOX_DEPTH_M,
    (24.5 - INTRINSICS.cy) / INTRINSICS.fy * BOX_DEPTH_M,
    BOX_DEPTH_M,
)


def red_box_image() -> np.ndarray:
    image = np.full((INTRINSICS.height, INTRINSICS.width, 3), 128, dtype=np.uint8)
    image[BOX] = (220, 30, 30)
    return image


def red_box_depth() -> np.ndarray:
    depth_m = np.full((INTRINSICS.height, INTRINSICS.width), 1.2, dtype=np.float32)
    depth_m[BOX] = BOX_DEPTH_M
    return depth_m


class RedBoxCamera:
    """Publishes the scene at 20 Hz from its own thread while it is on."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._publishers = {
            name: node.create_publisher(kind, name, qos_profile_sensor_data)
            for name, kind in (("image", Image), ("depth", Image), ("camera_info", CameraInfo))
        }
        self.switch_on()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def switch_on(self, *, depth: bool = True, image_bytes: int | None = None) -> None:
        """image_bytes: how many of the image's bytes are sent, for a malformed one."""
        self.is_on, self._with_depth, self._image_bytes = True, depth, image_bytes

    def close(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(0.05):
            if self.is_on:
                self._publish()

    def _publish(self) -> None:
        header = Header(stamp=self._node.get_clock().now().to_msg(), frame_id=FRAME_ID)
        image = message_from_array(red_box_image(), "rgb8", header)
        image.data = image.data[: self._image_bytes]
        self._publishers["image"].publish(image)
        if self._with_depth:
            depth = message_from_array(red_box_depth(), "32FC1", header)
            self._publishers["depth"].publish(depth)
            self._publishers["camera_info"].publish(camera_info_message(INTRINSICS, header))
