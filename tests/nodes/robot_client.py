"""A robot at the other end of the wire: asks by topic or action, waits with limits for answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PointStamped, PoseWithCovarianceStamped
from lifecycle_msgs.srv import ChangeState, GetState
from lisa_ros.action import Reason
from lisa_ros.msg import Perception
from rcl_interfaces.srv import SetParameters
from rclpy._rclpy_pybind11 import InvalidHandle
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import (
    DurabilityPolicy,
    QoSProfile,
    ReliabilityPolicy,
    qos_profile_sensor_data,
)
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import String
from std_srvs.srv import Trigger
from visualization_msgs.msg import MarkerArray

# Deeper than the publishers, so that answers in quick succession do not overtake each other.
LATCHED = QoSProfile(
    depth=50, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)
RELIABLE = QoSProfile(depth=50, reliability=ReliabilityPolicy.RELIABLE)

# Long, because the machine may be busy; nothing here takes so long by itself.
WAIT_S = 180.0
_Value = TypeVar("_Value")


def wait_until(condition: Callable[[], _Value], what: str, timeout_s: float = WAIT_S) -> _Value:
    """Poll until the condition is true; return its value."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s} s in vain for {what}")
        time.sleep(0.005)
    return value


class RobotClient:
    """Subscribes to all that the perception node says and keeps it, by topic."""

    def __init__(self, domain_id: int) -> None:
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=domain_id)
        self.node = Node("robot", namespace="lisa", context=self.context)
        self.received: dict[str, list[Any]] = {}
        for topic, kind, qos in (
            ("result", Perception, LATCHED),
            ("response", String, LATCHED),
            ("mask", Image, RELIABLE),
            ("target_point", PointStamped, RELIABLE),
            ("target_pose", PoseWithCovarianceStamped, RELIABLE),
            ("markers", MarkerArray, RELIABLE),
            ("overlay", Image, qos_profile_sensor_data),
            ("target_cloud", PointCloud2, qos_profile_sensor_data),
            ("/diagnostics", DiagnosticArray, 10),
        ):
            self.received[topic] = []
            self.node.create_subscription(kind, topic, self.received[topic].append, qos)
        self._instruction = self.node.create_publisher(String, "instruction", 10)
        self._reason = ActionClient(self.node, Reason, "reason")
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._spin)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._executor.wake()
        self._thread.join()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)

    def wait_for_node(self) -> None:
        wait_until(self._instruction.get_subscription_count, "the perception node")
        wait_until(lambda: self.node.count_publishers("/lisa/result"), "its results")

    def wait_until_alone(self) -> None:
        """Wait until a node that has ended is gone from the graph, not to take it for the next."""
        wait_until(lambda: not self._instruction.get_subscription_count(), "the node to be gone")
        wait_until(lambda: not self.node.count_publishers("/lisa/result"), "its results to be gone")

    def publish(self, instruction: str) -> None:
        self.wait_for_node()
        self._instruction.publish(String(data=instruction))

    def publish_raw(self, serialized: bytes) -> None:
        self.wait_for_node()
        self._instruction.publish(serialized)

    def ask(self, instruction: str) -> Perception:
        """Publish an instruction and wait for its answer; what came before is forgotten."""
        for messages in self.received.values():
            messages.clear()
        self.publish(instruction)
        return self.wait_for_result(instruction, 0)

    def wait_for_result(self, instruction: str, since: int) -> Perception:
        def answer() -> Perception | None:
            answers = self.received["result"][since:]
            return next((m for m in answers if m.instruction == instruction), None)

        return wait_until(answer, f"the answer to {instruction!r}")

    def wait_for_stamp(self, topic: str, perception: Perception) -> Any:
        """Wait for the message of `topic` that carries the stamp of an answer."""

        def match() -> Any:
            stamp = perception.header.stamp
            return next((m for m in self.received[topic] if m.header.stamp == stamp), None)

        return wait_until(match, f"{topic} of the answer")

    def call(self, service_type: type, name: str, request: Any) -> Any:
        client = self.node.create_client(service_type, name)
        wait_until(client.service_is_ready, f"the service {name}")
        response = self._wait_for(lambda: client.call_async(request), name)
        self.node.destroy_client(client)
        return response

    def transition(self, label: str) -> bool:
        request = ChangeState.Request()
        request.transition.label = label
        return self.call(ChangeState, "perception/change_state", request).success

    def state(self) -> str:
        return self.call(GetState, "perception/get_state", GetState.Request()).current_state.label

    def set_parameter(self, name: str, value: Any) -> str:
        """Set one parameter of the node; return why it was refused, empty if it was not."""
        parameter = Parameter(name, value=value).to_parameter_msg()
        request = SetParameters.Request(parameters=[parameter])
        result = self.call(SetParameters, "perception/set_parameters", request).results[0]
        return "" if result.successful else result.reason

    def clear(self) -> Trigger.Response:
        return self.call(Trigger, "clear", Trigger.Request())

    def send_goal(self, goal: Reason.Goal, on_feedback: Callable[[Any], None] | None = None) -> Any:
        wait_until(self._reason.server_is_ready, "the action server")
        return self._wait_for(
            lambda: self._reason.send_goal_async(goal, on_feedback), "the goal's handle"
        )

    def goal_result(self, handle: Any) -> Any:
        return self._wait_for(handle.get_result_async, "the goal's result")

    def cancel_goal(self, handle: Any) -> None:
        self._wait_for(handle.cancel_goal_async, "the cancel")

    def _wait_for(self, call: Callable[[], Any], what: str) -> Any:
        """Make an asynchronous call and wait for its outcome.

        On the executor's thread: rclpy's action client loses a response that comes before the call
        has returned on another thread.
        """
        started = self._executor.create_task(call)
        wait_until(started.done, what)
        wait_until(started.result().done, what)
        return started.result().result()

    def _spin(self) -> None:
        # rclpy stumbles over publishers that tests destroy while it is about to wait for them.
        while not self._closing.is_set():
            with suppress(InvalidHandle):
                self._executor.spin_once(timeout_sec=1.0)
