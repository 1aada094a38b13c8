"""The topics a camera is listened to on: names, types, quality of service.

Names are as image_transport makes them: `compressed` adds `/compressed` to the topic that `image`
stands for after remapping, and `/compressedDepth` to that of `depth`. Quality of service is that of
sensor data, and can be overridden in ROS's own way, by parameters at the start:
`qos_overrides.<topic>.subscription.reliability` (also `history` and `depth`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from lisa_ros.errors import ConfigurationError
from lisa_ros.nodes.depth_alignment import DepthAligner, FindTransform
from lisa_ros.nodes.frame_decoding import (
    CAMERA_INFO,
    DEPTH,
    DEPTH_CAMERA_INFO,
    IMAGE,
    FrameDecoder,
)
from lisa_ros.nodes.frames import Camera
from lisa_ros.nodes.parameter_rules import depth_pose
from lisa_ros.nodes.parameters import PerceptionParameters

# Images to keep for a callback that is late; more would only be older.
_QOS_DEPTH = 5


@dataclass(frozen=True)
class CameraTopic:
    """One input: its full name on the wire and the type of its messages."""

    name: str
    message_type: type[Any]


def camera_topics(
    resolve: Callable[[str], str], *, use_depth: bool, image_transport: str
) -> dict[str, CameraTopic]:
    """Return the topics of a camera by stream.

    resolve: relative name → full name, remappings applied. use_depth: False for a camera of colour
    alone, which needs no camera_info either. image_transport: "raw" or "compressed".
    """
    compressed = image_transport == "compressed"
    image_type = CompressedImage if compressed else Image
    topics = {IMAGE: CameraTopic(resolve(IMAGE) + "/compressed" * compressed, image_type)}
    if use_depth:
        depth = resolve(DEPTH) + "/compressedDepth" * compressed
        topics[DEPTH] = CameraTopic(depth, image_type)
        topics |= {
            name: CameraTopic(resolve(name), CameraInfo)
            for name in (CAMERA_INFO, DEPTH_CAMERA_INFO)
        }
    return topics


def make_camera(
    parameters: PerceptionParameters,
    topics: Mapping[str, CameraTopic],
    *,
    now_ns: Callable[[], int],
    find_transform: FindTransform | None = None,
) -> Camera:
    """Return the camera that these parameters describe.

    now_ns: the node's clock. find_transform: where the depth camera's pose comes from if it is no
    parameter. Raises ConfigurationError or TransformError where depth_to_color is no pose.
    """
    aligner = DepthAligner(depth_to_color=depth_pose(parameters), find_transform=find_transform)
    return Camera(
        {stream: topic.name for stream, topic in topics.items()},
        FrameDecoder(rectified=parameters.rectified, aligner=aligner),
        sync_slop_s=parameters.sync_slop_s,
        sync_queue_size=parameters.sync_queue_size,
        now_ns=now_ns,
    )


def subscribe(
    node: Any,
    camera: Camera,
    topics: Mapping[str, CameraTopic],
    *,
    callback_group: Any,
    event_callbacks: Callable[[str], Any],
) -> list[Any]:
    """Return the subscriptions that file every message with the camera.

    event_callbacks: topic → what its subscription is created with, for the middleware's events.
    Raises ConfigurationError for an override of the quality of service that cannot be; none of the
    subscriptions is left then.
    """
    subscriptions: list[Any] = []
    for stream, topic in topics.items():
        try:
            subscriptions.append(
                node.create_subscription(
                    topic.message_type,
                    topic.name,
                    partial(camera.add, stream),
                    _profile(),
                    callback_group=callback_group,
                    event_callbacks=event_callbacks(topic.name),
                    qos_overriding_options=QoSOverridingOptions.with_default_policies(),
                )
            )
        except Exception as error:  # rclpy has a type of its own for each policy's bad value
            for subscription in subscriptions:
                node.destroy_subscription(subscription)
            raise ConfigurationError(
                f"cannot subscribe to {topic.name}: {type(error).__name__}: {error}; check the "
                f"parameters qos_overrides.{topic.name}.subscription.*"
            ) from error
    return subscriptions


def _profile() -> QoSProfile:
    """Return a profile of its own for each: rclpy writes the overrides into it."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=_QOS_DEPTH,
        reliability=ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.VOLATILE,
    )
