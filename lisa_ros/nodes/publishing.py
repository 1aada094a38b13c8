"""The topics that an answer goes out on, with the qualities of service of DESIGN §5.

`result` and `response` are plain publishers: a node that is not active still answers, with REJECTED
and the reason. The others are lifecycle publishers, silent unless the node is active.
"""

from __future__ import annotations

from typing import Any

from geometry_msgs.msg import PointStamped, PoseWithCovarianceStamped
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import String
from visualization_msgs.msg import MarkerArray

from lisa_ros.msg import Perception
from lisa_ros.nodes.answers import Answer
from lisa_ros.nodes.cloud import target_cloud_message
from lisa_ros.nodes.conversions import (
    ModelFacts,
    image_header,
    mask_message,
    perception_message,
    target_point_message,
    target_pose_message,
)
from lisa_ros.nodes.drawing import draw_overlay
from lisa_ros.nodes.images import message_from_array
from lisa_ros.nodes.markers import cleared_markers, marker_array

RELIABLE = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)


class AnswerPublisher:
    """Publishes answers. Pictures and clouds are made only while somebody subscribes to them."""

    def __init__(self, node: LifecycleNode) -> None:
        self._result = node.create_publisher(Perception, "result", LATCHED)
        self._response = node.create_publisher(String, "response", LATCHED)
        self._mask = node.create_lifecycle_publisher(Image, "mask", RELIABLE)
        self._point = node.create_lifecycle_publisher(PointStamped, "target_point", RELIABLE)
        self._pose = node.create_lifecycle_publisher(
            PoseWithCovarianceStamped, "target_pose", RELIABLE
        )
        self._markers = node.create_lifecycle_publisher(MarkerArray, "markers", RELIABLE)
        self._overlay = node.create_lifecycle_publisher(Image, "overlay", qos_profile_sensor_data)
        self._cloud = node.create_lifecycle_publisher(
            PointCloud2, "target_cloud", qos_profile_sensor_data
        )

    def publish(self, answer: Answer, model: ModelFacts) -> Perception:
        """Publish all that the answer has, `result` last; return the message of `result`."""
        if answer.segmentation is not None:
            _publish(self._mask, mask_message(answer))
            _publish(self._point, target_point_message(answer))
            _publish(self._pose, target_pose_message(answer))
            _publish(self._markers, marker_array(answer))
            if _is_wanted(self._overlay):
                overlay = message_from_array(draw_overlay(answer), "rgb8", image_header(answer))
                self._overlay.publish(overlay)
            if _is_wanted(self._cloud):
                _publish(self._cloud, target_cloud_message(answer))
            self._response.publish(String(data=answer.segmentation.text))
        message = perception_message(answer, model)
        self._result.publish(message)
        return message

    def clear(self) -> None:
        """Remove what is shown of earlier answers."""
        _publish(self._markers, cleared_markers())


def _publish(publisher: Any, message: Any | None) -> None:
    if message is not None and publisher.is_activated:
        publisher.publish(message)


def _is_wanted(publisher: Any) -> bool:
    return bool(publisher.is_activated and publisher.get_subscription_count())
