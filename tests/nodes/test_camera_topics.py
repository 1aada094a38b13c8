"""The names that a camera's topics have on the wire, and the subscriptions to them, without DDS."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("rclpy")

from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from lisa_ros.errors import ConfigurationError, TransformError
from lisa_ros.nodes.camera_topics import camera_topics, make_camera, subscribe
from lisa_ros.nodes.parameters import PerceptionParameters

REMAPPED = {"image": "/cam/color/image_raw", "depth": "/cam/depth/image_raw"}


def resolve(name: str) -> str:
    return REMAPPED.get(name, f"/lisa/{name}")


def names_and_types(use_depth: bool, image_transport: str) -> dict[str, tuple[str, type]]:
    topics = camera_topics(resolve, use_depth=use_depth, image_transport=image_transport)
    return {stream: (topic.name, topic.message_type) for stream, topic in topics.items()}


def test_raw_images_are_where_they_were_remapped_to() -> None:
    assert names_and_types(True, "raw") == {
        "image": ("/cam/color/image_raw", Image),
        "depth": ("/cam/depth/image_raw", Image),
        "camera_info": ("/lisa/camera_info", CameraInfo),
        "depth_camera_info": ("/lisa/depth_camera_info", CameraInfo),
    }


def test_compressed_images_are_below_the_raw_ones_as_image_transport_has_it() -> None:
    topics = names_and_types(True, "compressed")
    assert topics["image"] == ("/cam/color/image_raw/compressed", CompressedImage)
    assert topics["depth"] == ("/cam/depth/image_raw/compressedDepth", CompressedImage)
    assert topics["camera_info"] == ("/lisa/camera_info", CameraInfo)


def test_camera_of_colour_alone_has_one_topic() -> None:
    assert names_and_types(False, "compressed").keys() == {"image"}


def test_states_are_of_the_topics_on_the_wire_and_only_some_are_required() -> None:
    topics = camera_topics(resolve, use_depth=True, image_transport="compressed")
    states = make_camera(PerceptionParameters(), topics, now_ns=lambda: 0).states()
    assert states["depth"].topic == "/cam/depth/image_raw/compressedDepth"
    assert [name for name, state in states.items() if not state.required] == ["depth_camera_info"]


def test_pose_that_is_none_is_refused_when_the_camera_is_made() -> None:
    topics = camera_topics(resolve, use_depth=True, image_transport="raw")
    for pose, error in (((0.0,) * 7, TransformError), ((float("nan"),) * 7, ConfigurationError)):
        with pytest.raises(error):
            make_camera(PerceptionParameters(depth_to_color=pose), topics, now_ns=lambda: 0)


class Wires:
    """Records subscriptions, as a node would make them; refuses those to `broken`."""

    def __init__(self, broken: str = "") -> None:
        self._broken = broken
        self.made: list[SimpleNamespace] = []

    def create_subscription(
        self, message_type: type, topic: str, callback: Any, profile: Any, **options: Any
    ) -> SimpleNamespace:
        if topic == self._broken:
            raise RuntimeError("Unexpected QoS override for policy `reliability`: `perhaps`")
        self.made.append(
            SimpleNamespace(topic=topic, type=message_type, profile=profile, options=options)
        )
        return self.made[-1]

    def destroy_subscription(self, subscription: SimpleNamespace) -> None:
        self.made.remove(subscription)


def subscribe_all(wires: Wires) -> list[Any]:
    topics = camera_topics(resolve, use_depth=True, image_transport="raw")
    camera = make_camera(PerceptionParameters(), topics, now_ns=lambda: 0)
    return subscribe(wires, camera, topics, callback_group="group", event_callbacks=str.upper)


def test_each_subscription_has_a_profile_of_its_own_that_can_be_overridden() -> None:
    wires = Wires()
    made = subscribe_all(wires)
    assert [each.topic for each in made] == [
        "/cam/color/image_raw",
        "/cam/depth/image_raw",
        "/lisa/camera_info",
        "/lisa/depth_camera_info",
    ]
    assert len({id(each.profile) for each in made}) == 4
    assert all(each.profile.reliability is ReliabilityPolicy.BEST_EFFORT for each in made)
    assert all(each.options["qos_overriding_options"].policy_kinds for each in made)
    assert made[1].options["event_callbacks"] == "/CAM/DEPTH/IMAGE_RAW"


def test_override_that_cannot_be_leaves_no_subscription_behind() -> None:
    wires = Wires(broken="/lisa/camera_info")
    with pytest.raises(ConfigurationError, match=r"qos_overrides\./lisa/camera_info\.subscription"):
        subscribe_all(wires)
    assert wires.made == []
