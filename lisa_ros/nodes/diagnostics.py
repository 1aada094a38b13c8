"""What /diagnostics says once a second: the node, its model, its inputs, why nothing comes out."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Header

from lisa_ros.nodes.answer_log import AnswerStatistics
from lisa_ros.nodes.answers import Answer, quoted
from lisa_ros.nodes.input_problems import InputLink, input_problems
from lisa_ros.nodes.sample_saver import SaverState
from lisa_ros.nodes.stream_states import StreamState

# How the name of the status of the camera ends.
CAMERA = ": camera"


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

    problem: why configuring failed, empty if it did not. phase_for_s: since it has been in `phase`.
    loading: how far that has got, in words; empty where nobody knows. frame_age_s: of the newest
    synchronised set of messages, None without one. links: by topic. memory: numbers by what they
    are. target_frame: empty for the camera's own. samples: None where none are stored.
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
    phase_for_s: float = 0.0
    loading: str = ""
    links: Mapping[str, InputLink] = field(default_factory=dict)
    answers: AnswerStatistics = field(default_factory=AnswerStatistics)
    memory: Mapping[str, str] = field(default_factory=dict)
    target_frame: str = ""
    samples: SaverState | None = None


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
    statuses += [_model_status(name, state), _answers_status(name, state.answers)]
    if state.target_frame:
        statuses.append(_transform_status(name, state))
    if state.samples is not None:
        statuses.append(_samples_status(name, state.samples))
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
        hint = f"Step: {state.loading}." if state.loading else ""
        level, message = DiagnosticStatus.WARN, why_not_active(state.phase, hint)
    values = {"state": state.phase.value, "model": state.model, "device": state.device}
    if state.last_answer is not None:
        last = state.last_answer
        values |= {
            "last instruction": quoted(last.instruction),
            "last status": f"{last.status.name}: {last.reason}",
        }
        values |= {f"last {stage} [ms]": f"{ms:.1f}" for stage, ms in last.timings_ms.items()}
    return _status(level, f"{name}: node", message, values)


def _model_status(name: str, state: NodeState) -> DiagnosticStatus:
    level = DiagnosticStatus.OK
    if state.phase is Phase.LOADING:
        level = DiagnosticStatus.WARN
        message = f"loading for {state.phase_for_s:.0f} s"
        message += f": {state.loading}" if state.loading else ""
    elif state.phase in (Phase.ACTIVE, Phase.INACTIVE):
        message = "loaded"
    elif state.problem:
        level, message = DiagnosticStatus.ERROR, state.problem
    else:
        message = "not loaded"
    values = {"model": state.model, "device": state.device, **state.memory}
    return _status(level, f"{name}: model", message, values)


def _camera_status(name: str, state: NodeState) -> DiagnosticStatus:
    problems = input_problems(
        state.inputs, state.links, state.frame_age_s, max_age_s=state.max_frame_age_s
    )
    values = {"time jumps": str(state.time_jumps), "frame age [s]": _shown(state.frame_age_s)}
    unheard = False
    for stream, seen in state.inputs.items():
        values |= _facts(stream, seen)
        link = state.links.get(seen.topic)
        if link is not None:
            values |= _link_facts(stream, link)
            unheard |= seen.required and seen.age_s is None and bool(link.publishers.unheard)
    level = DiagnosticStatus.WARN if problems else DiagnosticStatus.OK
    if unheard:
        level = DiagnosticStatus.ERROR  # it will not get better by itself
    return _status(level, f"{name}{CAMERA}", "; ".join(problems) or "frames arrive", values)


def _answers_status(name: str, answers: AnswerStatistics) -> DiagnosticStatus:
    total = sum(answers.by_status.values())
    values = {status: str(count) for status, count in answers.by_status.items()}
    for stage, spread in (("total", answers.total_ms), *answers.latency_ms.items()):
        if spread is not None:
            median, longest = spread
            values[f"{stage} [ms]"] = f"median {median:.1f}, longest {longest:.1f}"
    return _status(DiagnosticStatus.OK, f"{name}: answers", f"{total} answers", values)


def _transform_status(name: str, state: NodeState) -> DiagnosticStatus:
    problem = state.answers.transform_problem
    level = DiagnosticStatus.WARN if problem else DiagnosticStatus.OK
    message = problem or f"targets are given in {state.target_frame}"
    return _status(level, f"{name}: transform", message, {"target_frame": state.target_frame})


def _samples_status(name: str, samples: SaverState) -> DiagnosticStatus:
    level = DiagnosticStatus.WARN if samples.problem else DiagnosticStatus.OK
    values = {"stored": str(samples.stored), "failed": str(samples.failed)}
    message = samples.problem or f"{samples.stored} samples stored"
    return _status(level, f"{name}: samples", message, values)


def _link_facts(stream: str, link: InputLink) -> dict[str, str]:
    return {
        f"{stream} rate [Hz]": "" if link.rate_hz is None else f"{link.rate_hz:.1f}",
        f"{stream} lost on the way": "not reported" if link.lost is None else str(link.lost),
        f"{stream} QoS wanted": link.profile,
        f"{stream} publishers": ", ".join(link.publishers.names) or "none",
        f"{stream} publishers not heard": "; ".join(link.publishers.unheard) or "none",
    }


def _facts(stream: str, seen: Any) -> dict[str, str]:
    """Return every field of what a stream says about itself, with its unit in brackets."""
    return dict(_named_facts(stream, dataclasses.asdict(seen)))


def _named_facts(name: str, facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in facts.items():
        words, unit = str(key), ""
        for suffix, symbol in (("_s", "s"), ("_ms", "ms"), ("_ns", "ns")):
            if words.endswith(suffix):
                words, unit = words.removesuffix(suffix), f" [{symbol}]"
        label = f"{name} {words.replace('_', ' ')}{unit}"
        if isinstance(value, Mapping):
            yield from _named_facts(label, value)
        else:
            yield label, _shown(value)


def _shown(value: Any) -> str:
    if value is None:
        return "never"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _status(level: bytes, name: str, message: str, values: Mapping[str, str]) -> DiagnosticStatus:
    return DiagnosticStatus(
        level=level,
        name=name,
        message=message,
        hardware_id="",
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )
