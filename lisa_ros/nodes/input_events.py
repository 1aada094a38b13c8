"""What the middleware reports about one subscription: publishers it refuses, messages it lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
from rclpy.qos import qos_policy_name_from_kind


class InputEvents:
    """Counts the events of one subscription; `callbacks` is what it is created with.

    refused: publishers with an incompatible profile so far; policy: which policy the last of them
    differed in. lost: messages that were sent and never came; None where the middleware in use does
    not report them.
    """

    def __init__(self, topic: str, warn: Callable[[str], Any]) -> None:
        self._topic = topic
        self._warn = warn
        self.refused = 0
        self.policy = ""
        self.lost: int | None = 0

    @property
    def callbacks(self) -> SubscriptionEventCallbacks:
        """For `create_subscription(..., event_callbacks=...)`."""
        return _Callbacks(self._on_refused, self._on_lost, self._on_unsupported)

    def _on_refused(self, event: Any) -> None:
        self.refused = int(event.total_count)
        self.policy = qos_policy_name_from_kind(event.last_policy_kind)
        self._warn(
            f"a publisher of {self._topic} cannot be heard: its QoS differs in {self.policy}; "
            "/diagnostics compares the profiles"
        )

    def _on_lost(self, event: Any) -> None:
        self.lost = int(event.total_count)

    def _on_unsupported(self) -> None:
        self.lost = None


class _Callbacks(SubscriptionEventCallbacks):
    """rclpy's, but without message_lost where the middleware has no such event."""

    def __init__(
        self,
        on_refused: Callable[[Any], None],
        on_lost: Callable[[Any], None],
        on_unsupported: Callable[[], None],
    ) -> None:
        super().__init__(incompatible_qos=on_refused, message_lost=on_lost)
        self._on_unsupported = on_unsupported

    def create_event_handlers(self, *arguments: Any, **options: Any) -> list[Any]:
        """As rclpy's, which gives up at the first event that the middleware does not know."""
        try:
            handlers = super().create_event_handlers(*arguments, **options)
        except UnsupportedEventTypeError:
            self.message_lost = None
            self._on_unsupported()
            handlers = super().create_event_handlers(*arguments, **options)
        return list(handlers)
