"""The node `perception`: a sentence and a camera in, masks and 3D targets out.

A managed node. Configuring loads the model on the worker's thread, activating connects the camera.
Callbacks only file messages and hand requests to the worker, which answers them one at a time
(answering.py has that path from top to bottom).
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from concurrent import futures
from contextlib import suppress
from functools import partial
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from lisa_ros.errors import ConfigurationError, LisaError
from lisa_ros.nodes.answers import Answer, Request, unanswered
from lisa_ros.nodes.camera_topics import subscribe
from lisa_ros.nodes.depth_transforms import DepthTransforms
from lisa_ros.nodes.diagnostics import Phase, why_not_active
from lisa_ros.nodes.diagnostics_desk import DiagnosticsDesk
from lisa_ros.nodes.follower import Follower
from lisa_ros.nodes.instruction_desk import InstructionDesk
from lisa_ros.nodes.node_parameters import NodeParameters
from lisa_ros.nodes.node_watch import NodeWatch
from lisa_ros.nodes.parameter_rules import conflict
from lisa_ros.nodes.parameters import PerceptionParameters
from lisa_ros.nodes.perceiver import Perceiver
from lisa_ros.nodes.process import run_node
from lisa_ros.nodes.sample_desk import SampleDesk
from lisa_ros.nodes.segmenters import LoadModel, load_model
from lisa_ros.nodes.transforms import OnDemand, listen
from lisa_ros.nodes.worker import ModelWorker
from lisa_ros.types import Status

_MODEL_MISSING = (
    "No model is given. Set the parameter `model` to a LISA checkpoint: a directory, a hub id such "
    "as xinlai/LISA-7B-v1, or lisa-tiny, the small demonstration model that comes with this "
    "package. The README lists weights and their licences."
)
# Of the 5 s that ros2 launch gives a node between SIGINT and SIGTERM.
_CLOSE_TIMEOUT_S = 3.0
_STOP_TIMEOUT_S = 10.0
# Transitions and parameters, requests, camera, diagnostics, samples: none waits for another.
_EXECUTOR_THREADS = 5

_SUCCESS, _FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class PerceptionNode(LifecycleNode):
    """The node; see the module. load: how configuring gets the backend (tests pass their own)."""

    def __init__(self, load: LoadModel = load_model) -> None:
        super().__init__("perception", namespace="lisa")
        self._transforms = OnDemand(lambda: listen(self))
        self._perceiver = Perceiver(
            load,
            resolve=self.resolve_topic_name,
            now_ns=self._now_ns,
            transforms=self._transforms,
            find_transform=DepthTransforms(self._transforms.open).find,
        )
        self._phase = Phase.UNCONFIGURED
        self._problem = ""
        self._camera_subscriptions: list[Any] = []
        self._parameter_values = NodeParameters(
            self, is_configured=lambda: self._phase is not Phase.UNCONFIGURED
        )
        self._watch = NodeWatch(self)
        self._worker = ModelWorker(self._answer)
        self._desk = InstructionDesk(
            self,
            self._worker,
            idle_reason=self._idle_reason,
            parameters=self._parameter_values.now,
            model=lambda: self._perceiver.facts,
            forget=self._perceiver.forget,
            on_published=self._on_published,
        )
        self._follower = Follower(
            self,
            self._worker,
            self._perceiver,
            parameters=self._parameter_values.now,
            is_active=lambda: self._phase is Phase.ACTIVE,
            publish=self._desk.publish,
        )
        self._samples = SampleDesk(
            self,
            parameters=self._parameter_values.now,
            last_answer=lambda: self._desk.last_answer,
            model=lambda: self._perceiver.facts.name,
            transforms=self._transforms,
        )
        DiagnosticsDesk(
            self,
            self._worker,
            self._perceiver,
            self._watch,
            parameters=self._parameter_values.now,
            lifecycle=lambda: (self._phase, self._problem),
            subscriptions=lambda: self._camera_subscriptions,
            last_answer=lambda: self._desk.last_answer,
            samples=lambda: self._samples.state,
        )
        if self._parameter_values.now().autostart:
            # In a group of its own: it lasts as long as the model loads, and the services of
            # lifecycle and parameters, which are in the default group, must answer meanwhile.
            group = MutuallyExclusiveCallbackGroup()
            self._autostart_timer = self.create_timer(
                0.01,
                self._autostart,
                callback_group=group,
                clock=Clock(clock_type=ClockType.STEADY_TIME),  # a simulated one may stand still
            )

    def close(self) -> bool:
        """Stop all work; return False when the model's thread is stuck in a library's call."""
        stopped = self._worker.close(_CLOSE_TIMEOUT_S)
        return self._samples.close() and stopped

    # Lifecycle. A transition that fails leaves the node alive, with the reason logged.

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model on the worker's thread; diagnostics and answers go on meanwhile."""
        self._phase = Phase.LOADING  # from here on, what loading depends on cannot be set
        parameters = self._parameter_values.now()
        if not parameters.model:
            return self._refuse_to_configure(_MODEL_MISSING)
        self.get_logger().info(f"loading {parameters.model} ...")
        started_s = time.monotonic()
        problem = self._loading_problem(parameters)
        if problem:
            return self._refuse_to_configure(problem)
        self.get_logger().info(f"{parameters.model} loaded in {time.monotonic() - started_s:.1f} s")
        self._phase, self._problem = Phase.INACTIVE, ""
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Connect the camera and start to answer."""
        camera = self._perceiver.camera
        assert camera is not None
        group = MutuallyExclusiveCallbackGroup()
        try:
            self._camera_subscriptions = subscribe(
                self,
                camera,
                self._perceiver.topics(self._parameter_values.now()),
                callback_group=group,
                event_callbacks=self._watch.event_callbacks,
            )
        except ConfigurationError as error:
            self._problem = str(error)
            self.get_logger().error(f"stays inactive: {error}")
            return _FAILURE
        self._problem = ""
        result = super().on_activate(state)
        self._phase = Phase.ACTIVE
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Cancel what runs and let go of the camera; the model stays loaded."""
        self._phase = Phase.INACTIVE
        self._disconnect("The node was deactivated.")
        # What was canceled is answered while the publishers can still take away what they showed,
        # unless a call into the model that cannot be interrupted takes too long.
        with suppress(futures.CancelledError, TimeoutError):
            self._worker.run(lambda: None).result(_STOP_TIMEOUT_S)
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the model and what it holds on the device."""
        self._unload()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything, from whatever state, for good."""
        self._unload()
        self._phase = Phase.FINALIZED
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything, so that the node can be configured again."""
        self._unload()
        return super().on_error(state)

    def _autostart(self) -> None:
        self._autostart_timer.cancel()
        if self.trigger_configure() == _SUCCESS:
            self.trigger_activate()

    def _refuse_to_configure(self, problem: str) -> TransitionCallbackReturn:
        self._phase, self._problem = Phase.UNCONFIGURED, problem
        if self.context.ok():  # else the process ends, and there is nothing to be done about it
            self.get_logger().error(f"stays unconfigured: {problem}")
        return _FAILURE

    def _loading_problem(self, parameters: PerceptionParameters) -> str:
        """Load the model on the worker's thread; return why that failed, empty if it did not."""
        problem = conflict(parameters)  # says now what cannot work later
        if problem:
            return problem
        try:
            self._wait_for(self._worker.run(partial(self._perceiver.load, parameters)))
        except LisaError as error:
            problem = str(error)
        except Exception as error:  # rclpy would swallow it without a word
            self.get_logger().error(traceback.format_exc())
            problem = f"Unexpected {type(error).__name__}: {error}"
        else:
            return ""
        # Only now: until here the error held on to what had been loaded.
        self._worker.run(self._perceiver.free)
        return problem

    def _unload(self) -> None:
        self._phase, self._problem = Phase.UNCONFIGURED, ""
        self._disconnect("The node was shut down.")
        self._wait_for(self._worker.run(self._perceiver.free))
        self._desk.last_answer = None

    def _disconnect(self, reason: str) -> None:
        self._worker.stop_requests(reason)
        for subscription in self._camera_subscriptions:
            self.destroy_subscription(subscription)
        self._camera_subscriptions = []

    def _wait_for(self, future: futures.Future[None]) -> None:
        """Wait for the worker, but not beyond the end of the process."""
        # Not the answer of `wait`: it never counts a canceled future as done.
        while not future.done() and self.context.ok():
            futures.wait([future], timeout=0.1)
        if future.cancelled() or not future.done():
            raise ConfigurationError("the process ends while the model is loaded or freed")
        future.result()

    # Answers.

    def _answer(self, request: Request) -> Answer:
        """Answer one request; runs on the worker's thread."""
        idle = self._idle_reason()  # again: a transition may have come since it was accepted
        if idle:
            return unanswered(request, Status.REJECTED, idle)
        return self._perceiver.answer(request, self._parameter_values.now())

    def _on_published(self, answer: Answer) -> None:
        self._watch.answers.add(answer)
        self._samples.consider(answer)

    def _now_ns(self) -> int:
        return int(self.get_clock().now().nanoseconds)

    def _idle_reason(self) -> str:
        phase = self._phase  # read once: transitions change it on another thread
        return "" if phase is Phase.ACTIVE else why_not_active(phase, self._problem)


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM; return the exit code."""
    return run_node(PerceptionNode, _EXECUTOR_THREADS, args)


if __name__ == "__main__":
    raise SystemExit(main())
