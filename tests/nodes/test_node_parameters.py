"""The parameters as the node's threads read them while others set them. On a node of paper."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("rclpy")

from rclpy.parameter import Parameter

from lisa_ros.nodes.node_parameters import NodeParameters
from lisa_ros.nodes.parameters import PerceptionParameters

POSE = [1.0, 2.0, 3.0, 0.0, 0.0, 0.0, 1.0]


class PaperNode:
    """Stores parameters one after the other, as rclpy does. on_stored: called after each."""

    def __init__(self, **overrides: Any) -> None:
        self._parameter_overrides = overrides
        self._stored: dict[str, Any] = {}
        self._after: list[Callable[[list[Parameter]], None]] = []
        self.warnings: list[str] = []
        self.on_stored: Callable[[], None] = lambda: None

    def add_pre_set_parameters_callback(self, callback: Any) -> None:
        pass

    def add_on_set_parameters_callback(self, callback: Any) -> None:
        self._check = callback

    def add_post_set_parameters_callback(self, callback: Any) -> None:
        self._after.append(callback)

    def declare_parameter(self, name: str, default: Any, descriptor: Any) -> None:
        self._stored[name] = self._parameter_overrides.get(name, default)

    def has_parameter(self, name: str) -> bool:
        return name in self._stored

    def get_parameter(self, name: str) -> Any:
        return SimpleNamespace(value=self._stored[name])

    def get_logger(self) -> Any:
        return SimpleNamespace(warning=self.warnings.append)

    def set_atomically(self, **values: Any) -> str:
        parameters = [Parameter(name, value=value) for name, value in values.items()]
        result = self._check(parameters)
        if result.successful:
            for parameter in parameters:
                self._stored[parameter.name] = parameter.value
                self.on_stored()
            for callback in self._after:
                callback(parameters)
        return str(result.reason)


def test_the_values_at_the_start_are_defaults_and_overrides() -> None:
    node = PaperNode(max_targets=3, camera_to_target=POSE, max_target=4)
    values = NodeParameters(node, is_configured=lambda: False).now()  # type: ignore[arg-type]
    assert values == PerceptionParameters(max_targets=3, camera_to_target=tuple(POSE))
    assert node.warnings == ["this node has no parameter 'max_target'; is it max_targets?"]


def test_what_is_set_at_one_time_is_seen_at_one_time() -> None:
    """A pose must not be taken for one in the frame that was set before it."""
    node = PaperNode(target_frame="map", camera_to_target=POSE)
    parameters = NodeParameters(node, is_configured=lambda: True)  # type: ignore[arg-type]
    seen: list[tuple[str, Any]] = []

    def look() -> None:
        now = parameters.now()
        seen.append((now.target_frame, now.camera_to_target))

    node.on_stored = look
    moved = [9.0, *POSE[1:]]
    assert node.set_atomically(target_frame="base", camera_to_target=moved) == ""
    assert seen == [("map", tuple(POSE))] * 2
    look()
    assert seen[-1] == ("base", tuple(moved))


def test_what_is_refused_changes_nothing() -> None:
    node = PaperNode()
    parameters = NodeParameters(node, is_configured=lambda: True)  # type: ignore[arg-type]
    assert "cleanup first" in node.set_atomically(max_targets=3, model="other")
    assert parameters.now() == PerceptionParameters()
    assert node.set_atomically(max_targets=3, use_sim_time=True) == ""
