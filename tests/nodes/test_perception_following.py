"""The real node over DDS, with the fake backend: targets that move, hide and come back."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("lisa_ros.msg")

from lisa_ros.msg import Perception
from red_box_camera import INTRINSICS
from robot_client import RobotClient, wait_until
from scene_camera import SceneCamera
from sensor_msgs.msg import CameraInfo, Image
from std_srvs.srv import SetBool

from lisa_ros.nodes.conversions import stamp_ns
from lisa_ros.nodes.images import color_from_message, message_from_array
from lisa_ros.nodes.simulated_camera import camera_info_message
from lisa_ros.types import Status

pytestmark = [pytest.mark.ros, pytest.mark.usefixtures("perception")]


class MovingBox:
    """A red box of 10 px at 0.8 m. left: its column now; None where it is hidden."""

    def __init__(self) -> None:
        self.left: int | None = 40

    def box(self) -> tuple[slice, slice] | None:
        left = self.left  # read once: the test moves it meanwhile
        return None if left is None else np.s_[20:30, left : left + 10]

    def image(self) -> np.ndarray:
        image = np.full((INTRINSICS.height, INTRINSICS.width, 3), 128, np.uint8)
        if (box := self.box()) is not None:
            image[box] = (220, 30, 30)
        return image

    def depth_m(self) -> np.ndarray:
        depth_m = np.full((INTRINSICS.height, INTRINSICS.width), 1.2, np.float32)
        if (box := self.box()) is not None:
            depth_m[box] = 0.8
        return depth_m


@pytest.fixture
def box(robot: RobotClient) -> Iterator[MovingBox]:
    box = MovingBox()
    topics = {
        "image": (Image, lambda header: message_from_array(box.image(), "rgb8", header)),
        "depth": (Image, lambda header: message_from_array(box.depth_m(), "32FC1", header)),
        "camera_info": (CameraInfo, lambda header: camera_info_message(INTRINSICS, header)),
    }
    with SceneCamera(robot.node, topics):
        yield box
        follow(robot, False)
        robot.clear()


def follow(robot: RobotClient, on: bool) -> None:
    response = robot.call(SetBool, "follow", SetBool.Request(data=on))
    assert response.success, response.message


class Results:
    """The results since the last `ask`, read in order, so that none comes too early to be seen."""

    def __init__(self, robot: RobotClient) -> None:
        self._results = robot.received["result"]
        self._read = 0

    def next(self, status: Status, followed: bool, what: str) -> Perception:
        """Wait for such a result after the one that was read last."""

        def match() -> Perception | None:
            for index in range(self._read, len(self._results)):
                result = self._results[index]
                if result.status == status and result.followed == followed:
                    self._read = index + 1
                    return result
            return None

        return wait_until(match, what)


def test_targets_are_carried_on_with_the_stamps_of_the_images(
    robot: RobotClient, box: MovingBox
) -> None:
    follow(robot, True)
    robot.set_parameter("follow_rate_hz", 20.0)
    asked = robot.ask("the red box")
    assert asked.status == Status.FOUND, asked.reason
    assert not asked.followed
    box.left = 44
    result = wait_until(
        lambda: next(
            (
                m
                for m in robot.received["result"]
                if m.followed and m.targets and m.targets[0].roi.x_offset == 44
            ),
            None,
        ),
        "the box where it went",
    )
    (target,) = result.targets
    assert (result.instruction_id, result.instruction) == (asked.instruction_id, "the red box")
    assert target.id == asked.targets[0].id
    assert target.position.x == pytest.approx(
        (48.5 - INTRINSICS.cx) / INTRINSICS.fx * 0.8, abs=1e-3
    )
    assert stamp_ns(result.header.stamp) > stamp_ns(asked.header.stamp)
    mask = color_from_message(robot.wait_for_stamp("mask", result))[:, :, 0]
    assert np.flatnonzero(mask.any(axis=0)).tolist() == list(range(44, 54))
    assert robot.wait_for_stamp("target_point", result).point == target.position


def test_a_loss_is_told_and_what_comes_back_is_found_again(
    robot: RobotClient, box: MovingBox
) -> None:
    follow(robot, True)
    robot.set_parameter("ask_again_s", 0.5)
    asked = robot.ask("the red box")
    results = Results(robot)
    box.left = None
    lost = results.next(Status.NOT_FOUND, True, "the loss")
    assert lost.reason.startswith("Lost")
    assert not lost.targets
    again = results.next(Status.NOT_FOUND, False, "the question again")
    assert "asked for again" in again.reason
    assert again.instruction_id == asked.instruction_id
    box.left = 10
    found = wait_until(
        lambda: next(
            (
                m
                for m in reversed(robot.received["result"])
                if m.status == Status.FOUND and m.targets and m.targets[0].roi.x_offset == 10
            ),
            None,
        ),
        "the box where it came back",
    )
    assert found.targets[0].id == asked.targets[0].id


def test_instructions_are_answered_meanwhile(robot: RobotClient, box: MovingBox) -> None:
    follow(robot, True)
    robot.set_parameter("follow_rate_hz", 60.0)
    robot.ask("the red box")
    for _ in range(5):
        assert robot.ask("the green box").status == Status.NOT_FOUND
        assert robot.ask("the red box").status == Status.FOUND
    assert Results(robot).next(Status.FOUND, True, "the box").instruction == "the red box"


@pytest.mark.parametrize("end", ["clear", "follow off"])
def test_following_ends(robot: RobotClient, box: MovingBox, end: str) -> None:
    follow(robot, True)
    robot.ask("the red box")
    results = Results(robot)
    results.next(Status.FOUND, True, "the box")
    if end == "clear":
        robot.clear()
        results.next(Status.CANCELED, False, "the end")
        assert not more_in_a_second(robot)
    else:
        follow(robot, False)
        # What was on its way may still come.
        wait_until(lambda: not more_in_a_second(robot), "the end")


def more_in_a_second(robot: RobotClient) -> int:
    """At the default rate five would come, were it still followed."""
    before = len(robot.received["result"])
    time.sleep(1.0)
    return len(robot.received["result"]) - before
