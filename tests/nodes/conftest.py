"""Fixtures of the ROS tests: a perception process with the fake backend, a robot, a camera."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from node_process import DOMAIN_ID, FAKE_PERCEPTION, NodeProcess, StartNode

if TYPE_CHECKING:
    from red_box_camera import RedBoxCamera
    from robot_client import RobotClient


@pytest.fixture(scope="module")
def start_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartNode]:
    """Start node processes: `start_node(name, "-m", module, parameter=value, ...)`."""
    folder = tmp_path_factory.mktemp("nodes")
    started: list[NodeProcess] = []

    def start(name: str, *command: str, **parameters: Any) -> NodeProcess:
        arguments = [
            part for key, value in parameters.items() for part in ("-p", f"{key}:={value}")
        ]
        started.append(NodeProcess(name, [*command, "--ros-args", *arguments], folder))
        return started[-1]

    yield start
    for process in started:
        process.kill()


@pytest.fixture(scope="module")
def robot() -> Iterator[RobotClient]:
    pytest.importorskip("rclpy")
    pytest.importorskip("lisa_ros.msg")
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    from robot_client import RobotClient

    client = RobotClient(DOMAIN_ID)
    yield client
    client.close()


@pytest.fixture(scope="module")
def perception(robot: RobotClient, start_node: StartNode) -> Iterator[NodeProcess]:
    """The real node with the fake backend, configured and active."""
    from robot_client import wait_until

    process = start_node(
        "perception", FAKE_PERCEPTION, model="fake", frame_wait_s=5.0, max_frame_age_s=2.0
    )
    robot.wait_for_node()
    wait_until(lambda: robot.state() == "active", "the node to be active")
    yield process
    assert process.is_running(), process.log


@pytest.fixture(scope="module")
def red_box_camera(robot: RobotClient) -> Iterator[RedBoxCamera]:
    from red_box_camera import RedBoxCamera

    camera = RedBoxCamera(robot.node)
    yield camera
    camera.close()


@pytest.fixture
def camera(red_box_camera: RedBoxCamera) -> Iterator[RedBoxCamera]:
    """The camera of known numbers, as good as new."""
    red_box_camera.switch_on()
    yield red_box_camera
    red_box_camera.switch_on()
