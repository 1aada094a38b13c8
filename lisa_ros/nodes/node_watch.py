"""What the perception node has to remember from one diagnostics message to the next."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy._rclpy_pybind11 import InvalidHandle
from rclpy.event_handler import SubscriptionEventCallbacks

from lisa_ros.nodes.answer_log import AnswerLog
from lisa_ros.nodes.camera_alarm import CameraAlarm
from lisa_ros.nodes.diagnostics import CAMERA, Phase
from lisa_ros.nodes.input_events import InputEvents
from lisa_ros.nodes.input_problems import InputLink
from lisa_ros.nodes.rates import RateMeter
from lisa_ros.nodes.stream_states import StreamState
from lisa_ros.nodes.topic_publishers import described, publishers_of, type_name


class NodeWatch:
    """Watches a node: its answers, its phase, its subscriptions. `answers` takes every answer."""

    def __init__(self, node: Any) -> None:
        self._node = node
        self._rates: dict[str, RateMeter] = {}
        self._events: dict[str, InputEvents] = {}
        self._phase: tuple[Phase, float] | None = None
        self._alarm = CameraAlarm()
        self.answers = AnswerLog()

    def event_callbacks(self, topic: str) -> SubscriptionEventCallbacks:
        """Return what a new subscription to a topic is created with, to count its events."""
        self._events[topic] = InputEvents(topic, self._node.get_logger().warning)
        return self._events[topic].callbacks

    def phase_for_s(self, phase: Phase) -> float:
        """Return for how long the node has been in this phase, as far as was seen."""
        now_s = time.monotonic()
        if self._phase is None or self._phase[0] is not phase:
            self._phase = (phase, now_s)
        return now_s - self._phase[1]

    def warn_of(self, message: DiagnosticArray) -> None:
        """Log now and then what the camera's diagnostics complain of, if it lasts."""
        problems = [
            status.message
            for status in message.status
            if status.name.endswith(CAMERA) and status.level != DiagnosticStatus.OK
        ]
        if warning := self._alarm.warning(time.monotonic(), "; ".join(problems)):
            self._node.get_logger().warning(warning)

    def links(
        self, inputs: Mapping[str, StreamState], subscriptions: Iterable[Any]
    ) -> dict[str, InputLink]:
        """Return how each subscription is connected, by topic; rates are of the inputs' counts."""
        received = {seen.topic: seen.received for seen in inputs.values()}
        links = {}
        for subscription in subscriptions:
            try:
                topic = subscription.topic_name
            except InvalidHandle:  # destroyed by a transition on another thread
                continue
            links[topic] = self._link(topic, subscription, received.get(topic))
        return links

    def _link(self, topic: str, subscription: Any, received: int | None) -> InputLink:
        profile, kind = subscription.qos_profile, type_name(subscription.msg_type)
        rate_hz = None
        if received is not None:
            meter = self._rates.setdefault(topic, RateMeter())
            rate_hz = meter.read(time.monotonic(), received)
        events = self._events.get(topic)
        return InputLink(
            rate_hz=rate_hz,
            lost=None if events is None else events.lost,
            profile=described(profile),
            publishers=publishers_of(self._node, topic, kind, profile),
        )
