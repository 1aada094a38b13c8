"""Answers as messages: every field that a robot may rely on."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("lisa_ros.msg")

from lisa_ros.msg import Perception
from sensor_msgs.msg import PointCloud2

from lisa_ros.geometry import CameraModel, LensDistortion, quaternion_to_matrix
from lisa_ros.nodes.answers import Answer, FoundTarget
from lisa_ros.nodes.cloud import target_cloud_message
from lisa_ros.nodes.conversions import (
    ModelFacts,
    mask_message,
    perception_message,
    roi_message,
    stamp_message,
    stamp_ns,
    target_point_message,
    target_pose_message,
)
from lisa_ros.nodes.drawing import draw_overlay
from lisa_ros.nodes.images import color_from_message
from lisa_ros.nodes.markers import marker_array
from lisa_ros.types import (
    Intrinsics,
    NoDepth,
    OrientedBox,
    RgbdFrame,
    Segmentation,
    Status,
    Target3D,
)

MODEL = ModelFacts("lisa-tiny", demo_model=True)
STAMP_NS = 12_000_000_345
NEAR = np.zeros((6, 8), dtype=bool)
NEAR[1:4, 2:5] = True
FAR = np.zeros((6, 8), dtype=bool)
FAR[3:6, 4:8] = True


def make_target() -> Target3D:
    # The box is turned by a quarter about z: its x axis is the camera's y axis.
    rotation = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    return Target3D(
        position=np.array([0.1, -0.2, 1.5]),
        distance_m=1.52,
        covariance=np.diag([1e-4, 2e-4, 3e-4]) + 1e-5,
        extent=np.array([0.2, 0.4, 0.1]),
        box=OrientedBox(np.array([0.1, -0.2, 1.55]), rotation, np.array([0.4, 0.2, 0.1])),
        normal=np.array([0.0, 0.0, -1.0]),
        depth_coverage=0.75,
        kept_px=6,
        mask_px=9,
    )


def make_answer() -> Answer:
    image = np.full((6, 8, 3), 40, dtype=np.uint8)
    depth_m = np.full((6, 8), 1.5, dtype=np.float32)
    depth_m[1, 2] = np.nan
    intrinsics = Intrinsics(fx=10.0, fy=10.0, cx=3.5, cy=2.5, width=8, height=6)
    return Answer(
        instruction_id=3,
        instruction="the mug",
        status=Status.FOUND,
        reason="1 of 2 targets located.",
        frame=RgbdFrame(image, depth_m, intrinsics, "camera", STAMP_NS),
        frame_id="camera",
        segmentation=Segmentation(
            text="[SEG].",
            prompt_text="the mug, please",
            masks=np.stack([NEAR, FAR]),
            scores=np.array([0.9, 0.8], np.float32),
            seg_embeddings=np.zeros((2, 4), np.float32),
            seg_probability=0.75,
            found=True,
            calibrated=True,
            confidence=0.5,
        ),
        targets=(
            FoundTarget(1, NEAR, 0.9, make_target()),
            FoundTarget(2, FAR, 0.8, NoDepth("holes", depth_coverage=0.05, mask_px=12)),
        ),
        timings_ms={"encoding": 1.5, "reasoning": 2.5},
    )


def unseen() -> Answer:
    return Answer(4, "the mug", Status.STALE_INPUT, "no image", error_code=0)


def test_statuses_are_the_constants_of_the_message() -> None:
    assert {status.name: int(status) for status in Status} == {
        name: getattr(Perception, name) for name in Status.__members__
    }


def test_stamps_there_and_back() -> None:
    for stamp in (0, 1, STAMP_NS, 1_795_239_174_896_161_604):
        assert stamp_ns(stamp_message(stamp)) == stamp


def test_perception_carries_everything() -> None:
    message = perception_message(make_answer(), MODEL)
    assert (message.header.frame_id, stamp_ns(message.header.stamp)) == ("camera", STAMP_NS)
    assert (message.instruction_id, message.instruction) == (3, "the mug")
    assert (message.prompt, message.response) == ("the mug, please", "[SEG].")
    assert (message.status, message.error_code) == (Perception.FOUND, 0)
    assert message.reason == "1 of 2 targets located."
    assert (message.seg_probability, message.calibrated) == (0.75, True)
    assert (message.has_confidence, message.confidence) == (True, 0.5)
    assert (message.model, message.demo_model) == ("lisa-tiny", True)
    assert message.timing_names == ["encoding", "reasoning"]
    assert list(message.timing_ms) == [1.5, 2.5]
    assert [target.id for target in message.targets] == [1, 2]


def test_a_confidence_that_nobody_measured_is_said_to_be_none() -> None:
    answer = make_answer()
    assert answer.segmentation is not None
    unmeasured = dataclasses.replace(
        answer, segmentation=dataclasses.replace(answer.segmentation, confidence=None)
    )
    message = perception_message(unmeasured, MODEL)
    assert (message.has_confidence, message.confidence) == (False, 0.0)


def test_located_target() -> None:
    target = perception_message(make_answer(), MODEL).targets[0]
    assert target.has_position
    assert (target.position.x, target.position.y, target.position.z) == (0.1, -0.2, 1.5)
    np.testing.assert_allclose(target.position_covariance.reshape(3, 3), make_target().covariance)
    assert (target.roi.x_offset, target.roi.y_offset) == (2, 1)
    assert (target.roi.width, target.roi.height) == (3, 3)
    assert (target.mask_px, target.depth_coverage) == (9, 0.75)
    assert (target.extent.x, target.extent.y, target.extent.z) == (0.2, 0.4, 0.1)
    box = target.box_pose
    q = np.array([box.orientation.x, box.orientation.y, box.orientation.z, box.orientation.w])
    np.testing.assert_allclose(quaternion_to_matrix(q), make_target().box.rotation, atol=1e-12)
    assert (box.position.z, target.box_size.x) == (1.55, 0.4)
    assert target.normal.z == -1.0


def test_target_without_depth_has_no_numbers_but_its_mask() -> None:
    target = perception_message(make_answer(), MODEL).targets[1]
    assert not target.has_position
    assert (target.position.x, target.position.y, target.position.z) == (0.0, 0.0, 0.0)
    assert target.mask_px == 12
    assert target.depth_coverage == pytest.approx(0.05)


def test_empty_mask_has_an_empty_region() -> None:
    roi = roi_message(np.zeros((4, 4), dtype=bool))
    assert (roi.width, roi.height) == (0, 0)


def test_mask_image_shows_ids_with_the_best_on_top() -> None:
    message = mask_message(make_answer())
    labels = color_from_message(message)[:, :, 0]
    expected = np.where(NEAR, 1, np.where(FAR, 2, 0))
    np.testing.assert_array_equal(labels, expected)
    assert message.encoding == "mono8"
    assert (message.header.frame_id, stamp_ns(message.header.stamp)) == ("camera", STAMP_NS)


def test_point_and_pose_are_those_of_the_best_located_target() -> None:
    answer = make_answer()
    swapped = dataclasses.replace(answer, targets=answer.targets[::-1])
    for each in (answer, swapped):
        assert target_point_message(each).point.z == 1.5
    pose = target_pose_message(answer).pose
    q = pose.pose.orientation
    rotation = quaternion_to_matrix(np.array([q.x, q.y, q.z, q.w]))
    np.testing.assert_allclose(rotation[:, 2], (0.0, 0.0, -1.0), atol=1e-12)
    np.testing.assert_allclose(rotation[:, 0], (0.0, 1.0, 0.0), atol=1e-12)
    covariance = pose.covariance.reshape(6, 6)
    np.testing.assert_allclose(covariance[:3, :3], make_target().covariance)
    np.testing.assert_allclose(np.diag(covariance)[3:], np.pi**2 / 3)


def test_target_frame_moves_positions_but_not_the_mask() -> None:
    answer = dataclasses.replace(make_answer(), frame_id="base_link")
    assert perception_message(answer, MODEL).header.frame_id == "base_link"
    assert target_point_message(answer).header.frame_id == "base_link"
    assert mask_message(answer).header.frame_id == "camera"
    assert target_cloud_message(answer).header.frame_id == "camera"


def test_answer_without_a_frame_has_no_pictures_and_no_sentinels() -> None:
    answer = unseen()
    assert mask_message(answer) is None
    assert target_point_message(answer) is None
    assert target_pose_message(answer) is None
    assert target_cloud_message(answer) is None
    message = perception_message(answer, MODEL)
    assert (message.status, message.reason) == (Perception.STALE_INPUT, "no image")
    assert len(message.targets) == 0


def test_cloud_holds_the_measured_pixels_of_the_masks() -> None:
    cloud = target_cloud_message(make_answer())
    points = cloud_points(cloud)
    assert len(points) == cloud.width == np.count_nonzero(NEAR | FAR) - 1
    assert set(points["target_id"]) == {1, 2}
    assert set(points["rgb"]) == {0x282828}
    np.testing.assert_allclose(points["z"], 1.5)
    assert points["x"].min() == pytest.approx((2 - 3.5) / 10 * 1.5)


def cloud_points(cloud: PointCloud2) -> np.ndarray:
    fields = {field.name: field.offset for field in cloud.fields}
    names = ["x", "y", "z", "rgb", "target_id"]
    formats = ["<f4", "<f4", "<f4", "<u4", "u1"]
    layout = np.dtype(
        {
            "names": names,
            "formats": formats,
            "offsets": [fields[name] for name in names],
            "itemsize": cloud.point_step,
        }
    )
    return np.frombuffer(cloud.data, dtype=layout)


def test_cloud_of_a_distorted_camera_follows_its_rays() -> None:
    answer = make_answer()
    frame = answer.frame
    camera = CameraModel(frame.intrinsics, LensDistortion("plumb_bob", (-0.3, 0.1, 0.01, 0.02)))
    bent = dataclasses.replace(frame, rays=camera.ray_grid())
    points = cloud_points(target_cloud_message(dataclasses.replace(answer, frame=bent)))
    straight = cloud_points(target_cloud_message(answer))
    measured = (NEAR | FAR) & np.isfinite(frame.depth_m)
    np.testing.assert_allclose(points["x"], bent.rays[measured][:, 0] * 1.5, rtol=1e-6)
    np.testing.assert_allclose(points["y"], bent.rays[measured][:, 1] * 1.5, rtol=1e-6)
    np.testing.assert_array_equal(points["z"], straight["z"])
    assert np.abs(points["x"] - straight["x"]).max() > 0.01


def test_cloud_leaves_out_pixels_without_a_ray() -> None:
    answer = make_answer()
    rays = np.zeros((6, 8, 2))
    rays[3, 4] = np.nan
    frame = dataclasses.replace(answer.frame, rays=rays)
    cloud = target_cloud_message(dataclasses.replace(answer, frame=frame))
    assert cloud.width == target_cloud_message(answer).width - 1


def test_markers_remove_the_old_ones_and_show_what_is_located() -> None:
    markers = marker_array(make_answer()).markers
    assert markers[0].action == markers[0].DELETEALL
    assert [(marker.ns, marker.id) for marker in markers[1:]] == [
        ("position", 1),
        ("box", 1),
        ("text", 1),
    ]
    assert all(marker.header.frame_id == "camera" for marker in markers)
    assert markers[-1].text == "1: 'the mug' (0.100, -0.200, 1.500) m"


def test_markers_say_what_a_target_is_called() -> None:
    answer = make_answer()
    handle = dataclasses.replace(answer.targets[0], target_id=7, label="its handle")
    markers = marker_array(dataclasses.replace(answer, targets=(handle,))).markers
    assert [marker.id for marker in markers[1:]] == [7, 7, 7]
    assert markers[-1].text.startswith("7: 'its handle' (")


def test_overlay_changes_pixels_of_the_targets() -> None:
    answer = make_answer()
    overlay = draw_overlay(answer)
    assert overlay.shape == answer.frame.image.shape
    assert (overlay[NEAR] != answer.frame.image[NEAR]).any(axis=-1).all()
    assert (answer.frame.image == 40).all()
