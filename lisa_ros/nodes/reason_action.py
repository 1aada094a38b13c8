"""The `reason` action: the path of the `instruction` topic, with feedback, cancel and a result."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from rclpy._rclpy_pybind11 import RCLError
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import CallbackGroup
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from lisa_ros.action import Reason
from lisa_ros.msg import Perception
from lisa_ros.nodes.answers import ABOUT_THE_IMAGE, Policy, Stage, quoted
from lisa_ros.types import Status

# That of services, but deeper: of more requests than this at one time the middleware loses some,
# and the goals they are about never end for their client. ROS's own 10 are soon exceeded.
_SERVICE_QOS = QoSProfile(
    depth=1000, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.VOLATILE
)
OnProgress = Callable[[Stage, str], None]


@dataclass(frozen=True)
class Order:
    """An instruction as a client gives it.

    timeout_s: None for no limit. session: the conversation it belongs to, empty for none. policy:
    None for the node's. refusal: why it cannot be worked on, empty if it can. refine: what is asked
    about a close-up of what was found, empty for nothing.
    """

    instruction: str
    timeout_s: float | None = None
    session: str = ""
    policy: Policy | None = None
    refusal: str = ""
    refine: str = ""


class AcceptOrder(Protocol):
    """Where goals go: each is answered exactly once, with the message that was published."""

    def __call__(
        self,
        order: Order,
        *,
        canceled: Callable[[], bool],
        on_progress: OnProgress,
        on_answer: Callable[[Perception], None],
    ) -> None:
        """Take an order."""
        ...


class ReasonServer:
    """Turns goals into requests. Nothing here waits: a goal is executed once it is answered."""

    def __init__(
        self, node: LifecycleNode, accept: AcceptOrder, callback_group: CallbackGroup
    ) -> None:
        self._accept = accept
        self._server = ActionServer(
            node,
            Reason,
            "reason",
            execute_callback=_without_answer,
            goal_callback=lambda _: GoalResponse.ACCEPT,
            handle_accepted_callback=self._on_accepted,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
            callback_group=callback_group,
            goal_service_qos_profile=_SERVICE_QOS,
            result_service_qos_profile=_SERVICE_QOS,
            cancel_service_qos_profile=_SERVICE_QOS,
        )

    def destroy(self) -> None:
        """Take the action off the wire."""
        self._server.destroy()

    def _on_accepted(self, goal_handle: Any) -> None:
        self._accept(
            _order(goal_handle.request),
            # The state of the goal itself, because `canceled()` is only legal once rclpy has
            # changed it.
            canceled=lambda: bool(goal_handle.is_cancel_requested),
            on_progress=partial(_publish_feedback, goal_handle),
            on_answer=partial(_finish, goal_handle),
        )


def _order(goal: Reason.Goal) -> Order:
    refusal = _refusal(goal)
    if refusal:
        return Order(goal.instruction, session=goal.session, refusal=refusal)
    return Order(
        goal.instruction,
        timeout_s=goal.timeout_s or None,
        session=goal.session,
        policy=Policy(goal.policy) if goal.policy else None,
        refine=goal.refine,
    )


def _refusal(goal: Reason.Goal) -> str:
    if not math.isfinite(goal.timeout_s) or goal.timeout_s < 0:
        return f"timeout_s is {goal.timeout_s}; expected seconds, or 0 for no limit."
    if goal.policy and goal.policy not in tuple(Policy):
        return (
            f"policy is {quoted(goal.policy)}; expected one of {', '.join(Policy)}, or nothing for "
            "the node's own."
        )
    return ""


def _publish_feedback(goal_handle: Any, stage: Stage, partial_text: str) -> None:
    # Where nobody can be told any more, as when the process ends, the answer is still worth having.
    with suppress(RCLError):
        goal_handle.publish_feedback(Reason.Feedback(stage=str(stage), partial_text=partial_text))


def _finish(goal_handle: Any, perception: Perception) -> None:
    execute = partial(_end_goal, perception)
    try:
        goal_handle.execute(execute)
    except RCLError:
        # Canceled between its look at the state and its transition; now it sees the cancel.
        goal_handle.execute(execute)


def _end_goal(perception: Perception, goal_handle: Any) -> Reason.Result:
    """Succeed with any answer about the image; all ends carry the answer."""
    if perception.status in ABOUT_THE_IMAGE:
        goal_handle.succeed()
    elif perception.status == Status.CANCELED and goal_handle.is_cancel_requested:
        goal_handle.canceled()
    else:
        goal_handle.abort()
    return Reason.Result(perception=perception)


def _without_answer(goal_handle: Any) -> Reason.Result:
    raise AssertionError(f"goal {goal_handle.goal_id} was executed without an answer")
