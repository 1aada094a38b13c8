"""Poses of the camera by a fixed pose or from a tf2 buffer, with a buffer made for the test."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lisa_ros.errors import TransformError, TransformsUnavailableError
from lisa_ros.nodes import transforms
from lisa_ros.nodes.transforms import FixedPose, OnDemand, Tf2Poses, listen, require_tf2

STAMP_NS = 12_000_000_345


class TransformException(Exception):  # noqa: N818
    """As tf2's exceptions: one base, and the kinds that are told apart by name."""


class LookupException(TransformException): ...


class ExtrapolationException(TransformException): ...


class Buffer:
    """Fails with each of the failures in turn (the last one for ever), then knows the transform."""

    def __init__(
        self,
        *failures: Exception,
        for_ever: bool = False,
        quaternion: tuple[float, ...] = (0, 0, 0, 1),
    ) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self._failures = list(failures)
        self._for_ever = for_ever
        self._quaternion = quaternion

    def lookup_transform(self, target_frame: str, source_frame: str, time: Any) -> Any:
        self.asked.append((target_frame, source_frame, time))
        if self._failures:
            raise self._failures[0] if self._for_ever else self._failures.pop(0)
        x, y, z, w = self._quaternion
        return SimpleNamespace(
            transform=SimpleNamespace(
                translation=SimpleNamespace(x=1.0, y=2.0, z=3.0),
                rotation=SimpleNamespace(x=x, y=y, z=z, w=w),
            )
        )


def look_up(
    buffer: Buffer, wait_s: float = 0.0, should_stop: Callable[[], bool] = lambda: False
) -> np.ndarray:
    source = Tf2Poses(buffer, TransformException, lambda stamp_ns: ("time", stamp_ns))
    return source.lookup("base_link", "camera", STAMP_NS, wait_s, should_stop)


def test_pose_is_that_of_the_camera_at_the_stamp_of_the_image() -> None:
    buffer = Buffer(quaternion=(0.0, 0.0, 1.0, 1.0))  # a quarter turn about z, not normalised
    T_base_camera = look_up(buffer)
    assert buffer.asked == [("base_link", "camera", ("time", STAMP_NS))]
    np.testing.assert_allclose(T_base_camera[:3, 3], (1.0, 2.0, 3.0))
    np.testing.assert_allclose(T_base_camera[:3, 0], (0.0, 1.0, 0.0), atol=1e-12)


def test_frames_of_ros_1_are_looked_up_as_tf2_stores_them() -> None:
    buffer = Buffer()
    source = Tf2Poses(buffer, TransformException, lambda stamp_ns: stamp_ns)
    source.lookup("base_link", "/openni_rgb_optical_frame", STAMP_NS, 0.0, lambda: False)
    assert buffer.asked == [("base_link", "openni_rgb_optical_frame", STAMP_NS)]


def test_transform_that_is_late_is_waited_for() -> None:
    late = ExtrapolationException("would require extrapolation into the future")
    buffer = Buffer(late, late, late)
    look_up(buffer, wait_s=30.0)
    assert len(buffer.asked) == 4


@pytest.mark.parametrize(
    ("failure", "advice"),
    [
        (LookupException('"base_link" does not exist.'), "Nobody has published that frame"),
        (ExtrapolationException("Lookup would require extrapolation."), "transform_wait_s"),
        (TransformException("something else"), ""),
    ],
)
def test_missing_transform_says_which_why_and_how_long(failure: Exception, advice: str) -> None:
    with pytest.raises(TransformError, match=re.escape(str(failure).rstrip("."))) as raised:
        look_up(Buffer(failure, for_ever=True), wait_s=0.02)
    words = str(raised.value)
    assert "from 'camera' to 'base_link'" in words
    assert "12.000 s" in words
    assert re.search(r"after 0\.\d\d s", words)
    assert advice in words


def test_no_wait_means_one_look() -> None:
    buffer = Buffer(LookupException("unknown"), for_ever=True)
    with pytest.raises(TransformError):
        look_up(buffer)
    assert len(buffer.asked) == 1


def test_stop_ends_the_wait() -> None:
    buffer = Buffer(LookupException("unknown"), for_ever=True)
    with pytest.raises(TransformError):
        look_up(buffer, wait_s=3600.0, should_stop=lambda: len(buffer.asked) == 3)
    assert len(buffer.asked) == 3


def test_fault_of_the_buffer_itself_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        look_up(Buffer(ZeroDivisionError()), wait_s=3600.0)


def test_transform_that_is_none_is_refused() -> None:
    with pytest.raises(TransformError, match="not all zero"):
        look_up(Buffer(quaternion=(0.0, 0.0, 0.0, 0.0)))


def test_fixed_pose_holds_at_any_time() -> None:
    pose = np.eye(4)
    assert FixedPose(pose).lookup("base", "camera", 0, 0.0, lambda: True) is pose


def test_source_on_demand_is_opened_by_the_first_question_and_once() -> None:
    opened: list[FixedPose] = []

    def open_source() -> FixedPose:
        opened.append(FixedPose(np.eye(4)))
        return opened[-1]

    source = OnDemand(open_source)
    assert not opened
    for _ in range(2):
        assert source.lookup("base", "camera", 0, 0.0, lambda: False) is opened[0].T_target_camera
    assert source.open() is opened[0]
    assert len(opened) == 1


def test_missing_tf2_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DISTRO", "jazzy")
    monkeypatch.setattr(transforms.importlib.util, "find_spec", lambda name: None)
    for ask in (require_tf2, lambda: listen(None)):
        with pytest.raises(TransformsUnavailableError, match="ros-jazzy-tf2-ros-py`") as it:
            ask()
        assert "camera_to_target" in str(it.value)


def test_tf2_that_cannot_be_imported_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a Python of another version: the package is there, its binary part is not."""

    def fail(name: str) -> ModuleType:
        raise ModuleNotFoundError("No module named 'tf2_py._tf2_py'")

    monkeypatch.setattr(transforms.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(transforms.importlib, "import_module", fail)
    with pytest.raises(TransformsUnavailableError, match="_tf2_py"):
        listen(None)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What `listen` makes of tf2_ros, in order; beside the real one, which may not be there."""
    made: list[Any] = []

    class RosBuffer(Buffer):
        def __init__(self, cache_time: Any) -> None:
            super().__init__()
            made.append(cache_time.nanoseconds)

        def clear(self) -> None:
            made.append("cleared")

    tf2_ros = ModuleType("tf2_ros")
    tf2_ros.Buffer = RosBuffer
    tf2_ros.TransformListener = lambda buffer, node: made.append((buffer, node))
    tf2_ros.TransformException = TransformException
    monkeypatch.setitem(sys.modules, "tf2_ros", tf2_ros)
    monkeypatch.setattr(transforms.importlib.util, "find_spec", lambda name: object())
    return made


def node_with_a_clock() -> Any:
    pytest.importorskip("rclpy")
    from rclpy.clock import ROSClock
    from rclpy.time import Time

    clock = ROSClock()
    clock._set_ros_time_is_active(True)
    clock.set_ros_time_override(Time(seconds=100, clock_type=clock.clock_type))
    return SimpleNamespace(get_clock=lambda: clock)


def test_listening_connects_tf2s_buffer_and_listener(made: list[Any]) -> None:
    its_node = node_with_a_clock()
    poses = listen(its_node)
    cache_ns, (buffer, node) = made
    assert cache_ns >= 10_000_000_000
    assert node is its_node
    T = poses.lookup("base_link", "camera", STAMP_NS, 0.0, lambda: False)
    np.testing.assert_allclose(T[:3, 3], (1.0, 2.0, 3.0))
    assert buffer.asked[0][2].nanoseconds == STAMP_NS


def test_a_bag_that_loops_begins_with_an_empty_buffer(made: list[Any]) -> None:
    """tf2 refuses transforms that are older than its newest by the length of its history."""
    node = node_with_a_clock()
    from rclpy.time import Time

    clock = node.get_clock()
    poses = listen(node)
    for seconds, cleared in ((160, 0), (159.9, 0), (3, 1), (4, 1)):
        clock.set_ros_time_override(Time(seconds=seconds, clock_type=clock.clock_type))
        assert made.count("cleared") == cleared
    assert poses is not None  # and with it the watch


@pytest.mark.parametrize("stamp_ns", [0, -1])
def test_an_image_without_a_stamp_is_not_placed_by_whatever_transform_is_newest(
    stamp_ns: int,
) -> None:
    buffer = Buffer()
    source = Tf2Poses(buffer, TransformException, lambda stamp_ns: stamp_ns)
    with pytest.raises(TransformError, match="set its stamps"):
        source.lookup("base_link", "camera", stamp_ns, 0.0, lambda: False)
    assert buffer.asked == []


@pytest.mark.ros
@pytest.mark.skipif(
    importlib.util.find_spec("tf2_ros") is None,
    reason="tf2_ros is part of a ROS 2 installation and not on PyPI",
)
def test_real_tf2() -> None:
    """A static transform put straight into tf2's own buffer comes out at any stamp."""
    import rclpy
    from geometry_msgs.msg import TransformStamped

    rclpy.init()
    node = rclpy.create_node("listener_of_the_test")
    try:
        poses = listen(node)
        with pytest.raises(TransformError, match="Nobody has published that frame"):
            poses.lookup("base_link", "camera", STAMP_NS, 0.0, lambda: False)
        message = TransformStamped(child_frame_id="camera")
        message.header.frame_id = "base_link"
        message.transform.translation.x = 1.0
        poses._buffer.set_transform_static(message, "test")
        T = poses.lookup("base_link", "camera", STAMP_NS, 0.0, lambda: False)
        np.testing.assert_allclose(T[:3, 3], (1.0, 0.0, 0.0))
    finally:
        node.destroy_node()
        rclpy.shutdown()
