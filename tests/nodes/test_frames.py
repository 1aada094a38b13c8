"""The camera without DDS: which frame is handed out, and how it is decoded."""

from __future__ import annotations

import threading

import numpy as np
import pytest

pytest.importorskip("sensor_msgs")

from fed_camera import (
    ALL_TOPICS,
    NOW_S,
    TOPICS,
    camera_info,
    depth,
    fill,
    header,
    image,
    look,
    make_camera,
)

from lisa_ros.geometry import deproject
from lisa_ros.nodes.answers import NoFrame
from lisa_ros.nodes.depth_alignment import DepthAligner
from lisa_ros.nodes.frame_decoding import FrameDecoder
from lisa_ros.nodes.frames import Camera
from lisa_ros.nodes.image_compression import depth_png_message, jpeg_message
from lisa_ros.types import Lens, RgbdFrame


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
