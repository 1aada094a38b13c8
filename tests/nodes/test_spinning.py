"""What ends the spinning of a node, and what is only told. No DDS."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy")

from rclpy._rclpy_pybind11 import InvalidHandle
from rclpy.executors import ExternalShutdownException

from lisa_ros.nodes import process


def test_failing_callbacks_are_told_and_destroyed_subscriptions_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A transition destroys subscriptions while the executor may be about to wait for them."""
    left = [InvalidHandle("destruction was requested"), ValueError("a bug"), None]

    def spin() -> None:
        raise left.pop(0) or ExternalShutdownException

    told: list[str] = []
    node = SimpleNamespace(get_logger=lambda: SimpleNamespace(error=told.append))
    monkeypatch.setattr(process.rclpy, "ok", lambda: True)
    process._spin(SimpleNamespace(spin=spin), node)  # type: ignore[arg-type]
    assert told == ["a callback failed: ValueError: a bug"]
    assert left == []
