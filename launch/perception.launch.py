"""Start the perception node, and a simulated camera where there is no real one.

    ros2 launch lisa_ros perception.launch.py camera:=simulated
    ros2 launch lisa_ros perception.launch.py model:=xinlai/LISA-7B-v1 \
        image:=/camera/color/image_raw depth:=/camera/aligned_depth_to_color/image_raw \
        camera_info:=/camera/color/camera_info
"""

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity

INPUTS = ("image", "depth", "camera_info")


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
                choices=["none", "simulated"],
                description="Camera to start: none (a driver runs elsewhere, on the topics below) "
                "or simulated (a procedural room).",
            ),
            DeclareLaunchArgument(
                "seed", default_value="1", description="Which room the simulated camera looks at."
            ),
            DeclareLaunchArgument(
                "image", default_value="image", description="Topic of the colour image."
            ),
            DeclareLaunchArgument(
                "depth",
                default_value="depth",
                description="Topic of the depth image, registered to the colour image.",
            ),
            DeclareLaunchArgument(
                "camera_info",
                default_value="camera_info",
                description="Topic of the colour camera's calibration.",
            ),
            DeclareLaunchArgument(
                "autostart",
                default_value="",
                choices=["", "true", "false"],
                description="Whether the node configures and activates itself; false: a lifecycle "
                "manager does. Empty: what params_file says.",
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
    simulated = _value(context, "camera") == "simulated"
    nodes: list[LaunchDescriptionEntity] = [_perception(context, simulated)]
    if simulated:
        nodes.append(_simulated_camera(context))
    return nodes


def _perception(context: LaunchContext, simulated: bool) -> LifecycleNode:
    # What is not given must not hide what the file says.
    parameters = {}
    if autostart := _value(context, "autostart"):
        parameters["autostart"] = autostart == "true"
    if model := _value(context, "model") or ("lisa-tiny" if simulated else ""):
        parameters["model"] = ParameterValue(model, value_type=str)
    return LifecycleNode(
        package="lisa_ros",
        executable="perception",
        name="perception",
        namespace=_value(context, "namespace"),
        parameters=[_value(context, "params_file"), parameters],
        remappings=[
            (name, _value(context, name)) for name in INPUTS if _value(context, name) != name
        ],
        arguments=["--ros-args", "--log-level", _value(context, "log_level")],
        output="screen",
    )


def _simulated_camera(context: LaunchContext) -> Node:
    return Node(
        package="lisa_ros",
        executable="simulated_camera",
        name="simulated_camera",
        namespace=_value(context, "namespace"),
        parameters=[{"seed": int(_value(context, "seed"))}],
        remappings=[
            (name, _value(context, name)) for name in INPUTS if _value(context, name) != name
        ],
        arguments=["--ros-args", "--log-level", _value(context, "log_level")],
        output="screen",
    )


def _value(context: LaunchContext, name: str) -> str:
    return LaunchConfiguration(name).perform(context)
