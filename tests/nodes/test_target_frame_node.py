"""The real node over DDS with target_frame by tf2: missing, late and moving transforms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("lisa_ros.msg")
pytest.importorskip("tf2_ros", reason="tf2_ros is part of a ROS 2 installation and not on PyPI")

from geometry_msgs.msg import TransformStamped
from node_process import FAKE_PERCEPTION, NodeProcess, StartNode
from rclpy.qos import DurabilityPolicy, QoSProfile
from red_box_camera import BOX_POSITION_M, FRAME_ID, RedBoxCamera
from robot_client import RobotClient, wait_until
from tf2_msgs.msg import TFMessage

from lisa_ros.errors import TransformError
from lisa_ros.types import Status

pytestmark = pytest.mark.ros


@pytest.fixture(scope="module")
def node_with_tf2(robot: RobotClient, start_node: StartNode) -> Iterator[NodeProcess]:
    process = start_node(
        "perception",
        FAKE_PERCEPTION,
        model="fake",
        frame_wait_s=5.0,
        max_frame_age_s=2.0,
        target_frame="base_link",
        transform_wait_s=0.3,
    )
    robot.wait_for_node()
    wait_until(lambda: robot.state() == "active", "the node to be active")
    yield process
    assert process.is_running(), process.log


def transform(x: float) -> Any:
    """The camera looks along the base's x axis, x metres before it: REP 103's optical rotation."""
    message = TransformStamped(child_frame_id=FRAME_ID)
    message.header.frame_id = "base_link"
    message.transform.translation.x = x
    rotation = message.transform.rotation
    rotation.x, rotation.y, rotation.z, rotation.w = -0.5, 0.5, -0.5, 0.5
    return message


def test_missing_then_static_transform(
    robot: RobotClient, node_with_tf2: NodeProcess, camera: RedBoxCamera
) -> None:
    answer = robot.ask("the red box")
    assert (answer.status, answer.error_code) == (Status.TRANSFORM_FAILED, TransformError.code)
    assert f"from '{FRAME_ID}' to 'base_link'" in answer.reason
    assert "of waiting" in answer.reason
    assert len(answer.targets) == 0

    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    publisher = robot.node.create_publisher(TFMessage, "/tf_static", latched)
    publisher.publish(TFMessage(transforms=[transform(x=0.25)]))
    wait_until(lambda: robot.ask("the red box").status == Status.FOUND, "the transform to be used")
    answer = robot.ask("the red box")
    assert answer.header.frame_id == "base_link"
    position = answer.targets[0].position
    x, y, z = BOX_POSITION_M
    np.testing.assert_allclose((position.x, position.y, position.z), (0.25 + z, -x, -y), atol=1e-3)
    robot.node.destroy_publisher(publisher)
