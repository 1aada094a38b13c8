"""Ask by topic: publish a sentence, wait for the answer to it, print what was found where.

    python examples/ask_by_topic.py "I am thirsty"

Whoever needs feedback, cancelling or a time limit uses the action: fetch_by_action.py.
"""

from __future__ import annotations

import sys

import rclpy
from lisa_ros.msg import Perception
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.task import Future
from std_msgs.msg import String

WAIT_S = 60.0


class Asker(Node):
    """Publishes one sentence; `answer` is done with the Perception that answers it."""

    def __init__(self, sentence: str) -> None:
        super().__init__("ask_by_topic", namespace="lisa")
        self._sentence = sentence
        self.answer: Future = Future()
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.create_subscription(Perception, "result", self._on_result, latched)
        self._publisher = self.create_publisher(String, "instruction", 10)
        self._timer = self.create_timer(0.1, self._ask_once)
        self._asked_ns = 0

    def _ask_once(self) -> None:
        # What is published before anybody listens is lost, so wait for the node first.
        if self._publisher.get_subscription_count() > 0:
            self._timer.cancel()
            self._asked_ns = self.get_clock().now().nanoseconds
            self._publisher.publish(String(data=self._sentence))

    def _on_result(self, result: Perception) -> None:
        # `result` is latched: the first message may answer what somebody asked long ago.
        if self._asked_ns and result.instruction == self._sentence and not self.answer.done():
            self.answer.set_result(result)


def main() -> int:
    """Ask what the command line says; exit with 0 when it was found and has a position."""
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    rclpy.init()
    asker = Asker(sys.argv[1])
    rclpy.spin_until_future_complete(asker, asker.answer, timeout_sec=WAIT_S)
    if not asker.answer.done():
        print(f"No answer within {WAIT_S:g} s. `lisa doctor` says why.")
        return 1
    result: Perception = asker.answer.result()
    print(result.reason)
    for target in result.targets:
        if target.has_position:
            p = target.position
            print(
                f"target {target.id}: {p.x:.3f} {p.y:.3f} {p.z:.3f} m in {result.header.frame_id}"
            )
    return 0 if result.status == Perception.FOUND else 1


if __name__ == "__main__":
    raise SystemExit(main())
