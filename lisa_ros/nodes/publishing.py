"""The topics that an answer goes out on, with the qualities of service of DESIGN §5.

An answer about the image goes out on all of them, and where vision_msgs is installed also on
`detections` and `detections_3d`. Any other one but REJECTED takes away what is shown of an older
answer, so that nobody acts on it. `result` always comes, and comes last.

`result` and `response` are plain publishers: a node that is not active still answers, with REJECTED
and the reason. The others are lifecycle publishers, silent unless the node is active.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from geometry_msgs.msg import PointStamped, PoseWithCovarianceStamped
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage, Image, PointCloud2
from std_msgs.msg import String
from visualization_msgs.msg import MarkerArray

from lisa_ros.errors import LisaError
from lisa_ros.msg import Perception
from lisa_ros.nodes.answers import ABOUT_THE_IMAGE, Answer
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
from lisa_ros.nodes.image_compression import jpeg_message
from lisa_ros.nodes.images import message_from_array
from lisa_ros.nodes.markers import cleared_markers, marker_array
from lisa_ros.nodes.vision_messages import (
    detections_2d_message,
    detections_3d_message,
    is_installed,
)
from lisa_ros.types import Status

RELIABLE = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)


class AnswerPublisher:
    """Publishes answers. Pictures and clouds are made only while somebody subscribes to them."""

    def __init__(self, node: LifecycleNode) -> None:
        self._logger = node.get_logger()
        self._result = node.create_publisher(Perception, "result", LATCHED)
        self._response = node.create_publisher(String, "response", LATCHED)
        self._mask = node.create_lifecycle_publisher(Image, "mask", RELIABLE)
        self._point = node.create_lifecycle_publisher(PointStamped, "target_point", RELIABLE)
        self._pose = node.create_lifecycle_publisher(
            PoseWithCovarianceStamped, "target_pose", RELIABLE
        )
        self._markers = node.create_lifecycle_publisher(MarkerArray, "markers", RELIABLE)
        self._overlay = node.create_lifecycle_publisher(Image, "overlay", qos_profile_sensor_data)
        # As image_transport names it: below the name that the overlay was remapped to.
        self._overlay_jpeg = node.create_lifecycle_publisher(
            CompressedImage,
            f"{node.resolve_topic_name('overlay')}/compressed",
            qos_profile_sensor_data,
        )
        self._cloud = node.create_lifecycle_publisher(
            PointCloud2, "target_cloud", qos_profile_sensor_data
        )
        self._detections = _detection_publishers(node) if is_installed() else ()

    def publish(self, answer: Answer, model: ModelFacts) -> Perception:
        """Publish all that the answer has; return the message of `result`.

        What fails is logged and left out. Where `result` itself cannot be made, it is an ERROR that
        says so.
        """
        try:
            message = perception_message(answer, model)
        except Exception as error:  # whoever waits for the answer must get one
            answer = self._failed(answer, error)
            message = perception_message(answer, model)
        if answer.status in ABOUT_THE_IMAGE:
            self._show(answer)
        elif answer.status != Status.REJECTED:
            self._take_away()
        self._attempt(self._result, lambda: message)
        return message

    def _show(self, answer: Answer) -> None:
        for publisher, make in (
            (self._mask, mask_message),
            (self._point, target_point_message),
            (self._pose, target_pose_message),
            (self._markers, marker_array),
            *self._detections,
        ):
            if publisher.is_activated:
                self._attempt(publisher, partial(make, answer))
        for publisher, make in (
            (self._overlay, _overlay),
            (self._overlay_jpeg, _overlay_jpeg),
            (self._cloud, target_cloud_message),
        ):
            if publisher.is_activated and publisher.get_subscription_count():
                self._attempt(publisher, partial(make, answer))
        if not answer.followed:  # it says nothing new
            text = "" if answer.segmentation is None else answer.segmentation.text
            self._attempt(self._response, partial(String, data=text))

    def _take_away(self) -> None:
        if self._markers.is_activated:
            self._attempt(self._markers, cleared_markers)
        self._attempt(self._response, String)

    def _attempt(self, publisher: Any, make: Callable[[], Any | None]) -> None:
        try:
            message = make()
            if message is not None:
                publisher.publish(message)
        except Exception as error:  # a picture that cannot be drawn must not cost the answer
            self._logger.error(
                f"{publisher.topic_name} was not published: {type(error).__name__}: {error}"
            )

    def _failed(self, answer: Answer, error: Exception) -> Answer:
        reason = f"The answer could not be put into a message: {type(error).__name__}: {error}"
        self._logger.error(reason)
        return Answer(
            answer.instruction_id, answer.instruction, Status.ERROR, reason, LisaError.code
        )


def _detection_publishers(node: LifecycleNode) -> tuple[tuple[Any, Callable[[Answer], Any]], ...]:
    from vision_msgs.msg import Detection2DArray, Detection3DArray

    return tuple(
        (node.create_lifecycle_publisher(kind, topic, RELIABLE), make)
        for kind, topic, make in (
            (Detection2DArray, "detections", detections_2d_message),
            (Detection3DArray, "detections_3d", detections_3d_message),
        )
    )


def _overlay(answer: Answer) -> Image:
    return message_from_array(draw_overlay(answer), "rgb8", image_header(answer))


def _overlay_jpeg(answer: Answer) -> CompressedImage:
    return jpeg_message(draw_overlay(answer), image_header(answer))
