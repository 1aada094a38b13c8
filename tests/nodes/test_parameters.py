"""The parameters' declarations agree with the YAML file, the launch file and themselves."""

from __future__ import annotations

import re
from array import array
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from lisa_ros.errors import ConfigurationError, TransformError
from lisa_ros.nodes import transforms
from lisa_ros.nodes.parameter_declaration import Change
from lisa_ros.nodes.parameter_rules import camera_pose, changed, conflict, refusal, unknown
from lisa_ros.nodes.parameters import PerceptionParameters, specifications

REPOSITORY = Path(__file__).parents[2]
YAML = REPOSITORY / "config" / "perception.yaml"
IDENTITY = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)


def test_yaml_lists_every_parameter_with_its_default() -> None:
    listed = yaml.safe_load(YAML.read_text())["/**/perception"]["ros__parameters"]
    defaults = {name: spec.default for name, spec in specifications().items()}
    assert listed == {name: value for name, value in defaults.items() if value is not None}
    for name in set(defaults) - set(listed):
        assert re.search(rf"# {name}: ", YAML.read_text()), f"{name} is not mentioned"


def test_declarations_are_complete() -> None:
    for name, spec in specifications().items():
        facts = spec.metadata
        assert len(facts["description"]) > 20, name
        assert not facts["choices"] or spec.default in facts["choices"], name
        assert (facts["minimum"] is None) == (facts["maximum"] is None), name
        if facts["minimum"] is not None and spec.default is not None:
            assert facts["minimum"] <= spec.default <= facts["maximum"], name
        assert not name.endswith("_s") or facts["unit"] == "s", name


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("mode", "guess", "'prompted', 'generated'"),
        ("policy", "wait", "'replace', 'queue', 'reject'"),
        ("prompt_template", "no place", "{instruction}"),
        ("prompt_template", "{instruction} {instruction}", "exactly once"),
        ("session", "s" * 101, "at most 100"),
        ("camera_to_target", [1.0, 2.0], "expected 7"),
        ("view", "fisheye", "'center'"),
        ("conversation", "chat", "'llava_llama_2'"),
        ("found_threshold", 1, "such as 1.0"),
        ("found_threshold", "none", "or null for none"),
        ("camera_to_target", [0, 0, 0, 0, 0, 0, 1], "array of floating-point numbers"),
    ],
)
def test_values_that_cannot_be_are_refused_with_the_reason(
    name: str, value: object, words: str
) -> None:
    assert words in refusal(name, value, configured=False)


def test_null_of_a_dumped_file_means_not_set() -> None:
    """`ros2 param dump` writes it for what has no value, and loading gives it back as a text."""
    given = PerceptionParameters(found_threshold=0.5, camera_to_target=(0.0,) * 7)
    for name in ("found_threshold", "camera_to_target"):
        assert refusal(name, "null", configured=True) is None
        assert getattr(changed(given, {name: "null"}), name) is None


def test_values_of_rclpy_become_those_of_the_dataclass() -> None:
    pose = array("d", (0.0,) * 7)
    values = {"camera_to_target": pose, "mode": "generated", "use_sim_time": True}
    expected = PerceptionParameters(mode="generated", camera_to_target=tuple(pose))
    assert changed(PerceptionParameters(), values) == expected


def test_values_that_cannot_work_together_are_named() -> None:
    assert conflict(PerceptionParameters()) is None
    saving = PerceptionParameters(save_automatically=True)
    assert "samples_dir is empty" in conflict(saving)  # else nothing would be stored, unsaid
    assert conflict(replace(saving, samples_dir="~/samples")) is None


@pytest.mark.parametrize("is_installed", [False, True])
def test_target_frame_without_a_fixed_pose_needs_tf2(
    monkeypatch: pytest.MonkeyPatch, is_installed: bool
) -> None:
    monkeypatch.setattr(
        transforms.importlib.util, "find_spec", lambda name: object() if is_installed else None
    )
    reason = conflict(PerceptionParameters(target_frame="base"))
    assert (reason is None) == is_installed
    assert reason is None or ("tf2_ros" in reason and "camera_to_target" in reason)
    assert conflict(PerceptionParameters(target_frame="base", camera_to_target=IDENTITY)) is None


def test_unknown_names_come_with_a_likely_one() -> None:
    names = ["model", "found_treshold", "wheel_base", "use_sim_time", "qos_overrides./lisa/image"]
    assert unknown(names) == {"found_treshold": "found_threshold", "wheel_base": ""}


def test_what_belongs_to_the_loaded_model_waits_for_cleanup() -> None:
    for name, spec in specifications().items():
        reason = refusal(name, spec.default, configured=True)
        held = spec.metadata["change"] is Change.UNCONFIGURED
        assert (reason is not None) == held, name
    assert refusal("use_sim_time", True, configured=True) is None


def test_fixed_pose_of_the_camera() -> None:
    assert camera_pose(PerceptionParameters()) is None
    assert camera_pose(PerceptionParameters(camera_to_target=IDENTITY)) is None
    assert camera_pose(PerceptionParameters(target_frame="base")) is None
    pose = (1.0, 2.0, 3.0, 0.0, 0.0, 0.0, 1.0)
    given = PerceptionParameters(target_frame="base", camera_to_target=pose)
    np.testing.assert_allclose(camera_pose(given)[:3, 3], (1.0, 2.0, 3.0))
    for pose in ((0.0,) * 7, (float("nan"), *(0.0,) * 5, 1.0)):
        with pytest.raises((ConfigurationError, TransformError)):
            camera_pose(PerceptionParameters(target_frame="base", camera_to_target=pose))
