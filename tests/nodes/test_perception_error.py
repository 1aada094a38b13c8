"""A transition that breaks unexpectedly: the node frees everything and can be configured again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("lisa_ros.msg")

import rclpy
from fake_perception import load
from node_process import DOMAIN_ID
from rclpy.lifecycle import TransitionCallbackReturn

from lisa_ros.nodes import perception
from lisa_ros.nodes.perception import PerceptionNode

pytestmark = pytest.mark.ros


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Iterator[PerceptionNode]:
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    arguments = ["--ros-args", "-p", "autostart:=false", "-p", "model:=fake"]
    rclpy.init(args=arguments, domain_id=DOMAIN_ID)
    node = PerceptionNode(load)
    yield node
    assert node.close()
    node.destroy_node()
    rclpy.shutdown()


def state(node: PerceptionNode) -> str:
    return str(node._state_machine.current_state[1])


def test_an_error_in_a_transition_frees_the_model_and_leaves_a_node_that_works(
    node: PerceptionNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: Any, **__: Any) -> None:
        raise RuntimeError("no middleware")

    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    assert node._perceiver.camera is not None
    with monkeypatch.context() as broken:
        broken.setattr(perception, "subscribe", break_down)
        assert node.trigger_activate() == TransitionCallbackReturn.ERROR
    assert state(node) == "unconfigured"
    assert node._perceiver.camera is None
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    assert node.trigger_activate() == TransitionCallbackReturn.SUCCESS
    assert state(node) == "active"
