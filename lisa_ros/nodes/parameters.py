"""The parameters of the perception node, each declared once.

Default, type, unit, range, meaning and when it may change stand in one place. The dataclass is the
declaration and the snapshot that the node works with. Pure Python but for `declare`, which takes
the rclpy node it declares on.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from difflib import get_close_matches
from typing import Any

import numpy as np

from lisa_ros.errors import ConfigurationError, LisaError
from lisa_ros.geometry import make_transform
from lisa_ros.nodes.answers import Policy
from lisa_ros.nodes.sessions import MAX_NAME_LENGTH
from lisa_ros.types import Float64Array

# What a file says of a parameter that has no value: `null` in YAML, as `ros2 param dump` writes it,
# arrives as this text. It is also the way to take a value away again.
NOT_SET = "null"
_PREFIXES_OF_RCLPY = ("use_sim_time", "start_type_description_service", "qos_overrides.")


class Change(enum.Enum):
    """When a parameter may be set after the start."""

    ANY_TIME = "any time"
    UNCONFIGURED = "only while the node is unconfigured"
    AT_START = "only at the start"


def _parameter(
    default: Any,
    description: str,
    *,
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    change: Change = Change.UNCONFIGURED,
) -> Any:
    """Return a dataclass field that carries the declaration; a default of None means "not set"."""
    return field(
        default=default,
        metadata={
            "description": description,
            "unit": unit,
            "minimum": minimum,
            "maximum": maximum,
            "choices": choices,
            "change": change,
        },
    )


@dataclass(frozen=True)
class PerceptionParameters:
    """The values of the perception node's parameters at one moment."""

    model: str = _parameter(
        "", "Checkpoint that answers: a directory, a hub id, or the alias lisa-tiny. Empty: none."
    )
    device: str = _parameter(
        "auto", "Where the model runs: auto (a GPU if there is one), cpu, cuda, cuda:1, ..."
    )
    dtype: str = _parameter(
        "auto",
        "Number format of the weights; auto: bfloat16 on a GPU that has it, float32 on a CPU.",
        choices=("auto", "float32", "bfloat16", "float16"),
    )
    mode: str = _parameter(
        "prompted",
        "How an answer is made: prompted (supplied, one pass, fast) or generated (token by token).",
        choices=("prompted", "generated"),
        change=Change.ANY_TIME,
    )
    view: str = _parameter(
        "",
        "What the language model sees of a wide image: center (crops the sides) or letterbox. "
        "Empty: the checkpoint's own.",
        choices=("", "center", "letterbox"),
        change=Change.ANY_TIME,
    )
    prompt_template: str = _parameter(
        "",
        "Wraps each instruction; contains {instruction} once. Empty: the checkpoint's own.",
        change=Change.ANY_TIME,
    )
    conversation: str = _parameter(
        "",
        "Words round the exchange that the checkpoint was trained with; releases made from Llama 2 "
        "need llava_llama_2 and do not say so. Empty: the checkpoint's own, else llava_v1.",
        choices=("", "llava_v1", "llava_llama_2"),
        change=Change.ANY_TIME,
    )
    found_threshold: float | None = _parameter(
        None,
        "A prompted answer is NOT_FOUND when seg_probability is below this. Not set: the "
        "checkpoint's own.",
        unit="probability",
        minimum=0.0,
        maximum=1.0,
        change=Change.ANY_TIME,
    )
    policy: str = _parameter(
        "replace",
        "What a new instruction does to the one that runs: replace cancels it and all that wait, "
        "queue waits for its turn, reject refuses the new one. A goal may say otherwise.",
        choices=tuple(map(str, Policy)),
        change=Change.ANY_TIME,
    )
    queue_size: int = _parameter(
        8,
        "Most instructions that may wait under the policy queue; one more is refused.",
        minimum=1,
        maximum=1000,
        change=Change.ANY_TIME,
    )
    session: str = _parameter(
        "",
        "Conversation that instructions by topic belong to: earlier ones about the same view are "
        "remembered. Empty: each stands alone.",
        change=Change.ANY_TIME,
    )
    max_targets: int = _parameter(
        8, "Most targets in one answer, best first.", minimum=1, maximum=254, change=Change.ANY_TIME
    )
    answer_timeout_s: float = _parameter(
        60.0,
        "Time for an instruction that comes by topic; 0: no limit.",
        unit="s",
        minimum=0.0,
        maximum=3600.0,
        change=Change.ANY_TIME,
    )
    frame_wait_s: float = _parameter(
        2.0,
        "Longest wait for a fresh frame before the answer is STALE_INPUT.",
        unit="s",
        minimum=0.0,
        maximum=600.0,
        change=Change.ANY_TIME,
    )
    max_frame_age_s: float = _parameter(
        1.0,
        "A frame whose stamp is further than this from the node's clock is not used.",
        unit="s",
        minimum=0.01,
        maximum=3600.0,
        change=Change.ANY_TIME,
    )
    sync_slop_s: float = _parameter(
        0.02,
        "Largest difference between the stamps of image, depth and camera_info of one frame.",
        unit="s",
        minimum=0.0,
        maximum=1.0,
    )
    target_frame: str = _parameter(
        "",
        "Frame that targets are given in, by camera_to_target. Empty: the image's optical frame.",
        change=Change.ANY_TIME,
    )
    rectified: bool = _parameter(
        False,
        "Whether the colour image is rectified: then P of camera_info counts, else K and D do.",
    )
    camera_to_target: tuple[float, ...] | None = _parameter(
        None,
        "Fixed pose of the camera's optical frame in target_frame: x, y, z, qx, qy, qz, qw.",
        unit="m, unit quaternion",
        change=Change.ANY_TIME,
    )
    samples_dir: str = _parameter(
        "",
        "Folder of the lab dataset that save_sample stores answers in; it is made if it is not "
        "there. Empty: nothing is stored.",
        change=Change.ANY_TIME,
    )
    save_automatically: bool = _parameter(
        False,
        "Store NOT_FOUND answers, and those below save_below, without being asked.",
        change=Change.ANY_TIME,
    )
    save_below: float = _parameter(
        0.7,
        "A FOUND answer with a smaller seg_probability is one to store automatically.",
        unit="probability",
        minimum=0.0,
        maximum=1.0,
        change=Change.ANY_TIME,
    )
    save_interval_s: float = _parameter(
        10.0,
        "Shortest time between two samples that are stored automatically.",
        unit="s",
        minimum=0.0,
        maximum=86400.0,
        change=Change.ANY_TIME,
    )
    max_samples: int = _parameter(
        1000,
        "Nothing is stored automatically once samples_dir holds so many samples.",
        minimum=1,
        maximum=1_000_000,
        change=Change.ANY_TIME,
    )
    autostart: bool = _parameter(
        True,
        "Configure and activate at the start, without a lifecycle manager.",
        change=Change.AT_START,
    )


def specifications() -> dict[str, Field[Any]]:
    """Return the declaration of each parameter by name."""
    return {spec.name: spec for spec in fields(PerceptionParameters)}


def refusal(name: str, value: Any, *, configured: bool) -> str | None:
    """Return why this value cannot be set now, or None; types and ranges are rclpy's business."""
    spec = specifications().get(name)
    if spec is None:
        return None  # use_sim_time and the like belong to rclpy
    choices, change = spec.metadata["choices"], spec.metadata["change"]
    if change is Change.UNCONFIGURED and configured:
        return f"{name} can be set {change.value}: run the lifecycle transition cleanup first"
    if choices and value not in choices:
        return f"{name} is {value!r}; expected one of {', '.join(map(repr, choices))}"
    if name == "prompt_template" and value and value.count("{instruction}") != 1:
        return f"prompt_template {value!r} does not contain {{instruction}} exactly once"
    if name == "session" and len(value) > MAX_NAME_LENGTH:
        return f"session has {len(value)} characters; expected at most {MAX_NAME_LENGTH}"
    if spec.default is None and value not in (None, NOT_SET) and not _is_of_floats(value, spec):
        return f"{name} is {value!r}; expected {_FLOATS[str(spec.type)]}, or {NOT_SET} for none"
    if name == "camera_to_target" and value not in (None, NOT_SET) and len(value) != 7:
        return f"camera_to_target has {len(value)} numbers; expected 7: x, y, z, qx, qy, qz, qw"
    return None


def conflict(parameters: PerceptionParameters) -> str | None:
    """Return why these values cannot work together, or None."""
    try:
        camera_pose(parameters)
    except LisaError as error:
        return str(error)
    return None


def changed(parameters: PerceptionParameters, values: Mapping[str, Any]) -> PerceptionParameters:
    """Return the parameters with these values as rclpy has them; what is not ours is left out."""
    known = specifications()
    ours = {name: _plain(known[name], value) for name, value in values.items() if name in known}
    return replace(parameters, **ours)


def unknown(names: Iterable[str]) -> dict[str, str]:
    """Return the names that are no parameter of the node, each with a likely one or nothing.

    names: as given at the start. rclpy takes no notice of those that nobody declares.
    """
    known = specifications()
    strange = [
        name for name in names if name not in known and not name.startswith(_PREFIXES_OF_RCLPY)
    ]
    return {name: "".join(get_close_matches(name, known, n=1)) for name in strange}


def declare(node: Any) -> None:
    """Declare every parameter on a node; an override that cannot be is rclpy's exception."""
    from rcl_interfaces.msg import ParameterDescriptor

    for name, spec in specifications().items():
        node.declare_parameter(name, spec.default, ParameterDescriptor(**_descriptor(spec)))


def read(node: Any) -> PerceptionParameters:
    """Return the present values of a node's parameters."""
    return PerceptionParameters(
        **{
            name: _plain(spec, node.get_parameter(name).value)
            for name, spec in specifications().items()
        }
    )


def camera_pose(parameters: PerceptionParameters) -> Float64Array | None:
    """Return f64[4,4], camera optical frame → target_frame; None where no target_frame is set.

    Raises ConfigurationError or TransformError when the two parameters do not make a transform.
    """
    if not parameters.target_frame:
        return None
    if parameters.camera_to_target is None:
        raise ConfigurationError(
            f"target_frame is {parameters.target_frame!r}, but camera_to_target is not set; this "
            "version has no other source of transforms."
        )
    pose = np.array(parameters.camera_to_target, dtype=np.float64)
    if not np.isfinite(pose).all():
        raise ConfigurationError(f"camera_to_target is {pose.tolist()}; expected finite numbers.")
    return make_transform(pose[:3], pose[3:])


# What rclpy does not check, because these may also be "not set".
_FLOATS = {
    "float | None": "a floating-point number, such as 1.0",
    "tuple[float, ...] | None": "an array of floating-point numbers, such as 1.0",
}


def _is_of_floats(value: Any, spec: Field[Any]) -> bool:
    if spec.type == "float | None":
        return isinstance(value, float)
    return not isinstance(value, str | int | float) and all(isinstance(v, float) for v in value)


def _plain(spec: Field[Any], value: Any) -> Any:
    """Return a value of rclpy as the dataclass has it: arrays as tuples, None for none."""
    if value is None or (spec.default is None and value == NOT_SET):
        return None
    return value if isinstance(value, str | int | float) else tuple(value)


def _descriptor(spec: Field[Any]) -> dict[str, Any]:
    from rcl_interfaces.msg import FloatingPointRange, IntegerRange

    facts = spec.metadata
    unit = f" [{facts['unit']}]" if facts["unit"] else ""
    descriptor: dict[str, Any] = {
        "description": f"{facts['description']}{unit}",
        # With a fixed type rclpy answers a request for many parameters, as `ros2 param dump` makes
        # it, with none at all while one of them is not set.
        "dynamic_typing": spec.default is None,
        "read_only": facts["change"] is Change.AT_START,
        "additional_constraints": f"May change {facts['change'].value}."
        + (f" One of {', '.join(map(repr, facts['choices']))}." if facts["choices"] else ""),
    }
    if facts["minimum"] is not None and isinstance(spec.default, int):
        descriptor["integer_range"] = [
            IntegerRange(from_value=facts["minimum"], to_value=facts["maximum"], step=0)
        ]
    elif facts["minimum"] is not None:
        descriptor["floating_point_range"] = [
            FloatingPointRange(from_value=facts["minimum"], to_value=facts["maximum"], step=0.0)
        ]
    return descriptor
