"""What the middleware reports about one subscription: publishers it refuses, messages it lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.qos import qos_policy_name_from_kind


class InputEvents:
    """Counts the events of one subscription; `callbacks` is what it is created with.

    refused: publishers with an incompatible profile so far; policy: which policy the last of them
    differed in. lost: messages that were sent and never came.
    """

    def __init__(self, topic: str, warn: Callable[[str], Any]) -> None:
        self._topic = topic
        self._warn = warn
        self.refused = 0
        self.policy = ""
        self.lost = 0

    @property
    def callbacks(self) -> SubscriptionEventCallbacks:
        """For `create_subscription(..., event_callbacks=...)`."""
        return SubscriptionEventCallbacks(
            incompatible_qos=self._on_refused, message_lost=self._on_lost
        )

    def _on_refused(self, event: Any) -> None:
        self.refused = int(event.total_count)
        self.policy = qos_policy_name_from_kind(event.last_policy_kind)
        self._warn(
            f"a publisher of {self._topic} cannot be heard: its QoS differs in {self.policy}; "
            "/diagnostics compares the profiles"
        )

    def _on_lost(self, event: Any) -> None:
        self.lost = int(event.total_count)
