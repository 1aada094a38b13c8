"""Loading as others see it, and what twenty loads leave behind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("lisa_ros.msg")

from lifecycle_msgs.srv import ChangeState
from node_process import FAKE_PERCEPTION, NodeProcess, StartNode
from robot_client import RobotClient, wait_until

from lisa_ros.types import Status

pytestmark = pytest.mark.ros

ROUNDS = 20
# After them everything that is imported or cached once has been.
ROUNDS_TO_WARM_UP = 5
# lisa-tiny's weights take 28 MB as float32; keeping them once in fifteen rounds would show.
MAX_GROWTH_MB = 25.0


@pytest.fixture
def idle(robot: RobotClient, start_node: StartNode) -> Iterator[NodeProcess]:
    """The node with the fake backend, not configured."""
    process = start_node("perception", FAKE_PERCEPTION, autostart="false", model="fake")
    robot.wait_for_node()
    yield process
    assert process.end() == 0, process.log
    robot.wait_until_alone()


def test_a_model_that_gives_no_numbers_is_refused(robot: RobotClient, idle: NodeProcess) -> None:
    robot.set_parameter("model", "dumb")
    assert not robot.transition("configure")
    assert robot.state() == "unconfigured"
    reason = robot.ask("the red box").reason
    assert "does not answer a test question" in reason
    assert "seg_probability" in reason
    robot.set_parameter("model", "fake")
    assert robot.transition("configure")


def test_diagnostics_say_what_is_being_loaded(robot: RobotClient, idle: NodeProcess) -> None:
    robot.set_parameter("model", "slow")
    client = robot.node.create_client(ChangeState, "perception/change_state")
    wait_until(client.service_is_ready, "the service")
    request = ChangeState.Request()
    request.transition.label = "configure"
    configured = client.call_async(request)
    wait_until(lambda: "looking for the fake" in _said(robot), "the step of loading")
    wait_until(configured.done, "the transition")
    assert configured.result().success
    robot.node.destroy_client(client)


@pytest.mark.parametrize("before", [(), ("configure",), ("configure", "activate")])
def test_shutdown_from_any_state_is_for_good(
    robot: RobotClient, idle: NodeProcess, before: tuple[str, ...]
) -> None:
    for label in (*before, "shutdown"):
        assert robot.transition(label)
    assert robot.state() == "finalized"
    answer = robot.ask("the red box")
    assert (answer.status, answer.model) == (Status.REJECTED, "")
    assert "Start it anew." in answer.reason


def test_a_misspelt_parameter_is_warned_of(robot: RobotClient, start_node: StartNode) -> None:
    process = start_node("misspelt", FAKE_PERCEPTION, autostart="false", max_target=3)
    wait_until(lambda: "no parameter 'max_target'; is it max_targets?" in process.log, "a warning")
    assert process.end() == 0, process.log


def test_a_dumped_null_is_no_value(robot: RobotClient, start_node: StartNode) -> None:
    """What `ros2 param dump` writes for found_threshold can be loaded again."""
    process = start_node("dumped", FAKE_PERCEPTION, model="fake", found_threshold="null")
    wait_until(lambda: "fake loaded" in process.log, "the model")
    assert process.end() == 0, process.log


@pytest.mark.slow
def test_memory_is_returned_after_each_of_twenty_rounds(
    robot: RobotClient, start_node: StartNode
) -> None:
    process = start_node(
        "loaded_often", "-m", "lisa_ros.nodes.perception", autostart="false", model="lisa-tiny"
    )
    robot.wait_for_node()
    after_mb = []
    for _ in range(ROUNDS):
        for label in ("configure", "activate", "deactivate", "cleanup"):
            assert robot.transition(label), process.log
        after_mb.append(_resident_mb(process.process_id))
    growth_mb = after_mb[-1] - max(after_mb[:ROUNDS_TO_WARM_UP])
    assert growth_mb < MAX_GROWTH_MB, [round(mb) for mb in after_mb]
    assert robot.state() == "unconfigured"
    assert process.end() == 0, process.log


def _resident_mb(pid: int) -> float:
    match = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert match is not None
    return int(match[1]) / 1024


def _said(robot: RobotClient) -> str:
    statuses = [status for array in robot.received["/diagnostics"] for status in array.status]
    return " ".join(status.message for status in statuses if "perception: node" in status.name)
