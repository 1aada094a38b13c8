"""Publishes /diagnostics once a second, from what the parts of the node know of themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType

from lisa_ros.nodes.answers import Answer
from lisa_ros.nodes.device_memory import memory_facts
from lisa_ros.nodes.diagnostics import NodeState, Phase, diagnostics_message
from lisa_ros.nodes.node_watch import NodeWatch
from lisa_ros.nodes.parameters import PerceptionParameters
from lisa_ros.nodes.perceiver import Perceiver
from lisa_ros.nodes.sample_saver import SaverState
from lisa_ros.nodes.worker import ModelWorker

_PERIOD_S = 1.0


class DiagnosticsDesk:
    """Asks the parts of a node for their state, publishes it, and logs what does not get better.

    parameters: their present values. lifecycle: phase and problem. subscriptions: those to the
    camera. last_answer: None before the first. samples: what was stored.
    """

    def __init__(
        self,
        node: Any,
        worker: ModelWorker,
        perceiver: Perceiver,
        watch: NodeWatch,
        *,
        parameters: Callable[[], PerceptionParameters],
        lifecycle: Callable[[], tuple[Phase, str]],
        subscriptions: Callable[[], Sequence[Any]],
        last_answer: Callable[[], Answer | None],
        samples: Callable[[], SaverState],
    ) -> None:
        self._node = node
        self._worker = worker
        self._perceiver = perceiver
        self._watch = watch
        self._parameters = parameters
        self._lifecycle = lifecycle
        self._subscriptions = subscriptions
        self._last_answer = last_answer
        self._samples = samples
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        node.create_timer(
            _PERIOD_S,
            self._publish,
            callback_group=MutuallyExclusiveCallbackGroup(),
            clock=Clock(clock_type=ClockType.STEADY_TIME),  # a simulated one may stand still
        )

    def _publish(self) -> None:
        if not self._node.context.ok():
            return
        now = self._node.get_clock().now().to_msg()
        message = diagnostics_message(self._node.get_fully_qualified_name(), self._state(), now)
        self._publisher.publish(message)
        self._watch.warn_of(message)

    def _state(self) -> NodeState:
        parameters = self._parameters()
        phase, problem = self._lifecycle()
        camera = self._perceiver.camera  # read once: freeing takes it away on its thread
        if camera is not None and phase is Phase.ACTIVE:
            camera.try_again()
        inputs = {} if camera is None else camera.states()
        return NodeState(
            phase=phase,
            phase_for_s=self._watch.phase_for_s(phase),
            problem=problem,
            loading=self._perceiver.loading_progress(),
            model=parameters.model,
            device=parameters.device,
            busy=self._worker.busy,
            last_answer=self._last_answer(),
            inputs=inputs,
            links=self._watch.links(inputs, self._subscriptions()),
            answers=self._watch.answers.statistics(),
            memory=memory_facts(),
            target_frame=parameters.target_frame,
            samples=self._samples() if parameters.samples_dir else None,
            frame_age_s=None if camera is None else camera.frame_age_s(),
            time_jumps=0 if camera is None else camera.time_jumps(),
            max_frame_age_s=parameters.max_frame_age_s,
        )
