"""What /diagnostics says once a second: the node, its model, its inputs, why nothing comes out."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Header

from lisa_ros.nodes.answers import Answer
from lisa_ros.nodes.frames import StreamState


class Phase(enum.Enum):
    """Where the node is in its life, with what a person should know about it."""

    UNCONFIGURED = "unconfigured"
    LOADING = "loading the model"
    INACTIVE = "inactive"
    ACTIVE = "active"
    FINALIZED = "finalized"


@dataclass(frozen=True)
class NodeState:
    """A snapshot of the node.

    problem: why configuring failed, empty if it did not. frame_age_s: of the newest synchronised
    set of messages, None without one.
    """

    phase: Phase
    problem: str
    model: str
    device: str
    busy: bool
    last_answer: Answer | None
    inputs: Mapping[str, StreamState]
    frame_age_s: float | None
    time_jumps: int
    max_frame_age_s: float


def why_not_active(phase: Phase, problem: str) -> str:
    """Return the sentence for an instruction that comes while the node cannot answer."""
    hint = {
        Phase.UNCONFIGURED: "Run the lifecycle transitions configure and activate.",
        Phase.LOADING: "Try again when the model is loaded.",
        Phase.INACTIVE: "Run the lifecycle transition activate.",
        Phase.FINALIZED: "Start it anew.",
    }[phase]
    return f"The node is {phase.value}. {problem or hint}"


def diagnostics_message(name: str, state: NodeState, stamp: Time) -> DiagnosticArray:
    """Return the node's diagnostics. name: fully qualified name of the node."""
    statuses = [_node_status(name, state)]
    if state.phase is Phase.ACTIVE:
        statuses.append(_camera_status(name, state))
    return DiagnosticArray(header=Header(stamp=stamp), status=statuses)


def _node_status(name: str, state: NodeState) -> DiagnosticStatus:
    if state.phase is Phase.ACTIVE:
        level, message = (
            DiagnosticStatus.OK,
            "answering" if state.busy else "waiting for an instruction",
        )
    elif state.problem:
        level, message = DiagnosticStatus.ERROR, why_not_active(state.phase, state.problem)
    else:
        level, message = DiagnosticStatus.WARN, why_not_active(state.phase, "")
    values = {"state": state.phase.value, "model": state.model, "device": state.device}
    if state.last_answer is not None:
        last = state.last_answer
        values |= {
            "last instruction": last.instruction,
            "last status": f"{last.status.name}: {last.reason}",
        }
        values |= {f"last {stage} [ms]": f"{ms:.1f}" for stage, ms in last.timings_ms.items()}
    return _status(level, f"{name}: node", message, values)


def _camera_status(name: str, state: NodeState) -> DiagnosticStatus:
    problems = _input_problems(state)
    values = {"time jumps": str(state.time_jumps), "frame age [s]": _age(state.frame_age_s)}
    for stream, seen in state.inputs.items():
        values |= {
            f"{stream} topic": seen.topic,
            f"{stream} received": str(seen.received),
            f"{stream} unmatched": str(seen.unmatched),
            f"{stream} age [s]": _age(seen.age_s),
        }
    level = DiagnosticStatus.WARN if problems else DiagnosticStatus.OK
    return _status(level, f"{name}: camera", "; ".join(problems) or "frames arrive", values)


def _input_problems(state: NodeState) -> list[str]:
    """Return what keeps a fresh frame from coming together, as `frames.Camera` will see it."""
    single = [
        f"no {stream} on {seen.topic}"
        if seen.age_s is None
        else f"{stream} on {seen.topic} is {seen.age_s:.1f} s old"
        for stream, seen in state.inputs.items()
        if seen.age_s is None or abs(seen.age_s) > state.max_frame_age_s
    ]
    if single:
        return single
    apart = "image, depth and camera_info arrive, but no three stamps match (sync_slop_s)"
    if state.frame_age_s is None:
        return [apart]
    if abs(state.frame_age_s) > state.max_frame_age_s:
        return [f"{apart}; the last that did are {state.frame_age_s:.1f} s old"]
    return []


def _age(age_s: float | None) -> str:
    return "never" if age_s is None else f"{age_s:.3f}"


def _status(level: bytes, name: str, message: str, values: Mapping[str, str]) -> DiagnosticStatus:
    return DiagnosticStatus(
        level=level,
        name=name,
        message=message,
        hardware_id="",
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )
