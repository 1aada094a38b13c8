"""Parameters of the running node over DDS: what may change at once, what is refused, and why."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("lisa_ros.msg")

from node_process import NodeProcess
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterType, ParameterValue
from rcl_interfaces.srv import GetParameters, SetParameters
from red_box_camera import RedBoxCamera
from robot_client import RobotClient

from lisa_ros.nodes.parameter_declaration import Change
from lisa_ros.nodes.parameters import specifications
from lisa_ros.types import Status

pytestmark = [pytest.mark.ros, pytest.mark.usefixtures("perception")]


def test_threshold_changes_the_next_answer_and_null_takes_it_away(
    robot: RobotClient, camera: RedBoxCamera
) -> None:
    assert robot.ask("the red box").status == Status.FOUND
    assert robot.set_parameter("found_threshold", 1.0) == ""
    assert robot.ask("the red box").status == Status.NOT_FOUND
    assert robot.set_parameter("found_threshold", "null") == ""
    assert robot.ask("the red box").status == Status.FOUND


def test_every_parameter_that_may_change_takes_its_own_value_again(
    robot: RobotClient, perception: NodeProcess
) -> None:
    for name, spec in specifications().items():
        if spec.metadata["change"] is Change.ANY_TIME and spec.default is not None:
            assert robot.set_parameter(name, spec.default) == "", name
    assert perception.is_running(), perception.log


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("model", "other", "cleanup first"),
        ("policy", "wait", "'queue'"),
        ("queue_size", 0, "out of range"),
        ("found_threshold", 2.0, "out of range"),
        ("found_threshold", "high", "or null for none"),
        ("prompt_template", "Where?", "exactly once"),
        ("no_such_parameter", 1, "no_such_parameter"),
        ("max_target", 1, "max_target; is it max_targets?"),
        ("autostart", False, "read-only"),
    ],
)
def test_refusals_say_why(robot: RobotClient, name: str, value: object, words: str) -> None:
    assert words in robot.set_parameter(name, value)


def test_a_parameter_cannot_be_deleted(robot: RobotClient) -> None:
    for name in ("found_threshold", "max_targets"):
        not_set = ParameterMessage(
            name=name, value=ParameterValue(type=ParameterType.PARAMETER_NOT_SET)
        )
        request = SetParameters.Request(parameters=[not_set])
        result = robot.call(SetParameters, "perception/set_parameters", request).results[0]
        assert not result.successful
        assert result.reason
    values = robot.call(
        GetParameters, "perception/get_parameters", GetParameters.Request(names=["max_targets"])
    ).values
    assert values[0].integer_value == specifications()["max_targets"].default
