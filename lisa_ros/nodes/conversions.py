"""Answers to ROS messages; the one place where a `Status` becomes a number. Needs no rclpy."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import (
    Point,
    PointStamped,
    Pose,
    PoseWithCovariance,
    PoseWithCovarianceStamped,
    Quaternion,
    Vector3,
)
from sensor_msgs.msg import Image, RegionOfInterest
from std_msgs.msg import Header

from lisa_ros.geometry import matrix_to_quaternion, surface_rotation
from lisa_ros.msg import Perception, Target
from lisa_ros.nodes.answers import Answer, FoundTarget
from lisa_ros.nodes.images import message_from_array
from lisa_ros.types import BoolArray, Float64Array, Target3D, UInt8Array

# Nothing is known about a rotation: the variance of an angle spread evenly over a whole turn.
_UNKNOWN_ANGLE_VARIANCE = math.pi**2 / 3


@dataclass(frozen=True)
class ModelFacts:
    """What every answer says about the checkpoint it comes from. name: as it was asked for."""

    name: str
    demo_model: bool


NO_MODEL = ModelFacts(name="", demo_model=False)


def stamp_message(stamp_ns: int) -> Time:
    """Return integer nanoseconds as a Time."""
    return Time(sec=stamp_ns // 1_000_000_000, nanosec=stamp_ns % 1_000_000_000)


def stamp_ns(time: Time) -> int:
    """Return a Time as integer nanoseconds."""
    return int(time.sec) * 1_000_000_000 + int(time.nanosec)


def image_header(answer: Answer) -> Header:
    """Return the header of the source image; empty where the answer never saw one."""
    if answer.frame is None:
        return Header()
    return Header(stamp=stamp_message(answer.frame.stamp_ns), frame_id=answer.frame.frame_id)


def target_header(answer: Answer) -> Header:
    """Return the stamp of the source image with the frame that the positions are in."""
    header = image_header(answer)
    header.frame_id = answer.frame_id
    return header


def perception_message(answer: Answer, model: ModelFacts) -> Perception:
    """Return the whole answer."""
    segmentation = answer.segmentation
    message = Perception(
        header=target_header(answer),
        instruction_id=answer.instruction_id,
        instruction=answer.instruction,
        session=answer.session,
        followed=answer.followed,
        status=int(answer.status),
        reason=answer.reason,
        error_code=answer.error_code,
        model=model.name,
        demo_model=model.demo_model,
        targets=[target_message(target) for target in answer.targets],
        timing_names=[str(name) for name in answer.timings_ms],
        timing_ms=[float(ms) for ms in answer.timings_ms.values()],
    )
    if segmentation is not None:
        message.prompt = segmentation.prompt_text
        message.response = segmentation.text
        message.seg_probability = float(segmentation.seg_probability)
        message.calibrated = bool(segmentation.calibrated)
        if segmentation.confidence is not None:
            message.has_confidence = True
            message.confidence = float(segmentation.confidence)
    return message


def target_message(target: FoundTarget) -> Target:
    """Return one target; where it was not lifted, has_position is false and its 3D fields zero."""
    message = Target(
        id=target.target_id,
        label=target.label,
        score=target.score,
        roi=roi_message(target.mask),
        mask_px=int(np.count_nonzero(target.mask)),
        depth_coverage=float(target.lifted.depth_coverage),
        has_position=isinstance(target.lifted, Target3D),
    )
    if isinstance(target.lifted, Target3D):
        lifted = target.lifted
        message.position = _point(lifted.position)
        message.position_covariance = lifted.covariance.reshape(9).astype(np.float64)
        message.extent = _vector(lifted.extent)
        message.box_pose = Pose(
            position=_point(lifted.box.center), orientation=_quaternion(lifted.box.rotation)
        )
        message.box_size = _vector(lifted.box.size)
        message.normal = _vector(lifted.normal)
    return message


def roi_message(mask: BoolArray) -> RegionOfInterest:
    """Return the bounding box of a mask bool[H,W], in pixels; all zero for an empty mask."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return RegionOfInterest()
    return RegionOfInterest(
        x_offset=int(columns[0]),
        y_offset=int(rows[0]),
        width=int(columns[-1] - columns[0] + 1),
        height=int(rows[-1] - rows[0] + 1),
    )


def label_image(answer: Answer) -> UInt8Array | None:
    """Return u8[H,W]: 0 background, k target id k, the best one on top; None without an image."""
    if answer.frame is None:
        return None
    labels = np.zeros(answer.frame.image.shape[:2], dtype=np.uint8)
    for target in reversed(answer.targets):
        labels[target.mask] = target.target_id
    return labels


def mask_message(answer: Answer) -> Image | None:
    """Return the label image as mono8 with the source image's header; None without an image."""
    labels = label_image(answer)
    return None if labels is None else message_from_array(labels, "mono8", image_header(answer))


def located(answer: Answer) -> list[tuple[FoundTarget, Target3D]]:
    """Return the targets that have a position, best first."""
    return [(t, t.lifted) for t in answer.targets if isinstance(t.lifted, Target3D)]


def target_point_message(answer: Answer) -> PointStamped | None:
    """Return the position of the best target that has one, or None."""
    targets = located(answer)
    if not targets:
        return None
    return PointStamped(header=target_header(answer), point=_point(targets[0][1].position))


def target_pose_message(answer: Answer) -> PoseWithCovarianceStamped | None:
    """Return the pose of the best target that has a position, or None."""
    targets = located(answer)
    if not targets:
        return None
    return PoseWithCovarianceStamped(
        header=target_header(answer), pose=pose_with_covariance(targets[0][1])
    )


def pose_with_covariance(target: Target3D) -> PoseWithCovariance:
    """Return a target's position and a way to approach it.

    z is the normal of the visible surface (towards the camera), x the longest axis of the box along
    that surface. The orientation's covariance is that of no knowledge, since it is no measured
    attitude.
    """
    covariance = np.zeros((6, 6))
    covariance[:3, :3] = target.covariance
    covariance[3:, 3:] = np.eye(3) * _UNKNOWN_ANGLE_VARIANCE
    pose = Pose(position=_point(target.position), orientation=_quaternion(surface_rotation(target)))
    return PoseWithCovariance(pose=pose, covariance=covariance.reshape(36))


def _point(position: Float64Array) -> Point:
    return Point(x=float(position[0]), y=float(position[1]), z=float(position[2]))


def _vector(vector: Float64Array) -> Vector3:
    return Vector3(x=float(vector[0]), y=float(vector[1]), z=float(vector[2]))


def _quaternion(rotation: Float64Array) -> Quaternion:
    x, y, z, w = (float(value) for value in matrix_to_quaternion(rotation))
    return Quaternion(x=x, y=y, z=z, w=w)
