"""What a value of a parameter must fulfil beyond its type and range, alone and with the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import Field, replace
from difflib import get_close_matches
from typing import Any

import numpy as np

from lisa_ros.errors import ConfigurationError, LisaError
from lisa_ros.geometry import make_transform
from lisa_ros.nodes.parameter_declaration import Change
from lisa_ros.nodes.parameters import PerceptionParameters, specifications
from lisa_ros.nodes.sessions import MAX_NAME_LENGTH
from lisa_ros.nodes.transforms import FixedPose, TargetFrame, TransformSource, require_tf2
from lisa_ros.types import Float64Array

# What a file says of a parameter that has no value: `null` in YAML, as `ros2 param dump` writes it,
# arrives as this text. It is also the way to take a value away again.
NOT_SET = "null"
_POSES = ("camera_to_target", "depth_to_color")
_PREFIXES_OF_RCLPY = ("use_sim_time", "start_type_description_service", "qos_overrides.")


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
    if name in _POSES and value not in (None, NOT_SET) and len(value) != 7:
        return f"{name} has {len(value)} numbers; expected 7: x, y, z, qx, qy, qz, qw"
    return None


def conflict(parameters: PerceptionParameters) -> str | None:
    """Return why these values cannot work together, or None."""
    if parameters.save_automatically and not parameters.samples_dir:
        return "save_automatically is set, but samples_dir is empty: set it to the samples' folder"
    try:
        if parameters.target_frame and camera_pose(parameters) is None:
            require_tf2()
        depth_pose(parameters)
    except LisaError as error:
        return str(error)
    return None


def changed(parameters: PerceptionParameters, values: Mapping[str, Any]) -> PerceptionParameters:
    """Return the parameters with these values as rclpy has them; what is not ours is left out."""
    known = specifications()
    ours = {name: plain(known[name], value) for name, value in values.items() if name in known}
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


def camera_pose(parameters: PerceptionParameters) -> Float64Array | None:
    """Return f64[4,4], camera optical frame → target_frame; None where it is not fixed, or not set.

    Raises ConfigurationError or TransformError for numbers that make no transform.
    """
    if not parameters.target_frame or parameters.camera_to_target is None:
        return None
    return _transform("camera_to_target", parameters.camera_to_target)


def target_frame(
    parameters: PerceptionParameters, transforms: TransformSource
) -> TargetFrame | None:
    """Return where targets are wanted: by the fixed pose, else by `transforms`; None for nowhere.

    Raises as `camera_pose`.
    """
    if not parameters.target_frame:
        return None
    pose = camera_pose(parameters)
    source = transforms if pose is None else FixedPose(pose)
    return TargetFrame(parameters.target_frame, source, parameters.transform_wait_s)


def depth_pose(parameters: PerceptionParameters) -> Float64Array | None:
    """Return f64[4,4], depth camera's optical frame → colour camera's; None where it is not set.

    Raises ConfigurationError or TransformError for numbers that make no transform.
    """
    if parameters.depth_to_color is None:
        return None
    return _transform("depth_to_color", parameters.depth_to_color)


def _transform(name: str, values: tuple[float, ...]) -> Float64Array:
    pose = np.array(values, dtype=np.float64)
    if not np.isfinite(pose).all():
        raise ConfigurationError(f"{name} is {pose.tolist()}; expected finite numbers.")
    return make_transform(pose[:3], pose[3:])


def plain(spec: Field[Any], value: Any) -> Any:
    """Return a value of rclpy as the dataclass has it: arrays as tuples, None for none."""
    if value is None or (spec.default is None and value == NOT_SET):
        return None
    return value if isinstance(value, str | int | float) else tuple(value)


# What rclpy does not check, because these may also be "not set".
_FLOATS = {
    "float | None": "a floating-point number, such as 1.0",
    "tuple[float, ...] | None": "an array of floating-point numbers, such as 1.0",
}


def _is_of_floats(value: Any, spec: Field[Any]) -> bool:
    if spec.type == "float | None":
        return isinstance(value, float)
    return not isinstance(value, str | int | float) and all(isinstance(v, float) for v in value)
