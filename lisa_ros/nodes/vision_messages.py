"""Targets as vision_msgs, for programs that know those and not this package.

vision_msgs (4.x) comes with a ROS 2 installation, if at all, and not from PyPI: it is imported only
where it is installed. In both arrays `id` is the target's id in the mask image, `class_id` what was
asked for in words, `score` the mask's stability. An answer without targets is an empty array.
"""

from __future__ import annotations

from typing import Any

from lisa_ros.nodes.answers import Answer, FoundTarget
from lisa_ros.nodes.conversions import (
    image_header,
    located,
    pose_with_covariance,
    roi_message,
    target_header,
    target_message,
)


def is_installed() -> bool:
    """Whether vision_msgs can be imported."""
    try:
        import vision_msgs.msg  # noqa: F401
    except ImportError:
        return False
    return True


def detections_2d_message(answer: Answer) -> Any:
    """Return the targets as a Detection2DArray: the bounding boxes of their masks, in pixels.

    Coordinates are those of pixel centres: a mask of the one pixel (u, v) has its centre there and
    the size 1.
    """
    from vision_msgs.msg import BoundingBox2D, Detection2D, Detection2DArray

    message = Detection2DArray(header=image_header(answer))
    for target in answer.targets:
        roi = roi_message(target.mask)
        box = BoundingBox2D(size_x=float(roi.width), size_y=float(roi.height))
        box.center.position.x = roi.x_offset + (roi.width - 1) / 2
        box.center.position.y = roi.y_offset + (roi.height - 1) / 2
        message.detections.append(
            Detection2D(
                header=message.header,
                results=[_hypothesis(target)],
                bbox=box,
                id=str(target.target_id),
            )
        )
    return message


def detections_3d_message(answer: Answer) -> Any:
    """Return the targets that have a position as a Detection3DArray: their oriented boxes.

    In the frame of the answer's positions, m. The pose of the hypothesis is that of `target_pose`.
    """
    from vision_msgs.msg import BoundingBox3D, Detection3D, Detection3DArray

    message = Detection3DArray(header=target_header(answer))
    for found, lifted in located(answer):
        target = target_message(found)
        hypothesis = _hypothesis(found)
        hypothesis.pose = pose_with_covariance(lifted)
        message.detections.append(
            Detection3D(
                header=message.header,
                results=[hypothesis],
                bbox=BoundingBox3D(center=target.box_pose, size=target.box_size),
                id=str(found.target_id),
            )
        )
    return message


def _hypothesis(target: FoundTarget) -> Any:
    from vision_msgs.msg import ObjectHypothesis, ObjectHypothesisWithPose

    hypothesis = ObjectHypothesis(class_id=target.label, score=float(target.score))
    return ObjectHypothesisWithPose(hypothesis=hypothesis)
