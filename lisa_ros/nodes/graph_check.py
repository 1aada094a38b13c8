"""The wiring of a perception node as it looks from outside: who publishes, who cannot hear whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lisa_ros.diagnosis import Diagnosis, broken, ok, warning
from lisa_ros.nodes.frame_decoding import DEPTH_CAMERA_INFO
from lisa_ros.nodes.topic_publishers import TopicPublishers, compare

_CAMERA_TYPES = frozenset(
    f"sensor_msgs/msg/{name}" for name in ("Image", "CompressedImage", "CameraInfo")
)


def node_path(namespace: str, name: str) -> str:
    """Return a node's whole name."""
    return f"{namespace.rstrip('/')}/{name}"


def nodes_called(node: Any, name: str) -> list[tuple[str, str]]:
    """Return (name, namespace) of every node of that name in the graph, as often as it is there."""
    return [found for found in node.get_node_names_and_namespaces() if found[0] == name]


def lacks_publishers(node: Any, name: str, namespace: str) -> bool:
    """Return whether a node listens to no camera, or to topics that nobody is seen to publish.

    Raises rclpy's NodeNameNonExistentError when the node has left the graph.
    """
    inputs = _inputs(node, name, namespace)
    needed = [topic for topic in inputs if not _is_of_depth_camera(topic)]
    return not inputs or any(not node.count_publishers(topic) for topic in needed)


def wiring(node: Any, name: str, namespace: str) -> Iterator[Diagnosis]:
    """Say of each camera input and each output of a node whether the two ends hear each other.

    node: who looks. Raises rclpy's NodeNameNonExistentError when the node has left the graph.
    """
    inputs = _inputs(node, name, namespace)
    if not inputs:
        yield warning(
            f"{node_path(namespace, name)} inputs",
            "it listens to no camera",
            "It does once it is active: see its state above.",
        )
    for topic in inputs:
        yield _input(node, topic, name, namespace)
    for topic, _ in node.get_publisher_names_and_types_by_node(name, namespace):
        yield from _output(node, topic, name, namespace)


def _inputs(node: Any, name: str, namespace: str) -> list[str]:
    subscribed = node.get_subscriber_names_and_types_by_node(name, namespace)
    return [topic for topic, types in subscribed if _CAMERA_TYPES & set(types)]


def _is_of_depth_camera(topic: str) -> bool:
    return bool(topic.rpartition("/")[2] == DEPTH_CAMERA_INFO)


def _input(node: Any, topic: str, name: str, namespace: str) -> Diagnosis:
    publishers: dict[str, None] = {}
    unheard: dict[str, None] = {}
    for end in _ends(node.get_subscriptions_info_by_topic(topic), name, namespace):
        seen = _heard_by(node, topic, end)
        publishers |= dict.fromkeys(seen.names)
        unheard |= dict.fromkeys(seen.unheard)
    subject = f"input {topic}"
    if not publishers and _is_of_depth_camera(topic):
        return ok(subject, "nobody publishes it; only depth that is not registered needs it")
    if not publishers:
        return warning(
            subject,
            "nobody publishes it",
            "Start the camera's driver, or name its topics (launch arguments image, depth and "
            "camera_info).",
        )
    if unheard:
        return broken(subject, "; ".join(unheard), "See `ros2 topic info --verbose` of the topic.")
    return ok(subject, f"published by {', '.join(publishers)}")


def _output(node: Any, topic: str, name: str, namespace: str) -> Iterator[Diagnosis]:
    """Speak of subscribers that hear nothing; the others need no word."""
    ours = _ends(node.get_publishers_info_by_topic(topic), name, namespace)
    for end in node.get_subscriptions_info_by_topic(topic):
        seen = compare(topic, end.topic_type, end.qos_profile, ours)
        if seen.unheard:
            listener = node_path(end.node_namespace, end.node_name)
            yield warning(
                f"output {topic}",
                f"{listener} hears nothing: {'; '.join(seen.unheard)}",
                f"Give {listener} a profile that fits (best effort hears everybody).",
            )


def _heard_by(node: Any, topic: str, end: Any) -> TopicPublishers:
    publishers = node.get_publishers_info_by_topic(topic)
    return compare(topic, end.topic_type, end.qos_profile, publishers)


def _ends(infos: list[Any], name: str, namespace: str) -> list[Any]:
    return [info for info in infos if (info.node_name, info.node_namespace) == (name, namespace)]
