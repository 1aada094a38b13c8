"""The real node with other cameras: compressed, without depth, unregistered, from a bag."""

from __future__ import annotations

import array
import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("lisa_ros.msg")

from lisa_ros.msg import Perception
from node_process import FAKE_PERCEPTION, NodeProcess, StartNode
from PIL import Image as PillowImage
from rclpy.qos import ReliabilityPolicy
from red_box_camera import (
    BOX_DEPTH_M,
    BOX_POSITION_M,
    FRAME_ID,
    INTRINSICS,
    red_box_depth,
    red_box_image,
)
from robot_client import RobotClient, wait_until
from rosgraph_msgs.msg import Clock
from scene_camera import SceneCamera
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from lisa_ros.nodes.conversions import stamp_message, stamp_ns
from lisa_ros.nodes.image_compression import depth_png_message
from lisa_ros.nodes.images import message_from_array
from lisa_ros.nodes.simulated_camera import camera_info_message
from lisa_ros.types import Status

pytestmark = [pytest.mark.ros, pytest.mark.slow]
Perceiving = Callable[..., AbstractContextManager[NodeProcess]]
SECOND = 1_000_000_000


def color(header: Header) -> Image:
    return message_from_array(red_box_image(), "rgb8", header)


def depth(header: Header) -> Image:
    return message_from_array(red_box_depth(), "32FC1", header)


def camera_info(header: Header) -> CameraInfo:
    return camera_info_message(INTRINSICS, header)


def of_another_lens(header: Header) -> Header:
    return Header(stamp=header.stamp, frame_id="depth_optical_frame")


def depth_seen_from_the_right(header: Header) -> Image:
    """Of a lens 8 cm to the right: at 0.8 m and 100 px the box is 10 columns further left."""
    depth_m = np.full((INTRINSICS.height, INTRINSICS.width), 1.2, dtype=np.float32)
    depth_m[20:30, 40:50] = BOX_DEPTH_M
    return message_from_array(depth_m, "32FC1", of_another_lens(header))


def color_file(header: Header) -> CompressedImage:
    file = io.BytesIO()
    PillowImage.fromarray(red_box_image()).save(file, format="PNG")
    data = array.array("B", file.getvalue())
    return CompressedImage(header=header, format="rgb8; png compressed bgr8", data=data)


def depth_file(header: Header) -> CompressedImage:
    return depth_png_message((red_box_depth() * 1000).round().astype(np.uint16), header)


REGISTERED = {
    "image": (Image, color),
    "depth": (Image, depth),
    "camera_info": (CameraInfo, camera_info),
}
UNREGISTERED = {
    "image": (Image, color),
    "depth": (Image, depth_seen_from_the_right),
    "camera_info": (CameraInfo, camera_info),
}


@pytest.fixture
def perceiving(robot: RobotClient, start_node: StartNode) -> Perceiving:
    """Run the node with these parameters, active, for as long as the block lasts."""

    @contextmanager
    def run(*arguments: str, state: str = "active", **parameters: Any) -> Iterator[NodeProcess]:
        usual = {"model": "fake", "frame_wait_s": 30.0, "max_frame_age_s": 2.0}
        process = start_node("inputs", FAKE_PERCEPTION, *arguments, **(usual | parameters))
        try:
            robot.wait_for_node()
            wait_until(lambda: robot.state() == state, f"the node to be {state}")
            yield process
            assert process.is_running(), process.log
        finally:
            assert process.end() == 0, process.log
            robot.wait_until_alone()

    return run


def assert_found_at_the_box(answer: Perception) -> None:
    assert (answer.status, answer.error_code) == (Status.FOUND, 0), answer.reason
    position = answer.targets[0].position
    np.testing.assert_allclose((position.x, position.y, position.z), BOX_POSITION_M, atol=1e-3)


def test_compressed_transport(robot: RobotClient, perceiving: Perceiving) -> None:
    frame = {
        "image/compressed": (CompressedImage, color_file),
        "depth/compressedDepth": (CompressedImage, depth_file),
        "camera_info": (CameraInfo, camera_info),
    }
    with perceiving(image_transport="compressed"), SceneCamera(robot.node, frame):
        assert_found_at_the_box(robot.ask("the red box"))


def test_camera_without_depth_is_answered_at_once(
    robot: RobotClient, perceiving: Perceiving
) -> None:
    only_color = {"image": (Image, color)}
    with (
        perceiving(use_depth="false", frame_wait_s=600.0),
        SceneCamera(robot.node, only_color),
    ):
        answer = robot.ask("the red box")
        assert answer.status == Status.NO_DEPTH
        assert "the camera gives no depth" in answer.reason
        assert len(answer.targets) == 1


def test_unregistered_depth_is_registered(robot: RobotClient, perceiving: Perceiving) -> None:
    frame = UNREGISTERED | {
        "depth_camera_info": (CameraInfo, lambda header: camera_info(of_another_lens(header)))
    }
    pose = "[0.08, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]"
    with perceiving(depth_to_color=pose), SceneCamera(robot.node, frame):
        assert_found_at_the_box(robot.ask("the red box"))


def test_unregistered_depth_is_refused_with_the_drivers_setting(
    robot: RobotClient, perceiving: Perceiving
) -> None:
    with perceiving(), SceneCamera(robot.node, UNREGISTERED):
        answer = robot.ask("the red box")
        assert (answer.status, answer.error_code) == (Status.ERROR, 201)
        assert "align_depth.enable:=true" in answer.reason


def qos_file(folder: Path, reliability: str) -> tuple[str, str, str]:
    """Return the arguments that load an override for the image's topic."""
    path = folder / "qos.yaml"
    path.write_text(
        "/**:\n  ros__parameters:\n    qos_overrides:\n      /lisa/image:\n        subscription:\n"
        f"          reliability: {reliability}\n",
        encoding="utf-8",
    )
    return "--ros-args", "--params-file", str(path)


def test_quality_of_service_can_be_overridden(
    robot: RobotClient, perceiving: Perceiving, tmp_path: Path
) -> None:
    with perceiving(*qos_file(tmp_path, "reliable")):
        ends = wait_until(
            lambda: robot.node.get_subscriptions_info_by_topic("/lisa/image"), "its subscription"
        )
        assert {end.qos_profile.reliability for end in ends} == {ReliabilityPolicy.RELIABLE}
        assert robot.transition("deactivate")
        assert robot.transition("activate")  # the parameters are there from the first time


def test_override_that_cannot_be_leaves_the_node_inactive_and_says_why(
    robot: RobotClient, perceiving: Perceiving, tmp_path: Path
) -> None:
    with perceiving(*qos_file(tmp_path, "perhaps"), state="inactive"):
        answer = robot.ask("the red box")
        assert answer.status == Status.REJECTED
        assert "qos_overrides./lisa/image.subscription" in answer.reason


class LoopingBag:
    """The clock of a bag of three seconds that is played for ever, at twice its rate."""

    START_S, LENGTH_S = 100.0, 3.0

    def __init__(self, robot: RobotClient) -> None:
        self._clock = robot.node.create_publisher(Clock, "/clock", 10)
        self.loops = -1
        self._time_s = self.START_S + self.LENGTH_S

    def next_header(self) -> Header:
        """Go on by 0.1 s, from the last frame to the first; publish the time."""
        self._time_s += 0.1
        if self._time_s > self.START_S + self.LENGTH_S:
            self._time_s = self.START_S
            self.loops += 1
        stamp = stamp_message(round(self._time_s * SECOND))
        self._clock.publish(Clock(clock=stamp))
        return Header(stamp=stamp, frame_id=FRAME_ID)


def test_bag_that_loops(robot: RobotClient, perceiving: Perceiving) -> None:
    bag = LoopingBag(robot)
    with (
        perceiving(use_sim_time="true"),
        SceneCamera(robot.node, REGISTERED, bag.next_header),
    ):
        for loops in (1, 2, 3):
            wait_until(lambda wanted=loops: bag.loops >= wanted, f"loop {loops}")
            answer = robot.ask("the red box")
            assert_found_at_the_box(answer)
            age_s = bag.START_S - stamp_ns(answer.header.stamp) / SECOND
            assert -bag.LENGTH_S - 0.1 <= age_s <= 0.0
        jumps = wait_until(lambda: _time_jumps(robot), "diagnostics of the jumps")
        assert jumps >= 1


def _time_jumps(robot: RobotClient) -> int:
    values = [
        int(value.value)
        for message in robot.received["/diagnostics"]
        for status in message.status
        for value in status.values
        if value.key == "time jumps"
    ]
    return max(values, default=0)
