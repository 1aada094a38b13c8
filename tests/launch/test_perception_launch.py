"""The launch file, its camera presets, and what RViz and Foxglove are told to show.

Where `launch` is not installed (it comes with ROS 2, not from PyPI) the file is read, not run.
"""

from __future__ import annotations

import ast
import builtins
import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from lisa_ros.nodes.parameters import PerceptionParameters, specifications

REPOSITORY = Path(__file__).parents[2]
LAUNCH = REPOSITORY / "launch" / "perception.launch.py"
CONFIG = REPOSITORY / "config"
PRESETS = sorted((CONFIG / "cameras").glob("*.yaml"))
INPUTS = {"image", "depth", "camera_info"}  # what every preset names
INPUT_ARGUMENTS = INPUTS | {"depth_camera_info"}
SWITCHES = {"autostart", "use_depth"}

needs_launch = pytest.mark.skipif(
    importlib.util.find_spec("launch_ros") is None, reason="launch is part of a ROS 2 installation"
)


def declarations() -> dict[str, dict[str, Any]]:
    """The keywords of each declared argument that are literals, without importing the file."""
    declared = {}
    for node in ast.walk(ast.parse(LAUNCH.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "DeclareLaunchArgument":
            assert isinstance(node.args[0], ast.Constant)
            declared[str(node.args[0].value)] = {
                str(keyword.arg): ast.literal_eval(keyword.value)
                for keyword in node.keywords
                if keyword.arg in ("description", "choices")
            }
    return declared


def preset(path: Path) -> dict[str, Any]:
    loaded = yaml.safe_load(path.read_text())
    assert isinstance(loaded, dict)
    return loaded


def test_arguments_are_few_described_and_used() -> None:
    declared = declarations()
    assert {"model", "params_file", "namespace", "camera", "autostart", "log_level"} <= set(
        declared
    )
    assert len(declared) <= 15
    assert all(facts["description"].endswith(".") for facts in declared.values())
    used = set(re.findall(r'_value\(context, "(\w+)"\)', LAUNCH.read_text()))
    assert used | INPUT_ARGUMENTS | SWITCHES == set(declared)


def test_every_preset_is_a_choice_and_every_choice_a_preset() -> None:
    assert {"none", *(path.stem for path in PRESETS)} == set(declarations()["camera"]["choices"])


def test_executables_exist() -> None:
    executables = set(re.findall(r'executable="(\w+)"', LAUNCH.read_text())) - {"rviz2"}
    assert executables == {"perception", "simulated_camera"}
    cmake = (REPOSITORY / "CMakeLists.txt").read_text()
    assert all(re.search(rf"\b{name}\b", cmake) for name in executables)


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_a_preset_names_topics_known_parameters_and_a_driver(path: Path) -> None:
    facts = preset(path)
    assert set(facts) >= INPUTS
    assert set(facts) <= INPUT_ARGUMENTS | {"parameters", "driver"}
    known = specifications()
    for name, value in facts.get("parameters", {}).items():
        if name != "use_sim_time":
            assert isinstance(value, type(getattr(PerceptionParameters(), name))), name
            assert name in known
    driver = facts.get("driver")
    assert (driver is None) == (path.stem == "simulated")
    if driver is not None:
        assert set(driver) in (
            {"package", "launch", "arguments"},
            {"package", "executable", "arguments"},
        )


def described(camera: str, **values: str) -> tuple[ModuleType, Any]:
    """The launch file as a module and a context with all arguments set."""
    from launch import LaunchContext

    spec = importlib.util.spec_from_file_location("perception_launch", LAUNCH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    defaults = dict.fromkeys(declarations(), "")
    defaults |= {"params_file": str(CONFIG / "perception.yaml"), "namespace": "lisa"}
    defaults |= {"start_camera": "true", "rviz": "false", "log_level": "info", "camera": camera}
    context = LaunchContext()
    context.launch_configurations.update(defaults | values)
    declared = module.generate_launch_description().get_launch_arguments()
    assert {argument.name for argument in declared} == set(defaults)
    return module, context


@needs_launch
@pytest.mark.parametrize(
    ("camera", "values", "count"),
    [
        ("none", {}, 1),
        ("simulated", {"camera_arguments": "seed:=3"}, 2),
        ("simulated", {"start_camera": "false"}, 1),
        ("realsense", {"start_camera": "false"}, 1),
        ("none", {"rviz": "true"}, 2),
    ],
)
def test_what_is_started(camera: str, values: dict[str, str], count: int) -> None:
    module, context = described(camera, **values)
    assert len(module._nodes(context)) == count


@needs_launch
@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_topics_of_the_preset_are_remapped_unless_others_are_given(path: Path) -> None:
    module, context = described(path.stem, start_camera="false", depth="/other/depth")
    (node,) = module._nodes(context)
    remapped = dict(
        ("".join(part.perform(context) for part in side) for side in pair)
        for pair in node._Node__remappings
    )
    expected = {name: preset(path)[name] for name in INPUTS} | {"depth": "/other/depth"}
    assert remapped == {name: topic for name, topic in expected.items() if topic != name}


@needs_launch
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {}),
        (
            {"use_depth": "false", "image_transport": "compressed"},
            {"use_depth": False, "image_transport": "compressed"},
        ),
        ({"autostart": "false"}, {"autostart": False}),
    ],
)
def test_what_is_given_becomes_a_parameter_and_nothing_else(
    values: dict[str, str], expected: dict[str, Any]
) -> None:
    from launch_ros.utilities import evaluate_parameters

    module, context = described("none", **values)
    (node,) = module._nodes(context)
    _, *dictionaries = evaluate_parameters(context, node._Node__parameters)
    assert {name: value for given in dictionaries for name, value in given.items()} == expected


@needs_launch
def test_a_driver_that_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    module, context = described("realsense")
    with pytest.raises(RuntimeError, match=r"realsense2_camera.*start_camera:=false"):
        module._nodes(context)


DRIVER = """
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction

def generate_launch_description():
    names = ("namespace", "params_file", "name")
    return LaunchDescription(
        [DeclareLaunchArgument(name, default_value="driver's") for name in names]
        + [OpaqueFunction(function=lambda context: SEEN.update(context.launch_configurations))]
    )
"""


@needs_launch
def test_a_driver_gets_its_own_arguments_and_none_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Drivers have a namespace and a params_file, too: with ours their topics lie elsewhere."""
    seen: dict[str, str] = {}
    monkeypatch.setitem(vars(builtins), "SEEN", seen)
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    share = tmp_path / "share"
    index = share / "ament_index" / "resource_index" / "packages" / "depthai_ros_driver"
    file = share / "depthai_ros_driver" / "launch" / "camera.launch.py"
    for path, text in ((index, ""), (file, DRIVER)):
        path.parent.mkdir(parents=True)
        path.write_text(text)
    module, context = described("oak")
    context.launch_configurations["global_params"] = "of whoever includes this file"
    ours = dict(context.launch_configurations)
    visit(module._nodes(context)[1], context)
    own = {"name": "oak", "namespace": "driver's", "params_file": "driver's"}
    assert seen == own | {"global_params": "of whoever includes this file"}
    assert context.launch_configurations == ours


@needs_launch
def test_the_simulated_camera_sends_what_the_node_listens_to() -> None:
    from launch_ros.utilities import evaluate_parameters

    module, context = described(
        "simulated", image_transport="compressed", camera_arguments="seed:=3"
    )
    for node in module._nodes(context):
        *_, parameters = evaluate_parameters(context, node._Node__parameters)
        assert parameters["image_transport"] == "compressed"
    assert parameters["seed"] == 3


@needs_launch
@pytest.mark.parametrize(
    ("namespace", "overlay"),
    [("robot1", "/robot1/overlay"), ("/a/b", "/a/b/overlay"), ("", None), ("/", "/overlay")],
)
def test_rviz_is_shown_the_topics_of_the_namespace(namespace: str, overlay: str | None) -> None:
    module, context = described("none", rviz="true", namespace=namespace)
    remapped = dict(
        ("".join(part.perform(context) for part in side) for side in pair)
        for pair in module._nodes(context)[1]._Node__remappings
    )
    assert remapped["/lisa/overlay"] == (overlay or "/lisa/overlay")


def visit(entity: Any, context: Any) -> None:
    """Do what launching an entity does, and what that results in."""
    for resulting in entity.visit(context) or []:
        visit(resulting, context)


@needs_launch
def test_camera_arguments_that_are_none_are_refused() -> None:
    module, context = described("simulated", camera_arguments="seed=3")
    with pytest.raises(ValueError, match="'seed=3' is not name:=value"):
        module._nodes(context)


def test_what_is_shown_are_topics_of_the_node() -> None:
    published = set(
        re.findall(r'"(\w+)"', (REPOSITORY / "lisa_ros/nodes/publishing.py").read_text())
    )
    rviz = set(re.findall(r"Value: /lisa/(\w+)", (CONFIG / "perception.rviz").read_text()))
    layout = json.loads((CONFIG / "foxglove.json").read_text())
    panels = set(re.findall(r'"(\w+!\w+)"', json.dumps(layout["layout"])))
    assert panels == set(layout["configById"])
    foxglove = set(re.findall(r"/lisa/(\w+)", json.dumps(layout))) - {"instruction"}
    assert rviz == {"overlay", "markers", "target_cloud", "target_pose"}
    assert rviz | foxglove <= published
    assert yaml.safe_load((CONFIG / "perception.rviz").read_text())["Visualization Manager"]
