"""Where instructions come in and answers go out: topic, action and `clear` share one path.

Nothing here waits: an instruction is handed to the worker or refused at once with the reason, and
its answer is published when it comes, whoever gave it.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import String
from std_srvs.srv import Trigger

from lisa_ros.errors import ConfigurationError, EmptyInstructionError, InstructionTooLongError
from lisa_ros.inference.instruction import MAX_LENGTH
from lisa_ros.msg import Perception
from lisa_ros.nodes.answers import Answer, Policy, Request, StopSignal, quoted, unanswered
from lisa_ros.nodes.conversions import ModelFacts
from lisa_ros.nodes.parameters import PerceptionParameters
from lisa_ros.nodes.publishing import AnswerPublisher
from lisa_ros.nodes.reason_action import OnProgress, Order, ReasonServer
from lisa_ros.nodes.sessions import MAX_NAME_LENGTH
from lisa_ros.nodes.worker import ModelWorker
from lisa_ros.types import Status

_CLEARED = "Stopped and cleared."
_STOPPED = "Stopped by an empty instruction or `clear`."


class InstructionDesk:
    """Takes instructions for a worker and publishes what becomes of them.

    idle_reason: says why the node cannot answer now, empty when it can. parameters: their present
    values. model: what answers say about the checkpoint. forget: called on the worker's thread when
    all that is known is to be cleared. on_published: called with every answer that went out.
    """

    def __init__(
        self,
        node: LifecycleNode,
        worker: ModelWorker,
        *,
        idle_reason: Callable[[], str],
        parameters: Callable[[], PerceptionParameters],
        model: Callable[[], ModelFacts],
        forget: Callable[[], None],
        on_published: Callable[[Answer], None] = lambda answer: None,
    ) -> None:
        self._node = node
        self._worker = worker
        self._idle_reason = idle_reason
        self._parameters = parameters
        self._model = model
        self._forget = forget
        self._on_published = on_published
        self._publisher = AnswerPublisher(node)
        self._ids = itertools.count(1)
        # Answers come from the worker's threads and from callbacks; each goes out as a whole.
        self._publishing = threading.Lock()
        self.last_answer: Answer | None = None
        group = MutuallyExclusiveCallbackGroup()
        node.create_subscription(
            String, "instruction", self._on_instruction, 10, callback_group=group
        )
        node.create_service(Trigger, "clear", self._on_clear, callback_group=group)
        self._action = ReasonServer(node, self._accept, group)

    def publish(self, answer: Answer) -> None:
        """Publish an answer that nobody waits for: one about targets that are followed."""
        self._publish_answer(lambda perception: None, answer)

    def _on_instruction(self, message: String) -> None:
        if not message.data.strip():
            self._clear()
            return
        parameters = self._parameters()
        timeout_s = parameters.answer_timeout_s or None
        self._accept(Order(message.data, timeout_s, parameters.session))

    def _on_clear(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._clear()
        response.success, response.message = True, _CLEARED
        return response

    def _clear(self) -> None:
        self._worker.stop_requests(_STOPPED)
        request = self._request(Order(""), StopSignal())
        # On the worker's thread, so that what it stops is answered first.
        self._worker.run(partial(self._forget_and_answer, request))

    def _forget_and_answer(self, request: Request) -> None:
        self._forget()
        request.on_answer(unanswered(request, Status.CANCELED, _CLEARED))

    def _accept(
        self,
        order: Order,
        *,
        canceled: Callable[[], bool] = lambda: False,
        on_progress: OnProgress = lambda stage, text: None,
        on_answer: Callable[[Perception], None] = lambda perception: None,
    ) -> None:
        """Hand an instruction to the worker, or answer at once why it cannot be worked on."""
        refusal, code = self._refusal(order)
        if refusal:
            order = _shortened(order)
        stop_signal = StopSignal(order.timeout_s, canceled)
        request = self._request(order, stop_signal, on_progress, on_answer)
        if refusal:
            request.on_answer(unanswered(request, Status.REJECTED, refusal, code))
            return
        parameters = self._parameters()
        policy = order.policy or Policy(parameters.policy)
        self._worker.submit(request, policy, parameters.queue_size)

    def _refusal(self, order: Order) -> tuple[str, int]:
        if order.refusal:
            return order.refusal, ConfigurationError.code
        if not order.instruction.strip():
            return "The instruction is empty.", EmptyInstructionError.code
        longest = max(len(order.instruction), len(order.refine))
        if longest > MAX_LENGTH:  # at once: it would be repeated in every answer
            said = f"The instruction, or what to refine, has {longest} characters"
            return f"{said}; expected at most {MAX_LENGTH}.", InstructionTooLongError.code
        if len(order.session) > MAX_NAME_LENGTH:
            said = f"The session's name has {len(order.session)} characters"
            return f"{said}; expected at most {MAX_NAME_LENGTH}.", ConfigurationError.code
        return self._idle_reason(), 0

    def _request(
        self,
        order: Order,
        stop_signal: StopSignal,
        on_progress: OnProgress = lambda stage, text: None,
        then: Callable[[Perception], None] = lambda perception: None,
    ) -> Request:
        return Request(
            next(self._ids),
            order.instruction,
            stop_signal,
            on_progress,
            partial(self._publish_answer, then),
            order.session,
            order.refine,
        )

    def _publish_answer(self, then: Callable[[Perception], None], answer: Answer) -> None:
        if not self._node.context.ok():
            return  # the process ends: nothing goes out any more
        with self._publishing:
            self.last_answer = answer
            then(self._publisher.publish(answer, self._model()))
        self._on_published(answer)
        if answer.followed and answer.status is Status.FOUND:
            return  # several a second; the follower says what changes
        self._node.get_logger().info(
            f"{answer.status.name} for {quoted(answer.instruction)}: {answer.reason}"
        )


def _shortened(order: Order) -> Order:
    """Return an order that is refused as its answer repeats it."""
    return replace(
        order, instruction=order.instruction[:MAX_LENGTH], session=order.session[:MAX_NAME_LENGTH]
    )
