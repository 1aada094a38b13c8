"""The camera as the model sees it: messages in, the newest synchronised frame out when asked for.

Callbacks only file messages; decoding happens on the thread that asks. Needs no rclpy.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from lisa_ros.errors import CameraInfoError, DepthError, LisaError
from lisa_ros.nodes.answers import NoFrame
from lisa_ros.nodes.conversions import stamp_ns
from lisa_ros.nodes.frame_decoding import (
    CAMERA_INFO,
    DEPTH,
    DEPTH_CAMERA_INFO,
    IMAGE,
    FrameDecoder,
)
from lisa_ros.nodes.input_problems import too_old
from lisa_ros.nodes.message_checks import (
    MAX_MESSAGE_BYTES,
    check_message,
    size_bytes,
)
from lisa_ros.nodes.stream_states import Arrivals, StreamState, renewed
from lisa_ros.nodes.synchroniser import MessageSet, Synchroniser
from lisa_ros.types import RgbdFrame

_POLL_S = 0.02
# A frame that cannot be decoded may be one of a kind (a camera that restarts, a damaged packet):
# this much longer the next one is waited for. A camera that is set up wrongly must not cost more.
_SECOND_CHANCE_S = 0.5


class Camera:
    """Files the messages of one camera and hands out its newest frame. Thread-safe.

    topics: name on the wire for each stream, for sentences: image alone for a camera without depth,
    else image, depth and camera_info, all three waited for, and depth_camera_info, which is not.
    sync_slop_s: most that the stamps of one frame differ. sync_queue_size: messages of each stream
    that wait for partners. now_ns: the node's clock.
    """

    def __init__(
        self,
        topics: Mapping[str, str],
        decoder: FrameDecoder,
        *,
        sync_slop_s: float,
        sync_queue_size: int,
        now_ns: Callable[[], int],
    ) -> None:
        self._topics = topics
        self._now_ns = now_ns
        self._sync_slop_s = sync_slop_s
        self._changed = threading.Condition()
        self._decoding = threading.Lock()
        self._decoder = decoder
        self._required = tuple(name for name in topics if name != DEPTH_CAMERA_INFO)
        self._arrivals = {name: Arrivals() for name in topics}
        self._synchroniser = Synchroniser(
            self._required,
            round(sync_slop_s * 1e9),
            optional=tuple(name for name in topics if name not in self._required),
            capacity=sync_queue_size,
        )

    def add(self, stream: str, message: Image | CompressedImage | CameraInfo) -> None:
        """File a message of `stream`; what cannot be part of a frame is counted and dropped."""
        size = size_bytes(message)
        refusal: LisaError | None = None
        try:
            check_message(stream, message)
        except LisaError as error:
            refusal = error
        with self._changed:
            arrivals = self._arrivals[stream]
            arrivals.received += 1
            if refusal is not None:
                arrivals.refuse(refusal, oversized=size > MAX_MESSAGE_BYTES)
            else:
                arrivals.refusal = None
                self._synchroniser.add(stream, stamp_ns(message.header.stamp), message, size)
            self._changed.notify_all()

    def wait_for_frame(
        self, max_age_s: float, wait_s: float, should_stop: Callable[[], bool]
    ) -> RgbdFrame | NoFrame:
        """Return the newest frame that is at most `max_age_s` old, waiting for it at most `wait_s`.

        A camera that never sent depth gives frames without depth, after the wait. Raises
        ImageError, DepthError or CameraInfoError when nothing better than malformed messages came.
        """
        deadline_s = time.monotonic() + wait_s
        failure: LisaError | None = None
        while True:
            found = self._wait_for_messages(max_age_s, deadline_s, should_stop)
            if isinstance(found, NoFrame):
                if failure is not None and not should_stop():
                    raise failure
                return found
            try:
                return self._decode(found)
            except LisaError as error:
                if should_stop():
                    return NoFrame(str(error))
                failure = renewed(error)  # an error holds on to what it is about
                deadline_s = min(deadline_s, time.monotonic() + _SECOND_CHANCE_S)
                if time.monotonic() >= deadline_s:
                    raise

    def try_again(self) -> None:
        """Decode the newest frame if the last one failed, so that `states` complains no longer."""
        with self._changed:
            newest = self._synchroniser.newest_set
            failed = any(arrivals.failure is not None for arrivals in self._arrivals.values())
        if failed and newest is not None:
            with suppress(LisaError):  # which is what `states` says then
                self._decode(newest)

    def states(self) -> dict[str, StreamState]:
        """Return what arrives, by stream."""
        with self._changed:
            return {stream: self._state(stream) for stream in self._topics}

    def frame_age_s(self) -> float | None:
        """Return the age of the newest synchronised frame by the node's clock; None without one."""
        with self._changed:
            newest = self._synchroniser.newest_set
            return None if newest is None else self._age_s(newest.stamp_ns)

    def time_jumps(self) -> int:
        """Return how often the stamps jumped back."""
        with self._changed:
            return self._synchroniser.time_jumps

    def _wait_for_messages(
        self, max_age_s: float, deadline_s: float, should_stop: Callable[[], bool]
    ) -> MessageSet | NoFrame:
        with self._changed:
            while True:
                newest = self._synchroniser.newest_set
                if newest is not None and self._is_fresh(newest.stamp_ns, max_age_s):
                    return newest
                stopped = should_stop()
                remaining_s = deadline_s - time.monotonic()
                if stopped or remaining_s <= 0:
                    alone = self._color_only(max_age_s)
                    return alone or NoFrame(self._missing(max_age_s, stopped=stopped))
                self._changed.wait(min(_POLL_S, remaining_s))

    def _decode(self, found: MessageSet) -> RgbdFrame:
        """Decode a set; one that cannot be is thrown away."""
        try:
            with self._decoding:
                frame = self._decoder.decode(found.messages)
        except LisaError as error:
            self._reject(found, error)
            raise
        with self._changed:
            for arrivals in self._arrivals.values():
                arrivals.failure = None
        return frame

    def _reject(self, found: MessageSet, error: LisaError) -> None:
        """Count the message that is to blame, and make way for the next set."""
        blamed = IMAGE
        if isinstance(error, DepthError):
            blamed = DEPTH
        elif isinstance(error, CameraInfoError):
            blamed = CAMERA_INFO
        with self._changed:
            self._arrivals[blamed].fail(error)
            self._synchroniser.reject(found)

    def _state(self, stream: str) -> StreamState:
        arrivals, counters = self._arrivals[stream], self._synchroniser.counters(stream)
        stamp, newest = counters.newest_stamp_ns, self._synchroniser.newest_set
        offset_ns = None if newest is None else newest.offsets_ns.get(stream)
        problem = arrivals.refusal or arrivals.failure
        return StreamState(
            topic=self._topics[stream],
            received=arrivals.received,
            unmatched=counters.unmatched,
            age_s=None if stamp is None else self._age_s(stamp),
            repeated=counters.repeated,
            set_back=counters.set_back,
            oversized=arrivals.oversized,
            malformed=arrivals.malformed,
            problem="" if problem is None else str(problem),
            required=stream in self._required,
            offset_s=None if offset_ns is None else offset_ns / 1e9,
            newest_stamp_ns=stamp,
        )

    def _age_s(self, stamp: int) -> float:
        return (self._now_ns() - stamp) / 1e9

    def _is_fresh(self, stamp: int, max_age_s: float) -> bool:
        return abs(self._age_s(stamp)) <= max_age_s

    def _color_only(self, max_age_s: float) -> MessageSet | None:
        """Return the newest image alone, if it is fresh and the camera never sent any depth."""
        image = self._synchroniser.newest_message(IMAGE)
        if image is None or DEPTH not in self._topics or self._arrivals[DEPTH].received:
            return None
        stamp = stamp_ns(image.header.stamp)
        if not self._is_fresh(stamp, max_age_s):
            return None
        return MessageSet(stamp, {IMAGE: image}, {IMAGE: 0}, exact=True)

    def _missing(self, max_age_s: float, *, stopped: bool) -> str:
        """Say which input keeps a fresh frame from being put together, and on which topic.

        Raises the error of that input's last message where it was malformed.
        """
        states = {stream: self._state(stream) for stream in self._required}
        for name, state in states.items():
            refusal = self._arrivals[name].refusal
            if refusal is not None and not stopped:
                raise renewed(refusal)
            if state.received == 0:
                return f"No {name} has arrived on {state.topic}: is the camera running?"
            if state.age_s is None or abs(state.age_s) > max_age_s:
                clock_stands = self._now_ns() == 0
                return too_old(name, state, max_age_s=max_age_s, clock_stands=clock_stands)
        failures = [each.failure for each in self._arrivals.values() if each.failure is not None]
        if failures and not stopped:
            raise renewed(failures[0])  # of the frame that has just been thrown away
        ages = ", ".join(f"{name} {state.age_s:.3f} s" for name, state in states.items())
        return (
            f"image, depth and camera_info arrive, but no three stamps lie within "
            f"{self._sync_slop_s:g} s; newest ages: {ages}. Raise sync_slop_s, or make the driver "
            "synchronise its streams."
        )
