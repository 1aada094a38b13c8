"""Where the camera is in target_frame: by a fixed pose, or by tf2 at the stamp of the image.

tf2_ros comes with a ROS 2 installation and not from PyPI, so it is imported when it is asked for.
Where it is missing, the fixed pose is the only source, and whoever asks for another is told so.
There is no listener of our own beside it: the messages on /tf (tf2_msgs) come with tf2 alone.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from lisa_ros.errors import TransformError, TransformsUnavailableError
from lisa_ros.geometry import make_transform
from lisa_ros.types import Float64Array

# Transforms older than this are forgotten: an image may have waited for a slow answer.
_HISTORY_S = 60.0
_POLL_S = 0.005
# The clock jumps back with a bag that loops, or a simulation that is restarted.
_TIME_JUMP_S = -0.5
# What to do, by the name of tf2's exception.
_ADVICE = {
    "LookupException": "Nobody has published that frame: check the name, and what should publish "
    "it on /tf or /tf_static.",
    "ConnectivityException": "Both frames are known, but no chain of transforms leads from one to "
    "the other: `ros2 run tf2_tools view_frames` shows the trees.",
    "ExtrapolationException": "Transforms of that time have not come yet, or are forgotten: raise "
    "transform_wait_s, and check that camera and robot have the same clock.",
}


class TransformSource(Protocol):
    """Says where the camera was."""

    def lookup(
        self,
        target_frame: str,
        camera_frame: str,
        stamp_ns: int,
        wait_s: float,
        should_stop: Callable[[], bool],
    ) -> Float64Array:
        """Return T_target_camera f64[4,4] at a stamp, waiting for it at most wait_s.

        Raises TransformError when there is none by then, or earlier when should_stop says so.
        """
        ...


@dataclass(frozen=True)
class TargetFrame:
    """Where targets are wanted, who knows the way there, and how long to wait for that."""

    frame_id: str
    source: TransformSource
    wait_s: float


@dataclass(frozen=True)
class FixedPose:
    """A camera that does not move in target_frame: f64[4,4], at every time."""

    T_target_camera: Float64Array

    def lookup(
        self,
        target_frame: str,
        camera_frame: str,
        stamp_ns: int,
        wait_s: float,
        should_stop: Callable[[], bool],
    ) -> Float64Array:
        """Return the pose."""
        return self.T_target_camera


class Tf2Poses:
    """Poses from a tf2_ros.Buffer that something else fills.

    lookup_error: the base of the buffer's exceptions. time_message: makes of integer nanoseconds
    what the buffer takes for a time.
    """

    def __init__(
        self, buffer: Any, lookup_error: type[Exception], time_message: Callable[[int], Any]
    ) -> None:
        self._buffer = buffer
        self._lookup_error = lookup_error
        self._time_message = time_message

    def lookup(
        self,
        target_frame: str,
        camera_frame: str,
        stamp_ns: int,
        wait_s: float,
        should_stop: Callable[[], bool],
    ) -> Float64Array:
        """Return the pose at the stamp.

        Asks again and again instead of having tf2 wait: its wait can neither be stopped, nor does
        it end while a simulated clock stands still.
        """
        if stamp_ns <= 0:
            raise TransformError(
                f"the image's stamp is {stamp_ns / 1e9:.3f} s, which tf2 does not take for a time: "
                "for 0 it gives whatever transform is newest. Have the driver set its stamps"
            )
        stamp = self._time_message(stamp_ns)
        # tf2 takes the slash off what comes in, as from bags made with ROS 1, and refuses it here.
        target_frame, camera_frame = target_frame.lstrip("/"), camera_frame.lstrip("/")
        started_s = time.monotonic()
        while True:
            try:
                found = self._buffer.lookup_transform(target_frame, camera_frame, stamp)
            except self._lookup_error as error:
                waited_s = time.monotonic() - started_s
                if waited_s >= wait_s or should_stop():
                    raise TransformError(
                        f"no transform from {camera_frame!r} to {target_frame!r} at the image's "
                        f"stamp {stamp_ns / 1e9:.3f} s, after {waited_s:.2f} s of waiting. tf2 "
                        f"says: {str(error).rstrip('.')}. {_ADVICE.get(type(error).__name__, '')}"
                    ) from error
            else:
                return _matrix(found.transform)
            time.sleep(min(_POLL_S, wait_s))


class OnDemand:
    """A source that is opened with the first question, by whatever thread asks it.

    Whoever has a fixed pose needs neither tf2 nor the traffic on its topics. open_source: may raise
    TransformsUnavailableError, again and again.
    """

    def __init__(self, open_source: Callable[[], TransformSource]) -> None:
        self._open_source = open_source
        self._lock = threading.Lock()
        self._source: TransformSource | None = None

    def open(self) -> TransformSource:
        """Return the source."""
        with self._lock:
            if self._source is None:
                self._source = self._open_source()
            return self._source

    def lookup(
        self,
        target_frame: str,
        camera_frame: str,
        stamp_ns: int,
        wait_s: float,
        should_stop: Callable[[], bool],
    ) -> Float64Array:
        """Look it up there; raises as that does, or as opening it does."""
        return self.open().lookup(target_frame, camera_frame, stamp_ns, wait_s, should_stop)


def require_tf2() -> None:
    """Raise TransformsUnavailableError where tf2_ros is not installed."""
    if importlib.util.find_spec("tf2_ros") is None:
        raise _unavailable("it is not installed")


def listen(node: Any) -> Tf2Poses:
    """Subscribe a node to /tf and /tf_static from now on; its executor brings the transforms.

    When the node's clock jumps back, all but the static ones are forgotten: beside those from later
    on tf2 would not take new ones.

    Raises TransformsUnavailableError where tf2_ros cannot be imported.
    """
    require_tf2()
    try:
        tf2_ros = importlib.import_module("tf2_ros")
    except ImportError as error:
        raise _unavailable(str(error)) from error
    from rclpy.clock import JumpThreshold
    from rclpy.duration import Duration
    from rclpy.time import Time

    buffer = tf2_ros.Buffer(cache_time=Duration(seconds=_HISTORY_S))
    # These live as long as what they fill and clear. (tf2's own watch is of a clock without jumps.)
    buffer.listener = tf2_ros.TransformListener(buffer, node)
    buffer.clock_watch = node.get_clock().create_jump_callback(
        JumpThreshold(min_forward=None, min_backward=Duration(seconds=_TIME_JUMP_S)),
        post_callback=lambda jump: buffer.clear(),
    )
    return Tf2Poses(buffer, tf2_ros.TransformException, lambda ns: Time(nanoseconds=ns))


def _unavailable(problem: str) -> TransformsUnavailableError:
    distribution = os.environ.get("ROS_DISTRO", "$ROS_DISTRO")
    return TransformsUnavailableError(
        f"target_frame needs tf2_ros, and {problem}. Install it with `sudo apt install "
        f"ros-{distribution}-tf2-ros-py` (it is not on PyPI), or set camera_to_target to the "
        "camera's fixed pose in target_frame"
    )


def _matrix(transform: Any) -> Float64Array:
    t, q = transform.translation, transform.rotation
    return make_transform(np.array([t.x, t.y, t.z]), np.array([q.x, q.y, q.z, q.w]))
