"""What the node remembers between two diagnostics messages; with a graph and a logger of ours."""

from __future__ import annotations

import gc
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy._rclpy_pybind11 import InvalidHandle
from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
from rclpy.qos import QoSPolicyKind, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from lisa_ros.nodes import device_memory, node_watch
from lisa_ros.nodes.device_memory import memory_facts
from lisa_ros.nodes.diagnostics import Phase
from lisa_ros.nodes.input_events import InputEvents
from lisa_ros.nodes.node_watch import NodeWatch
from lisa_ros.nodes.stream_states import StreamState

TOPIC = "/lisa/image"
RELIABLE = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)


class WatchedNode:
    """Knows one publisher, and keeps what is logged."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def get_logger(self) -> Any:
        return SimpleNamespace(warning=self.warnings.append)

    def get_publishers_info_by_topic(self, topic: str) -> list[Any]:
        hasty = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        return [
            SimpleNamespace(
                node_name="cam",
                node_namespace="/",
                topic_type="sensor_msgs/msg/Image",
                qos_profile=hasty,
            )
        ]


class GoneSubscription:
    @property
    def topic_name(self) -> str:
        raise InvalidHandle


def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    now = SimpleNamespace(s=100.0)
    monkeypatch.setattr(node_watch.time, "monotonic", lambda: now.s)
    return now


def test_links_of_subscriptions(monkeypatch: pytest.MonkeyPatch) -> None:
    now, watch = clock(monkeypatch), NodeWatch(WatchedNode())
    image = SimpleNamespace(topic_name=TOPIC, qos_profile=RELIABLE, msg_type=Image)
    subscriptions = [GoneSubscription(), image]
    watch.event_callbacks(TOPIC).message_lost(SimpleNamespace(total_count=4))
    for received in (0, 30):
        states = {"image": StreamState(TOPIC, received, unmatched=0, age_s=0.1)}
        links = watch.links(states, subscriptions)
        now.s += 1.0
    assert set(links) == {TOPIC}
    link = links[TOPIC]
    assert (link.rate_hz, link.lost, link.profile) == (30.0, 4, "reliable, volatile")
    assert link.publishers.names == ("/cam",)
    assert "/cam publishes /lisa/image as best effort" in link.publishers.unheard[0]
    assert watch.links({}, subscriptions)[TOPIC].rate_hz is None


def test_a_phase_is_timed_from_where_it_was_first_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    now, watch = clock(monkeypatch), NodeWatch(WatchedNode())
    assert watch.phase_for_s(Phase.LOADING) == 0.0
    now.s += 7.0
    assert watch.phase_for_s(Phase.LOADING) == 7.0
    assert watch.phase_for_s(Phase.ACTIVE) == 0.0


def test_only_a_camera_in_trouble_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    now, node = clock(monkeypatch), WatchedNode()
    watch = NodeWatch(node)

    def diagnostics(camera: bytes) -> DiagnosticArray:
        return DiagnosticArray(
            status=[
                DiagnosticStatus(name="/p: node", level=DiagnosticStatus.WARN, message="idle"),
                DiagnosticStatus(name="/p: camera", level=camera, message="no image"),
            ]
        )

    for _ in range(10):
        watch.warn_of(diagnostics(DiagnosticStatus.OK))
        now.s += 1.0
    assert node.warnings == []
    for _ in range(10):
        watch.warn_of(diagnostics(DiagnosticStatus.ERROR))
        now.s += 1.0
    assert node.warnings == ["no frame to answer from: no image"]


def test_publishers_that_the_middleware_refuses_are_logged() -> None:
    node = WatchedNode()
    events = InputEvents(TOPIC, node.warnings.append)
    events.callbacks.incompatible_qos(
        SimpleNamespace(total_count=2, last_policy_kind=QoSPolicyKind.RELIABILITY)
    )
    assert (events.refused, events.policy) == (2, "RELIABILITY")
    assert "RELIABILITY" in node.warnings[0]


def test_a_middleware_without_loss_events_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def create(callbacks: SubscriptionEventCallbacks, *arguments: Any) -> list[Any]:
        if callbacks.message_lost is not None:
            raise UnsupportedEventTypeError
        return ["handler"]

    monkeypatch.setattr(SubscriptionEventCallbacks, "create_event_handlers", create)
    events = InputEvents(TOPIC, lambda text: None)
    assert events.callbacks.create_event_handlers("group", "subscription", TOPIC) == ["handler"]
    assert events.lost is None


def test_memory_grows_with_what_is_held() -> None:
    def resident_mib() -> float:
        return float(memory_facts()["memory, resident [MiB]"])

    before = resident_mib()
    held = bytearray(64 * 2**20)
    held[::4096] = b"x" * len(held[::4096])
    assert resident_mib() > before + 32
    del held
    gc.collect()


def test_gpu_memory_is_asked_of_a_torch_that_uses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = SimpleNamespace(
        is_initialized=lambda: True,
        device_count=lambda: 2,
        memory_reserved=lambda index: (3 * 2**20, 0)[index],
        memory_allocated=lambda index: 2 * 2**20,
        mem_get_info=lambda index: (5 * 2**20, 8 * 2**20),
    )
    monkeypatch.setitem(device_memory.sys.modules, "torch", SimpleNamespace(cuda=cuda))
    facts = memory_facts()
    assert facts["memory, cuda:0 allocated [MiB]"] == "2"
    assert facts["memory, cuda:0 reserved [MiB]"] == "3"
    assert facts["memory, cuda:0 free [MiB]"] == "5 of 8"
    assert not [name for name in facts if "cuda:1" in name]
    cuda.is_initialized = lambda: False  # nothing may start CUDA just to look
    assert not [name for name in memory_facts() if "cuda" in name]
