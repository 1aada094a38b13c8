"""The camera without DDS: what is said when there is no frame, and what rubbish may not do."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

pytest.importorskip("sensor_msgs")

from fed_camera import NOW_S, TOPICS, camera_info, changed, depth, fill, image, look, make_camera

from lisa_ros.errors import CameraInfoError, DepthError, ImageError
from lisa_ros.nodes.answers import NoFrame
from lisa_ros.nodes.depth_alignment import DepthAligner
from lisa_ros.nodes.frame_decoding import FrameDecoder
from lisa_ros.nodes.frames import Camera
from lisa_ros.types import RgbdFrame


@pytest.mark.parametrize(
    ("stamps", "words"),
    [
        ({}, "No image has arrived on /lisa/image"),
        ({"depth": NOW_S, "camera_info": NOW_S}, "No image has arrived on /lisa/image"),
        ({"image": NOW_S, "depth": NOW_S}, "No camera_info has arrived on /lisa/camera_info"),
        ({"image": NOW_S - 5}, "The newest image on /lisa/image is 5.00 s old"),
        ({"image": NOW_S + 5}, "5.00 s in the future"),
        ({"image": 0}, "Does the driver set its stamps"),
        ({"image": NOW_S, "depth": NOW_S - 3, "camera_info": NOW_S}, "newest depth on /lisa/depth"),
        ({"image": NOW_S, "depth": NOW_S - 0.1, "camera_info": NOW_S}, "Raise sync_slop_s"),
    ],
)
def test_reason_names_the_input_that_is_missing(stamps: dict[str, float], words: str) -> None:
    camera = make_camera()
    for stream, stamp_s in stamps.items():
        camera.add(
            stream, {"image": image, "depth": depth, "camera_info": camera_info}[stream](stamp_s)
        )
    answer = look(camera)
    assert isinstance(answer, NoFrame)
    assert words in answer.reason


def test_depth_that_stops_is_stale_and_not_a_camera_without_depth() -> None:
    camera = make_camera()
    fill(camera, NOW_S - 10)
    camera.add("image", image(NOW_S))
    assert "newest depth on /lisa/depth is 10.00 s old" in look(camera).reason


@pytest.mark.parametrize(
    ("messages", "error", "words"),
    [
        ({"depth": depth(NOW_S, size=(6, 3))}, DepthError, "depth is 3x6, the colour image 8x6"),
        ({"depth": depth(NOW_S, frame_id="depth_lens")}, DepthError, "align_depth.enable"),
        ({"depth": image(NOW_S)}, DepthError, "'rgb8'"),
        ({"image": depth(NOW_S)}, ImageError, "'16UC1'"),
        ({"image": changed(image(NOW_S), height=7)}, ImageError, "holds 144 bytes"),
        ({"image": changed(image(NOW_S), encoding="x" * 999)}, ImageError, "999 characters"),
        ({"depth": changed(depth(NOW_S), data=[])}, DepthError, "holds 0 bytes"),
        ({"camera_info": camera_info(NOW_S, d=[0.0] * 99)}, CameraInfoError, "99 distortion"),
        ({"camera_info": camera_info(NOW_S, width=640)}, CameraInfoError, "8x6"),
        ({"camera_info": camera_info(NOW_S, k=[0.0] * 9)}, CameraInfoError, "focal lengths"),
    ],
)
def test_messages_that_do_not_fit_are_errors_and_the_next_frame_is_good(
    messages: dict[str, Any], error: type[Exception], words: str
) -> None:
    camera = make_camera()
    good = {"image": image(NOW_S), "depth": depth(NOW_S), "camera_info": camera_info(NOW_S)}
    for stream, message in (good | messages).items():
        camera.add(stream, message)
    with pytest.raises(error, match=words):
        look(camera)
    fill(camera, NOW_S + 0.1)
    assert isinstance(look(camera), RgbdFrame)


def test_a_complaint_ends_with_its_cause_and_not_with_the_next_question() -> None:
    camera = make_camera()
    bad = {"image": image(NOW_S), "depth": depth(NOW_S, frame_id="lens")}
    for stream, message in (bad | {"camera_info": camera_info(NOW_S)}).items():
        camera.add(stream, message)
    camera.try_again()
    assert camera.states()["depth"].problem == ""  # nobody has looked at it yet
    with pytest.raises(DepthError):
        look(camera)
    camera.try_again()
    assert "lens" in camera.states()["depth"].problem
    for stream, message in (bad | {"camera_info": camera_info(NOW_S)}).items():
        camera.add(stream, message)
    camera.try_again()
    assert camera.states()["depth"].malformed == 2
    fill(camera, NOW_S)
    camera.try_again()
    assert camera.states()["depth"].problem == ""


def test_an_error_does_not_keep_the_messages_alive_that_it_is_about() -> None:
    camera = make_camera()
    bad = depth(NOW_S, frame_id="lens")
    held = weakref.ref(bad.data)
    for stream, message in {"image": image(NOW_S), "depth": bad}.items():
        camera.add(stream, message)
    camera.add("camera_info", camera_info(NOW_S))
    del bad, message

    def repair() -> bool:  # asked for once the bad frame has failed
        fill(camera, NOW_S + 0.1)
        return False

    gc.disable()  # which would find it some time
    try:
        assert isinstance(camera.wait_for_frame(1.0, 30.0, repair), RgbdFrame)
        assert held() is None
    finally:
        gc.enable()


def test_good_frame_after_a_bad_one_is_waited_for() -> None:
    camera = make_camera()
    for stream, message in (
        ("image", image(NOW_S)),
        ("depth", depth(NOW_S, size=(6, 3))),  # of before a restart with another resolution
        ("camera_info", camera_info(NOW_S)),
    ):
        camera.add(stream, message)
    failed = []

    def go_on() -> bool:  # asked while it waits
        if not failed:
            failed.append(camera.states()["depth"].malformed)
            fill(camera, NOW_S + 0.1)
        return False

    assert isinstance(camera.wait_for_frame(1.0, 30.0, go_on), RgbdFrame)
    assert failed == [1]


def test_camera_that_only_sends_rubbish_does_not_use_up_the_wait() -> None:
    camera = make_camera()
    fill(camera, NOW_S)
    camera.add("camera_info", camera_info(NOW_S, width=640))
    with pytest.raises(CameraInfoError):
        look(camera, wait_s=3600.0)
    assert "8x6" in camera.states()["camera_info"].problem
    camera.add("camera_info", camera_info(NOW_S + 0.1))
    assert "8x6" in camera.states()["camera_info"].problem, "until a frame can be decoded"
    fill(camera, NOW_S + 0.1)
    look(camera)
    assert camera.states()["camera_info"].problem == ""


def test_endless_rubbish_does_not_keep_it_busy_for_ever() -> None:
    stamps_s = iter(NOW_S + number / 1000 for number in range(10**6))

    class Broken(FrameDecoder):
        def decode(self, messages: Any) -> RgbdFrame:
            fill(camera, next(stamps_s))  # the next one is there before this one has failed
            raise DepthError("broken")

    camera = Camera(
        TOPICS,
        Broken(rectified=False, aligner=DepthAligner()),
        sync_slop_s=0.0,
        sync_queue_size=2,
        now_ns=lambda: int(NOW_S * 1e9),
    )
    fill(camera, next(stamps_s))
    with pytest.raises(DepthError, match="broken"):
        camera.wait_for_frame(1e6, 3600.0, should_stop=lambda: False)
    found = camera.wait_for_frame(1e6, 3600.0, should_stop=lambda: True)
    assert isinstance(found, NoFrame)


def test_stop_is_no_failure() -> None:
    camera = make_camera()
    camera.add("image", changed(image(NOW_S), data=[]))
    assert isinstance(camera.wait_for_frame(1.0, 3600.0, should_stop=lambda: True), NoFrame)


def test_malformed_messages_do_not_get_in_the_way_of_good_ones() -> None:
    camera = make_camera()
    for number in range(5):
        fill(camera, NOW_S - 0.5 + 0.03 * number)
        camera.add("image", changed(image(NOW_S - 0.3), step=1))
        camera.add("depth", changed(depth(NOW_S - 0.3), width=2**31))
    assert isinstance(look(camera), RgbdFrame)
    states = camera.states()
    assert (states["image"].received, states["image"].malformed) == (10, 5)
    assert "step of 1 bytes" in states["image"].problem
    camera.add("image", image(NOW_S))
    assert camera.states()["image"].problem == ""


def test_oversized_messages_are_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lisa_ros.nodes.frames.MAX_MESSAGE_BYTES", 100)
    monkeypatch.setattr("lisa_ros.nodes.message_checks.MAX_MESSAGE_BYTES", 100)
    camera = make_camera()
    camera.add("image", image(NOW_S))
    assert camera.states()["image"].oversized == 1
    with pytest.raises(ImageError, match="144 bytes; expected at most 100"):
        look(camera)


def test_clock_that_stands_still_is_named() -> None:
    camera = make_camera(now_s=0.0)
    fill(camera, NOW_S)
    assert "use_sim_time is set, and nobody publishes /clock" in look(camera).reason
