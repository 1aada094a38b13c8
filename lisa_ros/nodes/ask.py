"""The client behind `lisa ask`: one sentence to a running perception node, its answer printed.

The exit code is 0 if and only if the status is FOUND; 10 + the status's number for any other answer
(12 NOT_FOUND, 13 NO_DEPTH, ...); 1 if there was no answer. Ctrl-C cancels.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any

import rclpy
from rclpy.action import ActionClient
from rclpy.exceptions import NameValidationException
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from lisa_ros.action import Reason
from lisa_ros.msg import Perception, Target
from lisa_ros.types import Status

_NO_ANSWER = 1
_OTHER_STATUS = 10
_CANCEL_TIMEOUT_S = 10.0


class NoAnswerError(Exception):
    """There will be no answer; says what was waited for, and what to do."""


class AskClient(Node):
    """Asks one perception node by its action `reason`; use it from one thread."""

    def __init__(self, namespace: str) -> None:
        super().__init__("lisa_ask", namespace=namespace, start_parameter_services=False)
        self._action = ActionClient(self, Reason, "reason")
        self._told = ""
        self._interrupted = False

    def interrupt(self, *_: object) -> None:
        """Interrupt `ask` between two looks at the graph; a handler of SIGINT.

        Python's own would raise wherever the client happens to be, in a callback of rclpy too,
        where an exception can get lost.
        """
        self._interrupted = True

    def ask(self, goal: Reason.Goal, wait_s: float) -> Perception:
        """Send a goal and wait for its answer; an interrupt cancels it.

        wait_s: for the node to be there; the answer itself may take as long as the goal allows.
        Raises NoAnswerError, and KeyboardInterrupt for an interrupt while there is nothing to
        cancel or while the cancel is waited for.
        """
        self._wait_for_node(wait_s)
        sent = self._action.send_goal_async(goal, self._on_feedback)
        try:
            return self._answer(sent, None)
        except KeyboardInterrupt:
            # A goal that is still on its way cannot be canceled; it would go on unattended.
            handle = self._wait(sent, _CANCEL_TIMEOUT_S)
            self._wait(handle.cancel_goal_async(), _CANCEL_TIMEOUT_S)
            return self._answer(sent, _CANCEL_TIMEOUT_S)

    def _answer(self, sent: Any, timeout_s: float | None) -> Perception:
        handle = self._wait(sent, timeout_s)
        if not handle.accepted:
            raise NoAnswerError("The node refused the goal without an answer; look at its log.")
        return self._wait(handle.get_result_async(), timeout_s).result.perception

    def _wait_for_node(self, wait_s: float) -> None:
        deadline_s = time.monotonic() + wait_s
        while not self._action.server_is_ready():
            if time.monotonic() > deadline_s:
                raise NoAnswerError(
                    f"No perception node takes goals on {self.get_namespace().rstrip('/')}/reason "
                    f"(waited {wait_s:g} s). Start one, or see `lisa doctor`."
                )
            self._spin()

    def _wait(self, future: Any, timeout_s: float | None) -> Any:
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        while not future.done():
            if deadline_s is not None and time.monotonic() > deadline_s:
                raise NoAnswerError("The node does not answer to the cancel; see `lisa doctor`.")
            if not self._action.server_is_ready():
                raise NoAnswerError("The perception node has gone; look at its log.")
            self._spin()
        return future.result()

    def _spin(self) -> None:
        if self._interrupted:
            self._interrupted = False
            raise KeyboardInterrupt
        rclpy.spin_once(self, timeout_sec=0.05)

    def _on_feedback(self, message: Any) -> None:
        feedback = message.feedback
        told = feedback.partial_text or f"{feedback.stage} ..."
        if told != self._told:
            self._told = told
            print(f"  {told}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask and print; return the exit code."""
    options = _parse(arguments)
    goal = Reason.Goal(
        instruction=_text(options.sentence),
        policy=options.policy,
        timeout_s=options.timeout,
        session=_text(options.session),
        refine=_text(options.refine),
    )
    # rclpy's handlers would end the context at Ctrl-C, and the goal could not be canceled any more.
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    client: AskClient | None = None
    try:
        client = AskClient(options.namespace)
        signal.signal(signal.SIGINT, client.interrupt)
        answer = client.ask(goal, options.wait)
    except (NoAnswerError, NameValidationException) as error:
        print(error, file=sys.stderr)
        return _NO_ANSWER
    except KeyboardInterrupt:
        return _NO_ANSWER
    finally:
        if client is not None:
            client.destroy_node()
        rclpy.try_shutdown()
    print(json.dumps(summary(answer)) if options.json else told(answer))
    return exit_code(answer.status)


def _text(argument: str) -> str:
    """Return it as a ROS string can hold it; a shell may hand over bytes that are no UTF-8."""
    return os.fsencode(argument).decode("utf-8", errors="replace")


def exit_code(status: int) -> int:
    """Return 0 for FOUND, else 10 + the status."""
    return 0 if status == Status.FOUND else _OTHER_STATUS + int(status)


def told(answer: Perception) -> str:
    """Return an answer in words, for people."""
    lines = [f"{_status_name(answer.status)}: {answer.reason}"]
    if answer.response:
        lines.append(f"  it said     {answer.response}")
    lines += [f"  target {target.id:<4} {_place(target, answer)}" for target in answer.targets]
    if answer.has_confidence:
        lines.append(
            f"  confidence  {answer.confidence:.2f}: the share of such answers that is right"
        )
    if answer.targets and not answer.calibrated:
        lines.append("  uncalibrated: nobody has measured how often such an answer is wrong")
    if answer.targets and answer.demo_model:
        lines.append("  by a demonstration model, which is not fit for a robot")
    return "\n".join(lines)


def summary(answer: Perception) -> dict[str, Any]:
    """Return what a script needs of an answer, for JSON. Positions are in metres in `frame_id`."""
    return {
        "instruction_id": int(answer.instruction_id),
        "status": _status_name(answer.status),
        "reason": answer.reason,
        "error_code": int(answer.error_code),
        "response": answer.response,
        "frame_id": answer.header.frame_id,
        "stamp_ns": answer.header.stamp.sec * 1_000_000_000 + answer.header.stamp.nanosec,
        "seg_probability": float(answer.seg_probability),
        "calibrated": bool(answer.calibrated),
        "confidence": float(answer.confidence) if answer.has_confidence else None,
        "demo_model": bool(answer.demo_model),
        "targets": [_target_summary(target) for target in answer.targets],
    }


def _target_summary(target: Target) -> dict[str, Any]:
    position = target.position
    place = [position.x, position.y, position.z] if target.has_position else None
    return {
        "id": int(target.id),
        "label": target.label,
        "score": float(target.score),
        "mask_px": int(target.mask_px),
        "position_m": place,
    }


def _place(target: Target, answer: Perception) -> str:
    label = f" {target.label!r}" if target.label else ""
    if not target.has_position:
        return f"no position, {target.mask_px} px{label}"
    x, y, z = target.position.x, target.position.y, target.position.z
    frame_id = answer.header.frame_id
    return f"x {x:+.3f}  y {y:+.3f}  z {z:+.3f} m in {frame_id}, {target.mask_px} px{label}"


def _status_name(status: int) -> str:
    known = {each.value for each in Status}
    return Status(status).name if status in known else f"unknown status {status}"


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="lisa ask", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sentence", help="what is wanted, in natural language")
    parser.add_argument("--namespace", default="/lisa", help="of the node (default /lisa)")
    parser.add_argument("--timeout", type=float, default=0.0, help="for the answer, s; 0: no limit")
    parser.add_argument("--wait", type=float, default=10.0, help="for the node, s (default 10)")
    parser.add_argument(
        "--policy",
        default="",
        choices=("", "replace", "queue", "reject"),
        help="what it does to a running instruction (default: as the node's parameter says)",
    )
    parser.add_argument("--session", default="", help="conversation whose earlier turns count")
    parser.add_argument("--refine", default="", help="asked again about a close-up of the first")
    parser.add_argument("--json", action="store_true", help="one line of JSON instead of words")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
