"""The real node over DDS, with the fake backend: every way an instruction can end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("lisa_ros.msg")

from action_msgs.msg import GoalStatus
from lisa_ros.action import Reason
from node_process import NodeProcess
from red_box_camera import BOX, BOX_POSITION_M, FRAME_ID, RedBoxCamera
from robot_client import RobotClient, wait_until

from lisa_ros.nodes.images import color_from_message
from lisa_ros.types import Status

pytestmark = [pytest.mark.ros, pytest.mark.usefixtures("perception")]


def test_found(robot: RobotClient, camera: RedBoxCamera) -> None:
    answer = robot.ask("the red box")
    assert (answer.status, answer.error_code) == (Status.FOUND, 0), answer.reason
    assert answer.header.frame_id == FRAME_ID
    assert answer.response == "[SEG]."
    assert answer.demo_model
    (target,) = answer.targets
    assert target.has_position
    position = (target.position.x, target.position.y, target.position.z)
    np.testing.assert_allclose(position, BOX_POSITION_M, atol=1e-3)
    assert answer.timing_names[:3] == ["waiting_for_frame", "encoding", "reasoning"]

    mask = color_from_message(robot.wait_for_stamp("mask", answer))[:, :, 0]
    expected = np.zeros_like(mask)
    expected[BOX] = target.id
    np.testing.assert_array_equal(mask, expected)
    point = robot.wait_for_stamp("target_point", answer)
    assert point.header == answer.header
    assert point.point == target.position
    assert robot.wait_for_stamp("target_pose", answer).pose.pose.position == target.position
    assert robot.wait_for_stamp("overlay", answer).encoding == "rgb8"
    assert robot.wait_for_stamp("target_cloud", answer).width == expected.astype(bool).sum()


def test_not_found_has_an_empty_mask_and_no_point(robot: RobotClient, camera: RedBoxCamera) -> None:
    answer = robot.ask("the green box")
    assert answer.status == Status.NOT_FOUND
    assert "absent" in answer.reason
    assert len(answer.targets) == 0
    assert not color_from_message(robot.wait_for_stamp("mask", answer)).any()
    assert not robot.received["target_point"]


def test_malformed_image_is_an_error_and_the_next_one_is_answered(
    robot: RobotClient, camera: RedBoxCamera
) -> None:
    camera.switch_on(image_bytes=100)
    answer = wait_until(lambda: _with_code(robot.ask("the red box"), 200), "the damaged image")
    assert answer.status == Status.ERROR
    assert "rgb8 image of 80x60" in answer.reason
    assert "100 bytes" in answer.reason
    camera.switch_on()
    wait_until(lambda: robot.ask("the red box").status == Status.FOUND, "a good image")


def test_no_camera_names_the_topic(robot: RobotClient, camera: RedBoxCamera) -> None:
    camera.is_on = False
    robot.set_parameter("frame_wait_s", 0.2)
    answer = wait_until(
        lambda: _with_status(robot.ask("the red box"), Status.STALE_INPUT), "the end of the frames"
    )
    robot.set_parameter("frame_wait_s", 5.0)
    assert "image on /lisa/image" in answer.reason
    assert len(answer.targets) == 0


@pytest.mark.parametrize(
    ("instruction", "status", "code", "words"),
    [
        ("crash", Status.ERROR, 1, "RuntimeError: a library failed"),
        ("too long", Status.REJECTED, 102, "9999 tokens"),
    ],
)
def test_failing_backend_is_an_answer(
    robot: RobotClient,
    camera: RedBoxCamera,
    instruction: str,
    status: Status,
    code: int,
    words: str,
) -> None:
    answer = robot.ask(instruction)
    assert (answer.status, answer.error_code) == (status, code)
    assert words in answer.reason
    assert robot.ask("the red box").status == Status.FOUND


def test_newer_instruction_replaces_the_running_one(
    robot: RobotClient, camera: RedBoxCamera
) -> None:
    before = len(robot.received["result"])
    robot.publish("slow red box")
    robot.publish("the red box")
    old = robot.wait_for_result("slow red box", before)
    new = robot.wait_for_result("the red box", before)
    assert old.status == Status.CANCELED
    assert "Replaced by a newer instruction: 'the red box'" in old.reason
    assert new.status == Status.FOUND
    assert new.instruction_id == old.instruction_id + 1


def test_every_instruction_of_a_burst_is_answered(robot: RobotClient, camera: RedBoxCamera) -> None:
    before = len(robot.received["result"])
    robot.publish("slow red box")
    for number in range(8):
        robot.publish(f"red box {number}")
    assert robot.wait_for_result("red box 7", before).status == Status.FOUND
    wait_until(lambda: len(robot.received["result"]) >= before + 9, "an answer to each")
    answered = [answer.instruction for answer in robot.received["result"][before:]]
    assert sorted(answered) == sorted(["slow red box", *(f"red box {n}" for n in range(8))])


@pytest.mark.parametrize("by_service", [False, True])
def test_stop_and_clear(robot: RobotClient, camera: RedBoxCamera, by_service: bool) -> None:
    before = len(robot.received["result"])
    robot.publish("slow red box")
    if by_service:
        robot.received["/diagnostics"].clear()
        wait_until(lambda: _is_answering(robot), "its work")  # the service may be faster
        assert robot.clear().success
    else:
        robot.publish("  ")
    assert robot.wait_for_result("slow red box", before).status == Status.CANCELED
    assert robot.wait_for_result("", before).reason == "Stopped and cleared."


def test_text_that_is_not_utf8_is_answered(robot: RobotClient, camera: RedBoxCamera) -> None:
    before = len(robot.received["result"])
    words = b"the red \xff\xfe box\x00"
    # CDR: encapsulation, length with the terminator, bytes.
    robot.publish_raw(b"\x00\x01\x00\x00" + len(words).to_bytes(4, "little") + words)
    wait_until(lambda: len(robot.received["result"]) > before, "an answer to rubbish")
    assert robot.ask("the red box").status == Status.FOUND


def test_action_gives_feedback_and_the_answer(robot: RobotClient, camera: RedBoxCamera) -> None:
    stages: list[str] = []
    handle = robot.send_goal(
        Reason.Goal(instruction="the red box", timeout_s=10.0),
        lambda message: stages.append(message.feedback.stage),
    )
    result = robot.goal_result(handle)
    assert result.status == GoalStatus.STATUS_SUCCEEDED
    assert result.result.perception.status == Status.FOUND
    assert len(result.result.perception.targets) == 1
    wait_until(lambda: "lifting" in stages, "the last stage")
    assert stages[0] == "waiting_for_frame"


def test_action_cancel_stops_generation(robot: RobotClient, camera: RedBoxCamera) -> None:
    texts: list[str] = []
    handle = robot.send_goal(
        Reason.Goal(instruction="slow red box"),
        lambda message: texts.append(message.feedback.partial_text),
    )
    wait_until(lambda: any("word" in text for text in texts), "streamed text")
    robot.cancel_goal(handle)
    result = robot.goal_result(handle)
    assert result.status == GoalStatus.STATUS_CANCELED
    assert result.result.perception.status == Status.CANCELED


@pytest.mark.parametrize(
    ("goal", "status"),
    [
        (Reason.Goal(instruction="slow red box", timeout_s=0.2), Status.TIMEOUT),
        (Reason.Goal(instruction=" "), Status.REJECTED),
        (Reason.Goal(instruction="the red box", timeout_s=float("nan")), Status.REJECTED),
        (Reason.Goal(instruction="the red box", policy="no such"), Status.REJECTED),
        (Reason.Goal(instruction="crash"), Status.ERROR),
    ],
)
def test_action_aborts_with_the_reason(
    robot: RobotClient, camera: RedBoxCamera, goal: Reason.Goal, status: Status
) -> None:
    handle = robot.send_goal(goal)
    result = robot.goal_result(handle)
    assert result.status == GoalStatus.STATUS_ABORTED
    assert result.result.perception.status == status
    assert result.result.perception.reason


def test_goal_replaced_by_an_instruction_is_aborted(
    robot: RobotClient, camera: RedBoxCamera
) -> None:
    handle = robot.send_goal(Reason.Goal(instruction="slow red box"))
    assert robot.ask("the red box").status == Status.FOUND
    result = robot.goal_result(handle)
    assert result.status == GoalStatus.STATUS_ABORTED
    assert result.result.perception.status == Status.CANCELED


def test_simulated_camera_process(
    robot: RobotClient, camera: RedBoxCamera, start_node: Any
) -> None:
    camera.is_on = False
    process = start_node("camera", "-m", "lisa_ros.nodes.simulated_camera", seed=0)
    # The scissors of room 0 are yellow.
    answer = wait_until(
        lambda: _with_status(robot.ask("the yellow scissors"), Status.FOUND), "the room"
    )
    assert 0.2 < answer.targets[0].position.z < 2.0
    assert process.end() == 0


def test_node_is_still_there(perception: NodeProcess) -> None:
    assert perception.is_running(), perception.log


def _is_answering(robot: RobotClient) -> bool:
    told = [status.message for array in robot.received["/diagnostics"] for status in array.status]
    return any("answering" in message for message in told)


def _with_status(answer: Any, status: Status) -> Any:
    return answer if answer.status == status else None


def _with_code(answer: Any, code: int) -> Any:
    return answer if answer.error_code == code else None
