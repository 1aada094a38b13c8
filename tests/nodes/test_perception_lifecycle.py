"""The node's life over DDS: transitions, parameters, what it says of itself, and how it ends."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("lisa_ros.msg")

from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from node_process import FAKE_PERCEPTION, NodeProcess, StartNode
from rcl_interfaces.msg import ParameterType
from rcl_interfaces.srv import GetParameters
from red_box_camera import BOX_POSITION_M, RedBoxCamera
from robot_client import RobotClient, wait_until
from std_msgs.msg import String

from lisa_ros.nodes.images import color_from_message
from lisa_ros.nodes.parameters import specifications
from lisa_ros.types import Status

pytestmark = pytest.mark.ros


@pytest.fixture(scope="module")
def idle_perception(robot: RobotClient, start_node: StartNode) -> Iterator[NodeProcess]:
    """The node with the fake backend, without model or autostart."""
    process = start_node(
        "perception", FAKE_PERCEPTION, autostart="false", frame_wait_s=5.0, max_frame_age_s=2.0
    )
    robot.wait_for_node()
    yield process
    assert process.is_running(), process.log


@pytest.fixture
def unconfigured(robot: RobotClient, idle_perception: NodeProcess) -> None:
    """Bring the node back to its first state."""
    if robot.state() == "active":
        assert robot.transition("deactivate")
    if robot.state() == "inactive":
        assert robot.transition("cleanup")
    assert robot.set_parameter("model", "fake") == ""


@pytest.fixture
def active(robot: RobotClient, unconfigured: None) -> None:
    assert robot.transition("configure")
    assert robot.transition("activate")


def test_without_a_model_it_says_how_to_get_one(robot: RobotClient, unconfigured: None) -> None:
    robot.set_parameter("model", "")
    assert not robot.transition("configure")
    assert robot.state() == "unconfigured"
    answer = robot.ask("the red box")
    assert answer.status == Status.REJECTED
    assert "Set the parameter `model`" in answer.reason
    status = _node_diagnostics(robot, "Set the parameter `model`")
    assert status.level == DiagnosticStatus.ERROR


def test_checkpoint_that_cannot_be_loaded_fails_the_transition(
    robot: RobotClient, unconfigured: None
) -> None:
    robot.set_parameter("model", "broken")
    assert not robot.transition("configure")
    assert robot.state() == "unconfigured"
    assert "no checkpoint 'broken'" in robot.ask("the red box").reason
    robot.set_parameter("model", "fake")
    assert robot.transition("configure")


def test_transitions_there_and_back(
    robot: RobotClient, unconfigured: None, camera: RedBoxCamera
) -> None:
    for _ in range(3):
        assert "unconfigured" in robot.ask("the red box").reason
        assert robot.transition("configure")
        assert "inactive" in robot.ask("the red box").reason
        assert robot.transition("activate")
        assert robot.ask("the red box").status == Status.FOUND
        assert robot.transition("deactivate")
        assert robot.ask("the red box").status == Status.REJECTED
        assert robot.transition("activate")
        assert robot.ask("the red box").status == Status.FOUND
        assert robot.transition("deactivate")
        assert robot.transition("cleanup")


def test_deactivating_cancels_what_runs(
    robot: RobotClient, active: None, camera: RedBoxCamera
) -> None:
    before = len(robot.received["result"])
    robot.received["/diagnostics"].clear()
    robot.publish("slow red box")
    _node_diagnostics(robot, "answering")
    assert robot.transition("deactivate")
    answer = robot.wait_for_result("slow red box", before)
    assert (answer.status, answer.reason) == (Status.CANCELED, "The node was deactivated.")


def test_transition_that_is_not_allowed_leaves_the_node_alive(
    robot: RobotClient, unconfigured: None
) -> None:
    request = ChangeState.Request()
    request.transition.label = "activate"
    assert not robot.call(ChangeState, "perception/change_state", request).success
    # By number rclpy raises in its own callback and sends no response.
    by_number = ChangeState.Request()
    by_number.transition.id = Transition.TRANSITION_ACTIVATE
    client = robot.node.create_client(ChangeState, "perception/change_state")
    wait_until(client.service_is_ready, "the service")
    client.call_async(by_number)
    assert robot.state() == "unconfigured"
    assert robot.transition("configure")
    robot.node.destroy_client(client)


def test_camera_without_depth_gives_a_mask_and_no_position(
    robot: RobotClient, active: None, camera: RedBoxCamera
) -> None:
    camera.switch_on(depth=False)
    robot.set_parameter("frame_wait_s", 0.5)
    robot.transition("deactivate")
    robot.transition("cleanup")
    robot.transition("configure")
    robot.transition("activate")
    answer = wait_until(
        lambda: _with_status(robot.ask("the red box"), Status.NO_DEPTH), "an image without depth"
    )
    robot.set_parameter("frame_wait_s", 5.0)
    assert "no depth" in answer.reason
    (target,) = answer.targets
    assert not target.has_position
    assert target.mask_px == 100
    assert color_from_message(robot.wait_for_stamp("mask", answer)).any()
    assert not robot.received["target_point"]


def test_no_camera_at_all(robot: RobotClient, active: None, camera: RedBoxCamera) -> None:
    camera.is_on = False
    robot.transition("deactivate")
    robot.transition("cleanup")
    robot.transition("configure")
    robot.transition("activate")
    robot.set_parameter("frame_wait_s", 0.2)
    answer = robot.ask("the red box")
    robot.set_parameter("frame_wait_s", 5.0)
    assert answer.status == Status.STALE_INPUT
    assert answer.reason == "No image has arrived on /lisa/image: is the camera running?"
    status = wait_until(
        lambda: _diagnostics(robot, "perception: camera", "no image on /lisa/image"), "camera"
    )
    assert status.level == DiagnosticStatus.WARN


def test_parameters_say_why_a_value_is_refused(robot: RobotClient, active: None) -> None:
    assert "cleanup first" in robot.set_parameter("model", "other")
    assert "expected one of" in robot.set_parameter("mode", "guess")
    assert "out of range" in robot.set_parameter("max_targets", 0)
    assert "read-only" in robot.set_parameter("autostart", True)
    assert robot.set_parameter("mode", "generated") == ""
    assert robot.set_parameter("mode", "prompted") == ""


def test_all_parameters_can_be_read_at_once(
    robot: RobotClient, idle_perception: NodeProcess
) -> None:
    names = list(specifications())
    request = GetParameters.Request(names=names)
    values = robot.call(GetParameters, "perception/get_parameters", request).values
    types = dict(zip(names, [value.type for value in values], strict=True))
    not_set = {name for name, kind in types.items() if kind == ParameterType.PARAMETER_NOT_SET}
    assert not_set == {name for name, spec in specifications().items() if spec.default is None}


def test_target_frame_by_a_fixed_extrinsic(
    robot: RobotClient, unconfigured: None, camera: RedBoxCamera
) -> None:
    robot.set_parameter("target_frame", "base_link")
    if find_spec("tf2_ros") is None:
        assert not robot.transition("configure")
        reason = robot.ask("the red box").reason
        assert "-tf2-ros-py`" in reason
        assert "camera_to_target" in reason
    # The camera looks along the base's x axis, half a metre up: REP 103's optical rotation.
    assert robot.set_parameter("camera_to_target", [0.1, 0.0, 0.5, -0.5, 0.5, -0.5, 0.5]) == ""
    try:
        assert robot.transition("configure")
        assert robot.transition("activate")
        answer = robot.ask("the red box")
        assert answer.status == Status.FOUND
        assert answer.header.frame_id == "base_link"
        position = answer.targets[0].position
        x, y, z = BOX_POSITION_M
        np.testing.assert_allclose(
            (position.x, position.y, position.z), (0.1 + z, -x, 0.5 - y), atol=1e-3
        )
        assert robot.wait_for_stamp("target_point", answer).header.frame_id == "base_link"
        mask = robot.wait_for_stamp("mask", answer)
        assert mask.header.frame_id == "camera_color_optical_frame"
    finally:
        robot.transition("deactivate")
        robot.transition("cleanup")
        robot.set_parameter("target_frame", "")


def test_model_loads_while_the_node_goes_on_answering(
    robot: RobotClient, unconfigured: None
) -> None:
    robot.set_parameter("model", "slow")
    client = robot.node.create_client(ChangeState, "perception/change_state")
    wait_until(client.service_is_ready, "the service")
    request = ChangeState.Request()
    request.transition.label = "configure"
    configured = client.call_async(request)
    answer = wait_until(lambda: _while_loading(robot), "an answer while the model is loading")
    assert answer.status == Status.REJECTED
    wait_until(configured.done, "the transition")
    assert configured.result().success
    robot.node.destroy_client(client)


@pytest.mark.parametrize(
    ("signal_number", "parameters", "busy"),
    [
        (signal.SIGINT, {"model": "fake"}, True),
        (signal.SIGTERM, {"autostart": "false"}, False),
        (signal.SIGTERM, {"model": "slow"}, False),
    ],
    ids=["SIGINT while reasoning", "SIGTERM while idle", "SIGTERM while loading"],
)
def test_signals_end_the_node_with_zero(
    robot: RobotClient,
    start_node: StartNode,
    camera: RedBoxCamera,
    request: pytest.FixtureRequest,
    signal_number: int,
    parameters: dict[str, str],
    busy: bool,
) -> None:
    name = "ending_" + "".join(c if c.isalnum() else "_" for c in request.node.callspec.id)
    process = _start_beside(start_node, name, **parameters)
    wait_until(lambda: _diagnostics(robot, f"{name}: node", ""), "its diagnostics")
    if busy:
        wait_until(lambda: _diagnostics(robot, f"{name}: camera", "frames arrive"), "frames")
        publisher = robot.node.create_publisher(String, "end/instruction", 10)
        wait_until(publisher.get_subscription_count, "its subscription")
        publisher.publish(String(data="slow red box"))
        wait_until(lambda: _diagnostics(robot, f"{name}: node", "answering"), "its work")
    assert process.end(signal_number) == 0, process.log
    assert "Traceback" not in process.log


def test_services_answer_while_autostart_loads(robot: RobotClient, start_node: StartNode) -> None:
    name = "loading_slowly"
    process = _start_beside(start_node, name, model="slow")

    def state() -> str:
        return robot.call(GetState, f"{name}/get_state", GetState.Request()).current_state.label

    wait_until(lambda: state() == "configuring", "its loading")
    wait_until(lambda: _diagnostics(robot, f"{name}: node", "loading"), "its word of it")
    assert process.end() == 0, process.log


def test_freed_model_is_no_longer_named(
    robot: RobotClient, active: None, camera: RedBoxCamera
) -> None:
    assert robot.ask("the red box").model == "fake"
    robot.transition("deactivate")
    robot.transition("cleanup")
    answer = robot.ask("the red box")
    assert (answer.status, answer.model, answer.demo_model) == (Status.REJECTED, "", False)


def _start_beside(start_node: StartNode, name: str, **parameters: str) -> NodeProcess:
    """Start a second node, whose instructions and results are its own."""
    remaps = [f"__node:={name}", "instruction:=end/instruction", "result:=end/result"]
    command = ["--ros-args", *(part for remap in remaps for part in ("-r", remap))]
    return start_node(name, FAKE_PERCEPTION, *command, **parameters)


def _node_diagnostics(robot: RobotClient, words: str) -> DiagnosticStatus:
    return wait_until(
        lambda: _diagnostics(robot, "perception: node", words), f"diagnostics with {words!r}"
    )


def _diagnostics(robot: RobotClient, name: str, words: str) -> DiagnosticStatus | None:
    for message in robot.received["/diagnostics"]:
        for status in message.status:
            if status.name == f"/lisa/{name}" and words in status.message:
                return status
    return None


def _while_loading(robot: RobotClient) -> Any:
    answer = robot.ask("the red box")
    return answer if "loading the model" in answer.reason else None


def _with_status(answer: Any, status: Status) -> Any:
    return answer if answer.status == status else None
