"""The camera without DDS: which frame is handed out, and what is said when there is none."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sensor_msgs")

from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from lisa_ros.errors import CameraInfoError, DepthError, ImageError
from lisa_ros.geometry import deproject
from lisa_ros.nodes.answers import NoFrame
from lisa_ros.nodes.conversions import stamp_message
from lisa_ros.nodes.depth_alignment import DepthAligner
from lisa_ros.nodes.frame_decoding import FrameDecoder
from lisa_ros.nodes.frames import Camera
from lisa_ros.nodes.image_compression import depth_png_message, jpeg_message
from lisa_ros.nodes.images import message_from_array
from lisa_ros.types import Lens, RgbdFrame

NOW_S = 10_000.0
TOPICS = {"image": "/lisa/image", "depth": "/lisa/depth", "camera_info": "/lisa/camera_info"}
ALL_TOPICS = TOPICS | {"depth_camera_info": "/lisa/depth_camera_info"}


def header(stamp_s: float, frame_id: str = "camera") -> Header:
    return Header(stamp=stamp_message(round(stamp_s * 1e9)), frame_id=frame_id)


def image(stamp_s: float, size: tuple[int, int] = (6, 8)) -> Image:
    return message_from_array(np.full((*size, 3), 7, np.uint8), "rgb8", header(stamp_s))


def depth(stamp_s: float, size: tuple[int, int] = (6, 8), frame_id: str = "camera") -> Image:
    values = np.full(size, 1500, np.uint16)
    values[0, 0] = 0
    return message_from_array(values, "16UC1", header(stamp_s, frame_id))


def camera_info(stamp_s: float, **changes: Any) -> CameraInfo:
    k = [10.0, 0.0, 3.5, 0.0, 10.0, 2.5, 0.0, 0.0, 1.0]
    p = [20.0, 0.0, 3.5, 0.0, 0.0, 20.0, 2.5, 0.0, 0.0, 0.0, 1.0, 0.0]
    message = CameraInfo(header=header(stamp_s), width=8, height=6, k=k, p=p)
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def changed(message: Any, **fields: Any) -> Any:
    for name, value in fields.items():
        setattr(message, name, value)
    return message


def make_camera(
    rectified: bool = False,
    topics: dict[str, str] = TOPICS,
    now_s: float = NOW_S,
    **alignment: Any,
) -> Camera:
    return Camera(
        topics,
        FrameDecoder(rectified=rectified, aligner=DepthAligner(**alignment)),
        sync_slop_s=0.02,
        sync_queue_size=10,
        now_ns=lambda: int(now_s * 1e9),
    )


def fill(camera: Camera, stamp_s: float) -> None:
    camera.add("image", image(stamp_s))
    camera.add("depth", depth(stamp_s))
    camera.add("camera_info", camera_info(stamp_s))


def look(camera: Camera, wait_s: float = 0.0) -> RgbdFrame | NoFrame:
    return camera.wait_for_frame(max_age_s=1.0, wait_s=wait_s, should_stop=lambda: False)


def test_newest_complete_frame_is_decoded() -> None:
    camera = make_camera()
    for age_s in (0.9, 0.5, 0.1):
        fill(camera, NOW_S - age_s)
    camera.add("image", image(NOW_S))
    frame = look(camera)
    assert isinstance(frame, RgbdFrame)
    assert frame.stamp_ns == round((NOW_S - 0.1) * 1e9)
    assert frame.frame_id == "camera"
    assert frame.depth_m.dtype == np.float32
    assert np.isnan(frame.depth_m[0, 0])
    assert frame.depth_m[1, 1] == pytest.approx(1.5)
    assert (frame.intrinsics.fx, frame.intrinsics.width, frame.rays) == (10.0, 8, None)
    assert look(camera) is frame


def test_frame_that_comes_while_waiting_is_taken() -> None:
    camera = make_camera()
    later = threading.Timer(0.05, fill, [camera, NOW_S])
    later.start()
    assert isinstance(look(camera, wait_s=30.0), RgbdFrame)
    later.join()


def test_stop_ends_the_wait() -> None:
    answer = make_camera().wait_for_frame(1.0, wait_s=3600.0, should_stop=lambda: True)
    assert isinstance(answer, NoFrame)


def test_rectified_images_use_p() -> None:
    camera = make_camera(rectified=True)
    fill(camera, NOW_S)
    assert look(camera).intrinsics.fx == 20.0


def test_distorted_camera_gives_rays() -> None:
    camera = make_camera()
    for stamp_s in (NOW_S - 0.1, NOW_S):
        camera.add("image", image(stamp_s))
        camera.add("depth", depth(stamp_s))
        info = camera_info(stamp_s, d=[0.1, 0.0, 0.0, 0.0, 0.0], distortion_model="plumb_bob")
        camera.add("camera_info", info)
    frame = look(camera)
    assert frame.rays.shape == (6, 8, 2)
    assert frame.lens == Lens("plumb_bob", (0.1, 0.0, 0.0, 0.0, 0.0))  # goes into saved samples
    straight = deproject(np.ones((6, 8), np.float32), frame.intrinsics)[..., :2]
    assert np.linalg.norm(frame.rays[0, 0]) < np.linalg.norm(straight[0, 0])


def test_camera_without_depth_gives_colour_alone() -> None:
    camera = make_camera()
    camera.add("image", image(NOW_S))
    frame = look(camera)
    assert frame.depth_m is None
    assert frame.intrinsics is None
    assert frame.image.shape == (6, 8, 3)


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


def test_camera_may_change_its_size_between_frames() -> None:
    camera = make_camera()
    fill(camera, NOW_S - 0.1)
    look(camera)
    camera.add("image", image(NOW_S, (12, 16)))
    camera.add("depth", depth(NOW_S, (12, 16)))
    camera.add("camera_info", camera_info(NOW_S, width=16, height=12))
    assert look(camera).depth_m.shape == (12, 16)


def test_camera_of_colour_alone_is_not_waited_for() -> None:
    camera = make_camera(topics={"image": "/lisa/image"})
    camera.add("image", image(NOW_S))
    frame = look(camera)
    assert frame.depth_m is None
    assert camera.states().keys() == {"image"}


def test_compressed_messages_make_frames() -> None:
    camera = make_camera()
    pixels = np.full((6, 8, 3), (200, 30, 60), np.uint8)
    millimetres = np.arange(48, dtype=np.uint16).reshape(6, 8)
    camera.add("image", jpeg_message(pixels, header(NOW_S)))
    camera.add("depth", depth_png_message(millimetres, header(NOW_S)))
    camera.add("camera_info", camera_info(NOW_S))
    frame = look(camera)
    assert np.abs(frame.image.astype(int) - pixels).max() <= 4
    assert np.isnan(frame.depth_m[0, 0])
    assert frame.depth_m[5, 7] == pytest.approx(0.047)


def test_smaller_depth_of_the_same_view_is_brought_to_size() -> None:
    camera = make_camera()
    camera.add("image", image(NOW_S))
    camera.add("depth", depth(NOW_S, size=(3, 4)))
    camera.add("camera_info", camera_info(NOW_S))
    frame = look(camera)
    assert frame.depth_m.shape == (6, 8)
    assert np.isnan(frame.depth_m[:2, :2]).all()
    assert np.isfinite(frame.depth_m).sum() == 44


def test_depth_of_another_lens_is_registered() -> None:
    pose = np.eye(4)
    pose[0, 3] = 0.3  # 2 px at 1.5 m
    camera = make_camera(topics=ALL_TOPICS, depth_to_color=pose)
    camera.add("image", image(NOW_S))
    camera.add("depth", depth(NOW_S, frame_id="depth_lens"))
    camera.add("camera_info", camera_info(NOW_S))
    camera.add("depth_camera_info", camera_info(NOW_S))
    frame = look(camera)
    assert np.isnan(frame.depth_m[:, :2]).all()
    assert np.isnan(frame.depth_m[0, 2])
    np.testing.assert_allclose(frame.depth_m[1:, 2:], 1.5)


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


def test_bag_that_loops_shows_nothing_of_the_last_round() -> None:
    now_s = NOW_S
    camera = Camera(
        TOPICS,
        FrameDecoder(rectified=False, aligner=DepthAligner()),
        sync_slop_s=0.02,
        sync_queue_size=10,
        now_ns=lambda: int(now_s * 1e9),
    )
    for loop in range(3):
        for step in range(8):
            now_s = NOW_S + step / 10
            fill(camera, now_s)
            frame = look(camera)
            assert frame.stamp_ns == round(now_s * 1e9), f"loop {loop}, step {step}"
    assert camera.time_jumps() == 2
    assert camera.states()["image"].set_back > 0


def test_clock_that_stands_still_is_named() -> None:
    camera = make_camera(now_s=0.0)
    fill(camera, NOW_S)
    assert "use_sim_time is set, and nobody publishes /clock" in look(camera).reason


def test_states_count_and_age() -> None:
    camera = make_camera()
    fill(camera, NOW_S - 0.25)
    camera.add("image", image(NOW_S - 0.125))
    states = camera.states()
    assert (states["image"].topic, states["image"].received) == ("/lisa/image", 2)
    assert states["image"].age_s == pytest.approx(0.125)
    assert states["depth"].age_s == pytest.approx(0.25)
    assert camera.time_jumps() == 0


def test_age_of_the_newest_frame_is_that_of_matching_stamps() -> None:
    camera = make_camera()
    assert camera.frame_age_s() is None
    camera.add("image", image(NOW_S))
    camera.add("depth", depth(NOW_S - 0.5))
    camera.add("camera_info", camera_info(NOW_S))
    assert camera.frame_age_s() is None
    fill(camera, NOW_S - 0.2)
    assert camera.frame_age_s() == pytest.approx(0.2)
