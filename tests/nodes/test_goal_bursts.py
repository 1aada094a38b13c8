"""Many goals at one time over DDS: each is taken, and each has an end."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("lisa_ros.msg")

from lisa_ros.action import Reason
from rclpy.action import ActionClient
from rclpy.qos import QoSProfile
from red_box_camera import RedBoxCamera
from robot_client import RobotClient, wait_until

from lisa_ros.types import Status

pytestmark = [pytest.mark.ros, pytest.mark.usefixtures("perception")]
N_GOALS = 200


def test_a_burst_of_goals_is_answered_to_the_last(robot: RobotClient, camera: RedBoxCamera) -> None:
    """With the ten requests that a service of ROS holds, many of them never ended."""
    deep = QoSProfile(depth=N_GOALS)
    client = ActionClient(
        robot.node,
        Reason,
        "reason",
        goal_service_qos_profile=deep,
        result_service_qos_profile=deep,
    )
    wait_until(client.server_is_ready, "the action server")
    robot.ask("the red box")  # so that both ends know each other
    statuses: list[Status] = []

    def on_result(response: Any) -> None:
        statuses.append(Status(response.result().result.perception.status))

    def on_handle(response: Any) -> None:
        assert response.result().accepted
        response.result().get_result_async().add_done_callback(on_result)

    def send_all() -> None:  # on the client's own thread, see RobotClient
        for _ in range(N_GOALS):
            goal = Reason.Goal(instruction="the red box", policy="reject")
            client.send_goal_async(goal).add_done_callback(on_handle)

    robot._executor.create_task(send_all)
    wait_until(lambda: len(statuses) == N_GOALS, "the end of every goal")
    assert set(statuses) == {Status.FOUND, Status.REJECTED}
