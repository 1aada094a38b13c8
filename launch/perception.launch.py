"""Start the perception node and, with a preset, the camera that it looks through.

    ros2 launch lisa_ros perception.launch.py camera:=simulated
    ros2 launch lisa_ros perception.launch.py camera:=realsense model:=xinlai/LISA-7B-v1
    ros2 launch lisa_ros perception.launch.py camera:=zed camera_arguments:="camera_model:=zed2i"
    ros2 launch lisa_ros perception.launch.py camera:=realsense start_camera:=false
    ros2 launch lisa_ros perception.launch.py image:=/rgb depth:=/depth camera_info:=/info
    ros2 launch lisa_ros perception.launch.py image:=/rgb use_depth:=false

A preset is a file of config/cameras: its topics, parameters of the node (which win over those of
params_file), and how the driver is started.
"""

from pathlib import Path
from typing import Any

import yaml
from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from launch.actions import (
    DeclareLaunchArgument,
    GroupAction,
    IncludeLaunchDescription,
    OpaqueFunction,
    UnsetLaunchConfiguration,
)
from launch.launch_description_sources import AnyLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity

INPUTS = ("image", "depth", "camera_info", "depth_camera_info")


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "model",
                default_value="",
                description="Checkpoint that answers: a directory, a hub id, or lisa-tiny. Empty: "
                "lisa-tiny with the simulated camera, else what params_file says.",
            ),
            DeclareLaunchArgument(
                "params_file",
                default_value=[FindPackageShare("lisa_ros"), "/config/perception.yaml"],
                description="Parameters of the perception node, as YAML.",
            ),
            DeclareLaunchArgument(
                "namespace", default_value="lisa", description="Namespace of nodes and topics."
            ),
            DeclareLaunchArgument(
                "camera",
                default_value="none",
                choices=["none", "simulated", "realsense", "zed", "oak", "gazebo"],
                description="Camera whose topics are used and whose driver is started; none: a "
                "driver runs elsewhere, on the topics image, depth and camera_info.",
            ),
            DeclareLaunchArgument(
                "start_camera",
                default_value="true",
                choices=["true", "false"],
                description="Whether the camera's driver is started; false: it runs already.",
            ),
            DeclareLaunchArgument(
                "camera_arguments",
                default_value="",
                description="For the driver's launch file (name:=value ...), or parameters of the "
                "simulated camera (seed:=3).",
            ),
            DeclareLaunchArgument(
                "image",
                default_value="",
                description="Topic of the colour image. Empty: the camera's.",
            ),
            DeclareLaunchArgument(
                "depth",
                default_value="",
                description="Topic of the depth image, registered to the colour image. Empty: the "
                "camera's.",
            ),
            DeclareLaunchArgument(
                "camera_info",
                default_value="",
                description="Topic of the colour camera's calibration. Empty: the camera's.",
            ),
            DeclareLaunchArgument(
                "depth_camera_info",
                default_value="",
                description="Topic of the depth camera's calibration, where depth is not "
                "registered to the colour image. Empty: the camera's.",
            ),
            DeclareLaunchArgument(
                "image_transport",
                default_value="",
                choices=["", "raw", "compressed"],
                description="How images come: raw, or compressed (image/compressed and "
                "depth/compressedDepth). Empty: what preset and params_file say.",
            ),
            DeclareLaunchArgument(
                "use_depth",
                default_value="",
                choices=["", "true", "false"],
                description="Whether there is depth; false: masks without positions. Empty: what "
                "preset and params_file say.",
            ),
            DeclareLaunchArgument(
                "autostart",
                default_value="",
                choices=["", "true", "false"],
                description="Whether the node configures and activates itself; false: a lifecycle "
                "manager does. Empty: what params_file says.",
            ),
            DeclareLaunchArgument(
                "rviz",
                default_value="false",
                choices=["true", "false"],
                description="Whether RViz is started, with overlay, cloud and markers.",
            ),
            DeclareLaunchArgument(
                "log_level",
                default_value="info",
                choices=["debug", "info", "warn", "error", "fatal"],
                description="Least severity that is logged.",
            ),
            OpaqueFunction(function=_nodes),
        ]
    )


def _nodes(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    camera = _value(context, "camera")
    preset = _preset(camera)
    topics = {name: _value(context, name) or preset.get(name, name) for name in INPUTS}
    nodes: list[LaunchDescriptionEntity] = [_perception(context, camera, preset, topics)]
    if _value(context, "start_camera") == "true":
        arguments = _camera_arguments(_value(context, "camera_arguments"))
        if camera == "simulated":
            nodes.append(_simulated_camera(context, arguments, topics))
        elif camera != "none":
            nodes.append(_driver(camera, preset["driver"], arguments))
    if _value(context, "rviz") == "true":
        nodes.append(_rviz(context))
    return nodes


def _preset(camera: str) -> dict[str, Any]:
    if camera == "none":
        return {}
    folder = Path(__file__).resolve().parents[1] / "config" / "cameras"
    preset = yaml.safe_load((folder / f"{camera}.yaml").read_text(encoding="utf-8"))
    assert isinstance(preset, dict)
    return preset


def _camera_arguments(text: str) -> dict[str, str]:
    """The names and values of "name:=value name:=value"."""
    pairs = [word.partition(":=") for word in text.split()]
    for name, separator, value in pairs:
        if not (name and separator and value):
            raise ValueError(
                f"camera_arguments is {text!r}: {name + separator + value!r} is not name:=value"
            )
    return {name: value for name, _, value in pairs}


def _perception(
    context: LaunchContext, camera: str, preset: dict[str, Any], topics: dict[str, str]
) -> LifecycleNode:
    # What is not given must not hide what the file says.
    given: dict[str, Any] = dict(preset.get("parameters", {}))
    for switch in ("autostart", "use_depth"):
        if value := _value(context, switch):
            given[switch] = value == "true"
    if transport := _value(context, "image_transport"):
        given["image_transport"] = transport
    if model := _value(context, "model") or ("lisa-tiny" if camera == "simulated" else ""):
        given["model"] = ParameterValue(model, value_type=str)
    return LifecycleNode(
        package="lisa_ros",
        executable="perception",
        name="perception",
        namespace=_value(context, "namespace"),
        parameters=[_value(context, "params_file"), given],
        remappings=_remappings(topics),
        arguments=["--ros-args", "--log-level", _value(context, "log_level")],
        output="screen",
    )


def _remappings(topics: dict[str, str]) -> list[tuple[str, str]]:
    return [(name, topic) for name, topic in topics.items() if topic != name]


def _simulated_camera(
    context: LaunchContext, arguments: dict[str, str], topics: dict[str, str]
) -> Node:
    transport = _value(context, "image_transport")
    parameters = ({"image_transport": transport} if transport else {}) | arguments
    return Node(
        package="lisa_ros",
        executable="simulated_camera",
        name="simulated_camera",
        namespace=_value(context, "namespace"),
        parameters=[{name: yaml.safe_load(value) for name, value in parameters.items()}],
        remappings=_remappings(topics),
        arguments=["--ros-args", "--log-level", _value(context, "log_level")],
        output="screen",
    )


def _driver(
    camera: str, driver: dict[str, Any], arguments: dict[str, str]
) -> LaunchDescriptionEntity:
    try:
        share = get_package_share_directory(driver["package"])
    except PackageNotFoundError as error:
        debian = driver["package"].replace("_", "-")
        raise RuntimeError(
            f"camera:={camera} starts a driver of {driver['package']}, which is not installed. "
            f"Install it (sudo apt-get install ros-$ROS_DISTRO-{debian}, or from its source), or "
            "start the driver yourself and add start_camera:=false."
        ) from error
    if "launch" in driver:
        included = IncludeLaunchDescription(
            AnyLaunchDescriptionSource(str(Path(share) / "launch" / driver["launch"])),
            launch_arguments={**driver["arguments"], **arguments}.items(),
        )
        # Else it takes our namespace and params_file, which drivers have arguments for, too.
        ours = generate_launch_description().get_launch_arguments()
        unset = [UnsetLaunchConfiguration(argument.name) for argument in ours]
        return GroupAction([*unset, included])
    return Node(
        package=driver["package"],
        executable=driver["executable"],
        arguments=driver["arguments"],
        output="screen",
    )


def _rviz(context: LaunchContext) -> Node:
    namespace = _value(context, "namespace") or "lisa"  # what the node is in where none is given
    prefix = f"/{namespace.strip('/')}".rstrip("/")
    topics = ("overlay", "markers", "target_cloud", "target_pose", "mask")
    return Node(
        package="rviz2",
        executable="rviz2",
        arguments=["-d", str(Path(__file__).resolve().parents[1] / "config" / "perception.rviz")],
        remappings=[(f"/lisa/{name}", f"{prefix}/{name}") for name in topics],
        output="screen",
    )


def _value(context: LaunchContext, name: str) -> str:
    return LaunchConfiguration(name).perform(context)
