"""Answers as vision_msgs; with the real package where it is installed, else with a double of it.

The double has the fields of vision_msgs 4.1 (Jazzy) as its .msg files name them and no others.
"""

from __future__ import annotations

import dataclasses
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("lisa_ros.msg")

from geometry_msgs.msg import Pose, PoseWithCovariance, Vector3
from std_msgs.msg import Header
from test_conversions import FAR, MODEL, NEAR, STAMP_NS, make_answer, make_target
from test_publishing import RecordingNode

from lisa_ros.nodes import vision_messages
from lisa_ros.nodes.answers import FoundTarget
from lisa_ros.nodes.conversions import stamp_ns
from lisa_ros.nodes.publishing import AnswerPublisher
from lisa_ros.types import Status

FIELDS: dict[str, dict[str, Any]] = {
    "Point2D": {"x": float, "y": float},
    "Pose2D": {"position": "Point2D", "theta": float},
    "BoundingBox2D": {"center": "Pose2D", "size_x": float, "size_y": float},
    "BoundingBox3D": {"center": Pose, "size": Vector3},
    "ObjectHypothesis": {"class_id": str, "score": float},
    "ObjectHypothesisWithPose": {"hypothesis": "ObjectHypothesis", "pose": PoseWithCovariance},
    "Detection2D": {"header": Header, "results": list, "bbox": "BoundingBox2D", "id": str},
    "Detection3D": {"header": Header, "results": list, "bbox": "BoundingBox3D", "id": str},
    "Detection2DArray": {"header": Header, "detections": list},
    "Detection3DArray": {"header": Header, "detections": list},
}


def double_of_vision_msgs() -> ModuleType:
    """Make classes that take keywords and check the type of what is assigned, as rosidl's do."""
    module = ModuleType("vision_msgs.msg")

    def make_class(name: str, fields: dict[str, Any]) -> type:
        kinds = {key: getattr(module, k) if isinstance(k, str) else k for key, k in fields.items()}

        class Message:
            __slots__ = tuple(kinds)

            def __init__(self, **values: Any) -> None:
                for key, kind in kinds.items():
                    setattr(self, key, values.pop(key) if key in values else kind())
                assert not values, f"{name} has no {list(values)}"

            def __setattr__(self, key: str, value: Any) -> None:
                assert type(value) is kinds[key], f"{name}.{key}: {type(value)}"
                super().__setattr__(key, value)

        return Message

    for name, fields in FIELDS.items():
        setattr(module, name, make_class(name, fields))
    return module


@pytest.fixture(autouse=True)
def vision_msgs(monkeypatch: pytest.MonkeyPatch) -> None:
    if not vision_messages.is_installed():
        package, messages = ModuleType("vision_msgs"), double_of_vision_msgs()
        package.msg = messages
        monkeypatch.setitem(sys.modules, "vision_msgs", package)
        monkeypatch.setitem(sys.modules, "vision_msgs.msg", messages)


def labelled() -> Any:
    answer = make_answer()
    targets = tuple(dataclasses.replace(target, label="the mug") for target in answer.targets)
    return dataclasses.replace(answer, targets=targets, frame_id="base_link")


def test_boxes_in_the_image() -> None:
    message = vision_messages.detections_2d_message(labelled())
    assert (message.header.frame_id, stamp_ns(message.header.stamp)) == ("camera", STAMP_NS)
    assert [detection.id for detection in message.detections] == ["1", "2"]
    for detection, mask, score in zip(message.detections, (NEAR, FAR), (0.9, 0.8), strict=True):
        rows, columns = np.nonzero(mask)
        box = detection.bbox
        assert (box.size_x, box.size_y) == (np.ptp(columns) + 1, np.ptp(rows) + 1)
        center = (box.center.position.x, box.center.position.y)
        assert center == ((columns.min() + columns.max()) / 2, (rows.min() + rows.max()) / 2)
        (result,) = detection.results
        assert (result.hypothesis.class_id, result.hypothesis.score) == ("the mug", score)
        assert detection.header == message.header


def test_boxes_in_space_are_those_of_the_targets_with_a_position() -> None:
    message = vision_messages.detections_3d_message(labelled())
    assert (message.header.frame_id, stamp_ns(message.header.stamp)) == ("base_link", STAMP_NS)
    (detection,) = message.detections
    assert detection.id == "1"
    assert (detection.bbox.center.position.z, detection.bbox.size.x) == (1.55, 0.4)
    (result,) = detection.results
    assert (result.pose.pose.position.x, result.pose.pose.position.z) == (0.1, 1.5)
    covariance = np.array(result.pose.covariance).reshape(6, 6)
    np.testing.assert_allclose(covariance[:3, :3], make_target().covariance)


def test_nothing_found_is_an_empty_array() -> None:
    answer = dataclasses.replace(make_answer(), status=Status.NOT_FOUND, targets=())
    assert vision_messages.detections_2d_message(answer).detections == []
    assert vision_messages.detections_3d_message(answer).detections == []


def test_they_go_out_with_an_answer_about_the_image_only() -> None:
    topics = {"detections", "detections_3d"}
    node = RecordingNode()
    AnswerPublisher(node).publish(labelled(), MODEL)
    assert topics < {topic for topic, _ in node.published}
    node = RecordingNode()
    failed = dataclasses.replace(labelled(), status=Status.TRANSFORM_FAILED, targets=())
    AnswerPublisher(node).publish(failed, MODEL)
    assert not topics & {topic for topic, _ in node.published}


def test_ids_are_text_for_all_254() -> None:
    answer = make_answer()
    last = FoundTarget(254, NEAR, 1.0, make_target(), "")
    answer = dataclasses.replace(answer, targets=(last,))
    assert vision_messages.detections_3d_message(answer).detections[0].id == "254"
