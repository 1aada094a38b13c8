"""Ask by action and hand the target to a manipulator only when that is safe.

    python examples/fetch_by_action.py "I am thirsty"
    python examples/fetch_by_action.py "I am thirsty" --allow-demo-model      # with lisa-tiny

The rule that a robot should keep: move only when the status is FOUND, the confidence was measured
for this checkpoint and suffices, the checkpoint is no demonstration, and a person has looked at the
overlay and agrees.
"""

from __future__ import annotations

import argparse

import rclpy
from action_msgs.msg import GoalStatus
from geometry_msgs.msg import Point
from lisa_ros.action import Reason
from lisa_ros.msg import Perception
from rclpy.action import ActionClient
from rclpy.node import Node

WAIT_S = 30.0
# A node that lives answers in the time that the goal gives it; one that has crashed never does.
PATIENCE_S = WAIT_S + 10.0


def why_not(result: Perception, *, confidence: float, allow_demo_model: bool) -> str:
    """Return why a robot should not move for this answer; empty when it may.

    confidence: the share of such answers that must have been right when that was measured.
    """
    if result.status != Perception.FOUND:
        return str(result.reason)
    if not result.has_confidence:
        return "nobody has measured how often such an answer of this checkpoint is right"
    if result.confidence < confidence:
        return f"{result.confidence:.0%} of such answers are right, {confidence:.0%} are asked for"
    if result.demo_model and not allow_demo_model:
        return f"{result.model} is a demonstration (--allow-demo-model to go on)"
    return ""


def ask(node: Node, sentence: str) -> Perception | None:
    """Send the goal, print the feedback, return the answer; None when nobody gives one."""
    client = ActionClient(node, Reason, "reason")
    if not client.wait_for_server(timeout_sec=WAIT_S):
        return None
    goal = Reason.Goal(instruction=sentence, timeout_s=WAIT_S)
    sent = client.send_goal_async(goal, feedback_callback=_print_feedback)
    rclpy.spin_until_future_complete(node, sent, timeout_sec=WAIT_S)
    if not sent.done():
        return None
    answered = sent.result().get_result_async()
    try:
        rclpy.spin_until_future_complete(node, answered, timeout_sec=PATIENCE_S)
    except KeyboardInterrupt:  # stop the work, too, and not only the waiting
        rclpy.spin_until_future_complete(node, sent.result().cancel_goal_async(), timeout_sec=2.0)
        raise
    if not answered.done():
        return None
    assert answered.result().status != GoalStatus.STATUS_UNKNOWN
    perception: Perception = answered.result().result.perception
    return perception


def _print_feedback(message: Reason.Impl.FeedbackMessage) -> None:
    print(f"  {message.feedback.stage} {message.feedback.partial_text}".rstrip())


def reach_for(point: Point, frame_id: str) -> None:
    """Where your robot's motion begins."""
    print(f"Reaching for {point.x:.3f} {point.y:.3f} {point.z:.3f} m in {frame_id}.")


def main() -> int:
    """Ask, check, let the operator confirm, act."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("sentence")
    parser.add_argument("--confidence", type=float, default=0.7, help="0..1 (default 0.7)")
    parser.add_argument("--allow-demo-model", action="store_true")
    arguments = parser.parse_args()
    rclpy.init()
    result = ask(Node("fetch_by_action", namespace="lisa"), arguments.sentence)
    if result is None:
        print(f"No perception node, or no answer, within {WAIT_S:g} s. `lisa doctor` says why.")
        return 1
    reason = why_not(
        result, confidence=arguments.confidence, allow_demo_model=arguments.allow_demo_model
    )
    if reason:
        print(f"Not moving: {reason}")
        return 1
    (target,) = [target for target in result.targets if target.has_position][:1]
    where = f"{target.position.x:.2f} {target.position.y:.2f} {target.position.z:.2f} m"
    print(f"{result.reason} Best: {where}, confidence {result.confidence:.0%}.")
    if input("Is the target on /lisa/overlay the right one? [y/N] ").strip().lower() != "y":
        print("Not moving: the operator did not confirm.")
        return 1
    reach_for(target.position, result.header.frame_id)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
