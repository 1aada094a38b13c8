"""Who publishes on a topic, and whether a subscription can hear it: types and QoS compared."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rclpy.qos import (
    DurabilityPolicy,
    QoSCompatibility,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
)


@dataclass(frozen=True)
class TopicPublishers:
    """The publishers of one topic.

    names: of their nodes. unheard: for each that a subscription cannot hear, a sentence that names
    both sides' profiles and what to do.
    """

    names: tuple[str, ...]
    unheard: tuple[str, ...]


def publishers_of(node: Any, topic: str, message_type: str, wanted: QoSProfile) -> TopicPublishers:
    """Return who publishes on `topic` as a node sees it, and who is not heard with that profile.

    message_type: such as "sensor_msgs/msg/Image".
    """
    return compare(topic, message_type, wanted, node.get_publishers_info_by_topic(topic))


def compare(
    topic: str, message_type: str, wanted: QoSProfile, publishers: Iterable[Any]
) -> TopicPublishers:
    """Compare a subscription with the publishers' rclpy TopicEndpointInfo."""
    names, unheard = [], []
    for info in publishers:
        name = f"{info.node_namespace.rstrip('/')}/{info.node_name}"
        names.append(name)
        if info.topic_type != message_type:
            unheard.append(
                f"{name} publishes {info.topic_type} on {topic}; expected {message_type}. Name "
                "the right topic"
            )
            continue
        fits, reason = qos_check_compatible(info.qos_profile, wanted)
        if fits == QoSCompatibility.ERROR:
            unheard.append(
                f"{name} publishes {topic} as {described(info.qos_profile)}, but "
                f"{described(wanted)} is wanted ({_sentence(reason)}). Change the QoS of either"
            )
    return TopicPublishers(tuple(names), tuple(unheard))


def described(profile: QoSProfile) -> str:
    """Return what decides whether two ends hear each other, in words."""
    reliability = {
        ReliabilityPolicy.RELIABLE: "reliable",
        ReliabilityPolicy.BEST_EFFORT: "best effort",
    }.get(profile.reliability, profile.reliability.name.lower())
    durability = {
        DurabilityPolicy.TRANSIENT_LOCAL: "transient local",
        DurabilityPolicy.VOLATILE: "volatile",
    }.get(profile.durability, profile.durability.name.lower())
    return f"{reliability}, {durability}"


def type_name(message_type: type) -> str:
    """Return the name of a message's class on the wire, such as "sensor_msgs/msg/Image"."""
    package, kind, *_ = message_type.__module__.split(".")
    return f"{package}/{kind}/{message_type.__name__}"


def _sentence(reason: str) -> str:
    return reason.removeprefix("ERROR: ").strip().rstrip(";.") or "the middleware refuses"
