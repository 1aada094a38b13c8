"""What goes out for which answer, and that `result` goes out whatever happens. Without DDS."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("lisa_ros.msg")

from test_conversions import MODEL, make_answer, unseen

from lisa_ros.nodes import publishing
from lisa_ros.nodes.compressed_images import color_from_compressed
from lisa_ros.nodes.publishing import AnswerPublisher
from lisa_ros.nodes.vision_messages import is_installed
from lisa_ros.types import Status


class RecordingPublisher:
    """Keeps what is published; always active and subscribed to."""

    is_activated = True

    def __init__(self, topic: str, published: list[tuple[str, Any]]) -> None:
        self.topic_name = topic
        self._published = published

    def get_subscription_count(self) -> int:
        return 1

    def publish(self, message: Any) -> None:
        self._published.append((self.topic_name, message))


class RecordingNode:
    """The part of a node that the publisher uses."""

    def __init__(self) -> None:
        self.published: list[tuple[str, Any]] = []
        self.errors: list[str] = []

    def get_logger(self) -> Any:
        return SimpleNamespace(error=self.errors.append)

    def create_publisher(self, kind: type, topic: str, qos: Any) -> RecordingPublisher:
        return RecordingPublisher(topic, self.published)

    create_lifecycle_publisher = create_publisher

    def resolve_topic_name(self, topic: str) -> str:
        return f"/lisa/{topic}"


@pytest.fixture
def node() -> RecordingNode:
    return RecordingNode()


def test_answer_goes_out_on_every_topic_with_the_result_last(node: RecordingNode) -> None:
    message = AnswerPublisher(node).publish(make_answer(), MODEL)
    topics = [
        "mask",
        "target_point",
        "target_pose",
        "markers",
        "overlay",
        "/lisa/overlay/compressed",
        "target_cloud",
        "response",
        "result",
        *(["detections", "detections_3d"] if is_installed() else []),
    ]
    assert sorted(topic for topic, _ in node.published) == sorted(topics)
    assert node.published[-1] == ("result", message)
    assert dict(node.published)["response"].data == "[SEG]."
    overlay = dict(node.published)["overlay"]
    compressed = dict(node.published)["/lisa/overlay/compressed"]
    assert compressed.header == overlay.header
    assert color_from_compressed(compressed).shape == (overlay.height, overlay.width, 3)


@pytest.mark.parametrize(
    ("broken", "topic"),
    [
        ("draw_overlay", "overlay"),
        ("target_point_message", "target_point"),
        ("marker_array", "markers"),
    ],
)
def test_failing_picture_does_not_cost_the_answer(
    node: RecordingNode, monkeypatch: pytest.MonkeyPatch, broken: str, topic: str
) -> None:
    def fail(answer: Any) -> Any:
        raise OSError("no such font")

    monkeypatch.setattr(publishing, broken, fail)
    message = AnswerPublisher(node).publish(make_answer(), MODEL)
    topics = [name for name, _ in node.published]
    assert topic not in topics
    assert {"mask", "response"} < set(topics)
    assert node.published[-1] == ("result", message)
    assert message.status == Status.FOUND
    assert node.errors[0] == f"{topic} was not published: OSError: no such font"


def test_answer_that_is_no_message_is_an_error(node: RecordingNode) -> None:
    broken = dataclasses.replace(make_answer(), timings_ms={"encoding": None})
    message = AnswerPublisher(node).publish(broken, MODEL)
    assert message.status == Status.ERROR
    assert "TypeError" in message.reason
    assert (message.instruction_id, message.instruction) == (3, "the mug")
    assert node.published[-1] == ("result", message)
    assert "mask" not in dict(node.published)


@pytest.mark.parametrize(
    "status",
    [
        Status.STALE_INPUT,
        Status.TRANSFORM_FAILED,
        Status.CANCELED,
        Status.TIMEOUT,
        Status.ERROR,
    ],
)
@pytest.mark.parametrize("answer", [unseen(), make_answer()], ids=["unseen", "seen"])
def test_what_is_no_answer_takes_away_the_old_one(
    node: RecordingNode, status: Status, answer: Any
) -> None:
    AnswerPublisher(node).publish(dataclasses.replace(answer, status=status), MODEL)
    published = dict(node.published)
    assert set(published) == {"markers", "response", "result"}
    assert published["response"].data == ""
    (marker,) = published["markers"].markers
    assert marker.action == marker.DELETEALL


def test_rejected_instruction_leaves_the_old_answer(node: RecordingNode) -> None:
    AnswerPublisher(node).publish(dataclasses.replace(unseen(), status=Status.REJECTED), MODEL)
    assert [topic for topic, _ in node.published] == ["result"]
