"""A camera that sends what broken drivers, bad bags and bad links send, and sometimes a frame."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from red_box_camera import FRAME_ID, INTRINSICS, red_box_depth, red_box_image
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from lisa_ros.nodes.images import message_from_array
from lisa_ros.nodes.simulated_camera import camera_info_message

Frame = dict[str, Any]
_TOPICS = {"image": Image, "depth": Image, "camera_info": CameraInfo}


class HostileCamera:
    """Publishes one frame at each call, spoilt in a way that the dice choose."""

    def __init__(self, node: Node, dice: random.Random) -> None:
        self._node, self._dice = node, dice
        self._publishers: dict[str, Any] = {}
        self.restarts = 0
        self.restart()

    def restart(self) -> None:
        """Take all topics away and bring them back, as a driver that is started again."""
        for publisher in self._publishers.values():
            self._node.destroy_publisher(publisher)
        self._publishers = {
            name: self._node.create_publisher(kind, name, qos_profile_sensor_data)
            for name, kind in _TOPICS.items()
        }
        self.restarts += 1

    def publish(self) -> None:
        """Publish a frame; two of three are spoilt."""
        frame = self.good_frame()
        if self._dice.random() < 2 / 3:
            self._dice.choice(_WAYS_TO_SPOIL)(frame, self._dice)
        for name, message in frame.items():
            self._publishers[name].publish(message)

    def publish_good(self) -> None:
        """Publish a frame as it should be."""
        for name, message in self.good_frame().items():
            self._publishers[name].publish(message)

    def good_frame(self) -> Frame:
        """Messages of the red box by topic, stamped now."""
        header = Header(stamp=self._node.get_clock().now().to_msg(), frame_id=FRAME_ID)
        return {
            "image": message_from_array(red_box_image(), "rgb8", header),
            "depth": message_from_array(red_box_depth(), "32FC1", header),
            "camera_info": camera_info_message(INTRINSICS, header),
        }


def _lose_one(frame: Frame, dice: random.Random) -> None:
    del frame[dice.choice(sorted(frame))]


def _cut_data(frame: Frame, dice: random.Random) -> None:
    message = frame[dice.choice(("image", "depth"))]
    message.data = message.data[: dice.randrange(len(message.data))]


def _claim_a_huge_size(frame: Frame, dice: random.Random) -> None:
    message = frame[dice.choice(("image", "depth"))]
    message.width = message.height = dice.choice((0, 1, 100_000, 2**32 - 1))
    message.step = dice.choice((0, 1, 2**32 - 1))


def _name_another_encoding(frame: Frame, dice: random.Random) -> None:
    frame["image"].encoding = dice.choice(("", "yuv422", "bayer_rggb8", "64FC3", "rgb8 " * 50))


def _swap_image_and_depth(frame: Frame, dice: random.Random) -> None:
    frame["image"], frame["depth"] = frame["depth"], frame["image"]


def _shift_stamps(frame: Frame, dice: random.Random) -> None:
    shift_s = dice.choice((-3600, -5, 5, 3600, 2**30))
    for message in frame.values():
        message.header.stamp.sec = max(0, min(2**31 - 1, message.header.stamp.sec + shift_s))


def _measure_nothing(frame: Frame, dice: random.Random) -> None:
    values = np.full((INTRINSICS.height, INTRINSICS.width), np.nan, np.float32)
    values[::2] = dice.choice((np.inf, -1.0, 0.0))
    frame["depth"] = message_from_array(values, "32FC1", frame["depth"].header)


def _calibrate_badly(frame: Frame, dice: random.Random) -> None:
    info = frame["camera_info"]
    info.k = [dice.choice((0.0, float("nan"), -1.0, 1e300))] * 9
    info.width = dice.choice((0, 1, 2**32 - 1))


def _change_the_resolution(frame: Frame, dice: random.Random) -> None:
    image = np.zeros((dice.randrange(1, 200), dice.randrange(1, 200), 3), np.uint8)
    frame["image"] = message_from_array(image, "rgb8", frame["image"].header)


_WAYS_TO_SPOIL: tuple[Callable[[Frame, random.Random], None], ...] = (
    _lose_one,
    _cut_data,
    _claim_a_huge_size,
    _name_another_encoding,
    _swap_image_and_depth,
    _shift_stamps,
    _measure_nothing,
    _calibrate_badly,
    _change_the_resolution,
)
