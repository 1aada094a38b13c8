"""Following in the model's spare time: a timer that hands the worker steps, and `follow`."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool

from lisa_ros.nodes.answers import Answer
from lisa_ros.nodes.parameters import PerceptionParameters
from lisa_ros.nodes.perceiver import Perceiver
from lisa_ros.nodes.worker import ModelWorker

_ON = "The targets of the last answer, and of those to come, are followed."
_OFF = "Following is off."


class Follower:
    """Lets a perceiver follow while the model's thread has nothing else to do.

    parameters: their present values. is_active: whether the node answers. publish: where answers
    about followed targets go, on the worker's thread.
    """

    def __init__(
        self,
        node: Any,
        worker: ModelWorker,
        perceiver: Perceiver,
        *,
        parameters: Callable[[], PerceptionParameters],
        is_active: Callable[[], bool],
        publish: Callable[[Answer], None],
    ) -> None:
        self._node = node
        self._worker = worker
        self._perceiver = perceiver
        self._parameters = parameters
        self._is_active = is_active
        self._publish = publish
        self._pending: Future[None] | None = None
        # A steady clock: a simulated one may stand still.
        self._timer = node.create_timer(
            1 / parameters().follow_rate_hz,
            self._on_timer,
            callback_group=MutuallyExclusiveCallbackGroup(),
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )
        group = MutuallyExclusiveCallbackGroup()
        node.create_service(SetBool, "follow", self._on_follow, callback_group=group)

    def _on_timer(self) -> None:
        """Hand the worker a step, unless it has one or something better to do."""
        parameters = self._parameters()
        period_ns = round(1e9 / parameters.follow_rate_hz)
        if self._timer.timer_period_ns != period_ns:
            self._timer.timer_period_ns = period_ns
        if self._worker.busy or (self._pending is not None and not self._pending.done()):
            return
        if parameters.follow and self._is_active():
            self._pending = self._worker.run(self._step)
            self._pending.add_done_callback(self._log)
        elif self._perceiver.is_following:
            self._pending = self._worker.run(self._perceiver.stop_following)

    def _step(self) -> None:
        if self._preempted():  # again: a transition may have come since this was handed in
            return
        answer = self._perceiver.follow(self._parameters(), self._preempted)
        if answer is not None:
            self._publish(answer)

    def _preempted(self) -> bool:
        """Whether following should make way: for an instruction, `clear`, a transition, its end."""
        wanted = self._is_active() and self._parameters().follow
        return not wanted or self._worker.is_wanted

    def _on_follow(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        (result,) = self._node.set_parameters([Parameter("follow", value=bool(request.data))])
        response.success = result.successful
        response.message = result.reason or (_ON if request.data else _OFF)
        return response

    def _log(self, step: Future[None]) -> None:
        if not step.cancelled() and step.exception() is not None:
            self._node.get_logger().error(f"following failed: {step.exception()!r}")
