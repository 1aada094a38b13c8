"""The statuses of test_status_matrix.py over DDS: the real node, by topic and by action."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("lisa_ros.msg")

from action_msgs.msg import GoalStatus
from lisa_ros.action import Reason
from lisa_ros.msg import Perception
from red_box_camera import RedBoxCamera
from robot_client import RobotClient, wait_until

from lisa_ros.types import Status

pytestmark = [pytest.mark.ros, pytest.mark.usefixtures("perception")]

# NO_DEPTH is in test_perception_lifecycle.py: it needs a camera that never had any.
INSTRUCTIONS = {
    Status.FOUND: "the red box",
    Status.NOT_FOUND: "the green box",
    Status.STALE_INPUT: "the red box",
    Status.TRANSFORM_FAILED: "untransformable red box",
    Status.CANCELED: "slow red box",
    Status.TIMEOUT: "slow red box",
    Status.REJECTED: "too long",
    Status.ERROR: "crash",
}
ENDS = {
    Status.FOUND: GoalStatus.STATUS_SUCCEEDED,
    Status.NOT_FOUND: GoalStatus.STATUS_SUCCEEDED,
    Status.CANCELED: GoalStatus.STATUS_CANCELED,
}


@pytest.fixture(params=list(INSTRUCTIONS), ids=lambda status: status.name)
def status(
    request: pytest.FixtureRequest, robot: RobotClient, camera: RedBoxCamera
) -> Iterator[Status]:
    """A status that the next answer will have."""
    wait_until(lambda: robot.ask("the red box").status == Status.FOUND, "the camera")
    if request.param is Status.STALE_INPUT:
        robot.set_parameter("frame_wait_s", 0.2)
        camera.is_on = False
        wait_until(lambda: robot.ask("the red box").status == Status.STALE_INPUT, "no frames")
    yield request.param
    robot.set_parameter("frame_wait_s", 5.0)
    robot.set_parameter("answer_timeout_s", 60.0)


def test_by_topic(robot: RobotClient, status: Status) -> None:
    if status is Status.TIMEOUT:
        robot.set_parameter("answer_timeout_s", 0.2)
    before = len(robot.received["result"])
    robot.publish(INSTRUCTIONS[status])
    if status is Status.CANCELED:
        robot.publish("")
    _check(robot.wait_for_result(INSTRUCTIONS[status], before), status)


def test_by_action(robot: RobotClient, status: Status) -> None:
    timeout_s = 0.2 if status is Status.TIMEOUT else 0.0
    handle = robot.send_goal(Reason.Goal(instruction=INSTRUCTIONS[status], timeout_s=timeout_s))
    if status is Status.CANCELED:
        robot.cancel_goal(handle)
    result = robot.goal_result(handle)
    _check(result.result.perception, status)
    assert result.status == ENDS.get(status, GoalStatus.STATUS_ABORTED)


def test_policies_of_goals(robot: RobotClient, camera: RedBoxCamera) -> None:
    texts: list[str] = []
    running = robot.send_goal(
        Reason.Goal(instruction="slow red box"),
        lambda message: texts.append(message.feedback.partial_text),
    )
    wait_until(lambda: any(texts), "its first words")
    refused = robot.send_goal(Reason.Goal(instruction="the red box", policy="reject"))
    assert "Busy with 'slow red box'" in robot.goal_result(refused).result.perception.reason
    waiting = robot.send_goal(Reason.Goal(instruction="the red box", policy="queue"))
    given_up = robot.send_goal(Reason.Goal(instruction="the red box", policy="queue"))
    robot.cancel_goal(given_up)
    assert robot.goal_result(given_up).status == GoalStatus.STATUS_CANCELED
    robot.cancel_goal(running)
    assert robot.goal_result(waiting).result.perception.status == Status.FOUND


def test_conversation_of_the_topic(robot: RobotClient, camera: RedBoxCamera) -> None:
    assert robot.set_parameter("session", "table") == ""
    try:
        first, second = robot.ask("the red box"), robot.ask("the red box")
    finally:
        robot.set_parameter("session", "")
    assert (first.session, second.session) == ("table", "table")
    assert "earlier turns" in second.reason
    assert robot.ask("the red box").session == ""


def _check(perception: Perception, status: Status) -> None:
    assert perception.status == status, perception.reason
    assert perception.reason.endswith((".", "?"))
    assert bool(perception.targets) == (status is Status.FOUND)
