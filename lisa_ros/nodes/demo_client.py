"""The robot's side of the demo: publish one sentence, collect everything that comes back."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PointStamped
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import String

from lisa_ros.msg import Perception
from lisa_ros.nodes.publishing import LATCHED, RELIABLE


class DemoError(Exception):
    """The demo could not be run to its end; says what was waited for."""


@dataclass(frozen=True)
class Reply:
    """What a robot receives for one instruction. latency_ms: published → result received."""

    result: Perception
    mask: Image | None
    target_point: PointStamped | None
    latency_ms: float


class DemoClient(Node):
    """Waits by spinning: use it from one thread. find_fault: says why waiting is in vain."""

    def __init__(self, find_fault: Callable[[], str]) -> None:
        super().__init__("demo", namespace="lisa")
        self._find_fault = find_fault
        self._newest: dict[str, Any] = {}
        self._diagnostics: dict[str, str] = {}
        self._instruction = self.create_publisher(String, "instruction", 10)
        for topic, kind, qos in (
            ("result", Perception, LATCHED),
            ("mask", Image, RELIABLE),
            ("target_point", PointStamped, RELIABLE),
        ):
            self.create_subscription(kind, topic, self._keeper(topic), qos)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)

    def wait_until_ready(self, timeout_s: float) -> None:
        """Wait until the node waits for an instruction and frames arrive. Raises DemoError."""

        def is_ready() -> bool:
            return (
                self._diagnostics.get("node") == "waiting for an instruction"
                and self._diagnostics.get("camera") == "frames arrive"
                and self._instruction.get_subscription_count() > 0
            )

        self._wait(is_ready, "the perception node to be ready", timeout_s)

    def ask(self, instruction: str, timeout_s: float) -> Reply:
        """Publish an instruction and wait for its answer. Raises DemoError."""
        self._newest.clear()
        published_s = time.perf_counter()
        self._instruction.publish(String(data=instruction))
        self._wait(lambda: "result" in self._newest, "the answer", timeout_s)
        result, received_s = self._newest["result"]
        if result.response:
            self._wait(lambda: self._is_of("mask", result), "the mask", timeout_s)
        if any(target.has_position for target in result.targets):
            self._wait(lambda: self._is_of("target_point", result), "the target", timeout_s)
        return Reply(
            result=result,
            mask=self._newest.get("mask", (None, 0.0))[0],
            target_point=self._newest.get("target_point", (None, 0.0))[0],
            latency_ms=1e3 * (received_s - published_s),
        )

    def _keeper(self, topic: str) -> Callable[[Any], None]:
        def keep(message: Any) -> None:
            self._newest[topic] = (message, time.perf_counter())

        return keep

    def _is_of(self, topic: str, result: Perception) -> bool:
        message, _ = self._newest.get(topic, (None, 0.0))
        return message is not None and message.header.stamp == result.header.stamp

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self._diagnostics[status.name.rpartition(": ")[2]] = status.message

    def _wait(self, condition: Callable[[], bool], what: str, timeout_s: float) -> None:
        deadline_s = time.monotonic() + timeout_s
        while not condition():
            fault = self._find_fault()
            if not fault and time.monotonic() > deadline_s:
                said = "; ".join(f"{part}: {words}" for part, words in self._diagnostics.items())
                fault = f"nothing within {timeout_s:g} s (diagnostics: {said or 'none'})"
            if fault:
                raise DemoError(f"Waiting for {what}: {fault}.")
            rclpy.spin_once(self, timeout_sec=0.05)
