"""The camera as the model sees it: messages in, the newest synchronised frame out when asked for.

Callbacks only file messages; decoding happens on the thread that asks. Needs no rclpy.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sensor_msgs.msg import CameraInfo, Image

from lisa_ros.nodes.answers import NoFrame
from lisa_ros.nodes.conversions import stamp_ns
from lisa_ros.nodes.frame_decoding import CAMERA_INFO, DEPTH, IMAGE, FrameDecoder
from lisa_ros.nodes.synchroniser import Synchroniser
from lisa_ros.types import RgbdFrame

_POLL_S = 0.02
# A stamp so far off is not a slow camera but another clock.
_OTHER_CLOCK_S = 3600.0


@dataclass(frozen=True)
class StreamState:
    """One input. age_s: of its newest stamp by the node's clock; None before the first message."""

    topic: str
    received: int
    unmatched: int
    age_s: float | None


class Camera:
    """Files the messages of one camera and hands out its newest frame. Thread-safe.

    topics: name on the wire for each of image, depth and camera_info, for sentences. now_ns: the
    node's clock.
    """

    def __init__(
        self,
        topics: Mapping[str, str],
        *,
        sync_slop_s: float,
        rectified: bool,
        now_ns: Callable[[], int],
    ) -> None:
        self._topics = topics
        self._now_ns = now_ns
        self._sync_slop_s = sync_slop_s
        self._changed = threading.Condition()
        self._synchroniser = Synchroniser((IMAGE, DEPTH, CAMERA_INFO), round(sync_slop_s * 1e9))
        self._decoder = FrameDecoder(rectified=rectified)

    def add(self, stream: str, message: Image | CameraInfo) -> None:
        """File a message of `stream`."""
        with self._changed:
            self._synchroniser.add(stream, stamp_ns(message.header.stamp), message)
            self._changed.notify_all()

    def wait_for_frame(
        self, max_age_s: float, wait_s: float, should_stop: Callable[[], bool]
    ) -> RgbdFrame | NoFrame:
        """Return the newest frame that is at most `max_age_s` old, waiting for it at most `wait_s`.

        A camera that never sent depth gives frames without depth, after the wait. Raises
        ImageError, DepthError or CameraInfoError when the newest messages are malformed.
        """
        deadline_s = time.monotonic() + wait_s
        with self._changed:
            while True:
                newest = self._synchroniser.newest_set
                if newest is not None and self._is_fresh(newest.stamp_ns, max_age_s):
                    messages: Mapping[str, Any] | None = newest.messages
                    break
                remaining_s = deadline_s - time.monotonic()
                if remaining_s <= 0 or should_stop():
                    messages = self._color_only(max_age_s)
                    break
                self._changed.wait(min(_POLL_S, remaining_s))
            if messages is None:
                return NoFrame(self._missing(max_age_s))
        return self._decoder.decode(messages)

    def states(self) -> dict[str, StreamState]:
        """Return what arrives, by stream."""
        with self._changed:
            return self._states()

    def frame_age_s(self) -> float | None:
        """Return the age of the newest synchronised frame by the node's clock; None without one."""
        with self._changed:
            newest = self._synchroniser.newest_set
            return None if newest is None else self._age_s(newest.stamp_ns)

    def time_jumps(self) -> int:
        """Return how often the stamps jumped back."""
        with self._changed:
            return self._synchroniser.time_jumps

    def _states(self) -> dict[str, StreamState]:
        states = {}
        for stream, topic in self._topics.items():
            counters = self._synchroniser.counters(stream)
            stamp = counters.newest_stamp_ns
            age_s = None if stamp is None else self._age_s(stamp)
            states[stream] = StreamState(topic, counters.received, counters.unmatched, age_s)
        return states

    def _age_s(self, stamp: int) -> float:
        return (self._now_ns() - stamp) / 1e9

    def _is_fresh(self, stamp: int, max_age_s: float) -> bool:
        return abs(self._age_s(stamp)) <= max_age_s

    def _color_only(self, max_age_s: float) -> Mapping[str, Any] | None:
        """Return the newest image alone, if it is fresh and the camera never sent any depth."""
        image = self._synchroniser.newest_message(IMAGE)
        if image is None or self._synchroniser.counters(DEPTH).received:
            return None
        fresh = self._is_fresh(stamp_ns(image.header.stamp), max_age_s)
        return {IMAGE: image} if fresh else None

    def _missing(self, max_age_s: float) -> str:
        """Say which input keeps a fresh frame from being put together, and on which topic."""
        states = self._states()
        for name, state in states.items():
            if state.received == 0:
                return f"No {name} has arrived on {state.topic}: is the camera running?"
            if state.age_s is None or abs(state.age_s) > max_age_s:
                return _too_old(name, state, max_age_s)
        ages = ", ".join(f"{name} {state.age_s:.3f} s" for name, state in states.items())
        return (
            f"image, depth and camera_info arrive, but no three stamps lie within "
            f"{self._sync_slop_s:g} s; newest ages: {ages}. Raise sync_slop_s, or make the driver "
            "synchronise its streams."
        )


def _too_old(name: str, state: StreamState, max_age_s: float) -> str:
    limit = f"the limit (max_frame_age_s) is {max_age_s:g} s"
    if state.age_s is None:
        return f"No {name} has arrived on {state.topic} since the stamps jumped back."
    if abs(state.age_s) > _OTHER_CLOCK_S:
        return (
            f"The stamps of {name} on {state.topic} are {state.age_s:.0f} s away from this node's "
            f"clock; {limit}. Does the driver set its stamps, and is use_sim_time right?"
        )
    if state.age_s < 0:
        return (
            f"The newest {name} on {state.topic} is {-state.age_s:.2f} s in the future; {limit}. "
            "Synchronise the clocks."
        )
    return f"The newest {name} on {state.topic} is {state.age_s:.2f} s old; {limit}."
