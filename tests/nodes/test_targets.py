"""Masks to targets: order, ids, scores, what is split, what moves with the frame."""

from __future__ import annotations

import numpy as np
import pytest

from lisa_ros.geometry import make_transform
from lisa_ros.nodes.targets import find_targets, in_frame
from lisa_ros.nodes.transforms import FixedPose, TargetFrame
from lisa_ros.types import BoolArray, Intrinsics, NoDepth, RgbdFrame, Segmentation, Target3D

INTRINSICS = Intrinsics(fx=100.0, fy=100.0, cx=39.5, cy=29.5, width=80, height=60)
LEFT, RIGHT, LOW = (np.zeros((60, 80), bool) for _ in range(3))
LEFT[10:30, 5:25] = True
RIGHT[10:30, 40:55] = True
LOW[40:55, 20:40] = True


def frame(depth: bool = True) -> RgbdFrame:
    """LEFT at 1 m, RIGHT at 0.5 m, LOW at 2 m, and a wall at 3 m."""
    depth_m = np.full((60, 80), 3.0, np.float32)
    for mask, z in ((LEFT, 1.0), (RIGHT, 0.5), (LOW, 2.0)):
        depth_m[mask] = z
    return RgbdFrame(
        image=np.zeros((60, 80, 3), np.uint8),
        depth_m=depth_m if depth else None,
        intrinsics=INTRINSICS if depth else None,
        frame_id="camera",
        stamp_ns=1,
    )


def answer(*masks: BoolArray, scores: tuple[float, ...] = (0.9,)) -> Segmentation:
    return Segmentation(
        text="[SEG].",
        prompt_text="boxes",
        masks=np.stack(masks),
        scores=np.array(scores, np.float32),
        seg_embeddings=np.zeros((len(masks), 4), np.float32),
        seg_probability=0.9,
        found=True,
        calibrated=True,
    )


@pytest.mark.parametrize("depth", [True, False])
def test_one_mask_over_two_objects_is_two_targets(depth: bool) -> None:
    targets, is_all = find_targets(frame(depth), answer(LEFT | RIGHT), "the boxes", 8)
    assert is_all
    assert [(t.target_id, t.label, t.score) for t in targets] == [
        (1, "the boxes", pytest.approx(0.9)),
        (2, "the boxes", pytest.approx(0.9)),
    ]
    np.testing.assert_array_equal(targets[0].mask, LEFT)
    np.testing.assert_array_equal(targets[1].mask, RIGHT)
    assert all(isinstance(t.lifted, Target3D) for t in targets) == depth
    if depth:
        assert [t.lifted.position[2] for t in targets] == [1.0, 0.5]
        assert all(t.lifted.depth_coverage == 1.0 for t in targets)
    else:
        assert all("no depth" in t.lifted.reason for t in targets)


def test_masks_come_by_score_and_their_parts_by_size() -> None:
    targets, _ = find_targets(frame(), answer(LOW, RIGHT | LEFT, scores=(0.5, 0.8)), "boxes", 8)
    for target, mask in zip(targets, (LEFT, RIGHT, LOW), strict=True):
        np.testing.assert_array_equal(target.mask, mask)
    assert [target.target_id for target in targets] == [1, 2, 3]
    np.testing.assert_allclose([target.score for target in targets], [0.8, 0.8, 0.5])


@pytest.mark.parametrize(("most", "is_all"), [(1, False), (2, False), (3, True), (254, True)])
def test_no_more_than_max_targets_and_said(most: int, is_all: bool) -> None:
    masks = answer(LOW, RIGHT | LEFT, scores=(0.5, 0.8))
    targets, complete = find_targets(frame(), masks, "boxes", most)
    assert (len(targets), complete) == (min(most, 3), is_all)


def test_empty_masks_are_no_targets() -> None:
    targets, is_all = find_targets(
        frame(), answer(np.zeros_like(LEFT), LEFT, scores=(0.9, 0.1)), "box", 1
    )
    assert is_all
    np.testing.assert_array_equal(targets[0].mask, LEFT)


def test_target_without_depth_is_one_all_the_same() -> None:
    scene = frame()
    scene.depth_m[RIGHT] = np.nan
    targets, _ = find_targets(scene, answer(LEFT | RIGHT), "boxes", 8)
    assert isinstance(targets[0].lifted, Target3D)
    assert isinstance(targets[1].lifted, NoDepth)


def test_wanted_in_another_frame_everything_moves_but_the_mask() -> None:
    scene = frame()
    scene.depth_m[RIGHT] = np.nan
    targets, _ = find_targets(scene, answer(LEFT | RIGHT), "boxes", 8)
    half = np.sqrt(0.5)
    T_base_camera = make_transform(np.array([1.0, 2.0, 3.0]), np.array([0.0, 0.0, half, half]))
    wanted = TargetFrame("base", FixedPose(T_base_camera), 0.0)
    there, frame_id = in_frame(targets, scene, wanted, lambda: False)
    assert frame_id == "base"
    before, after = targets[0].lifted, there[0].lifted
    x, y, z = before.position
    np.testing.assert_allclose(after.position, (1.0 - y, 2.0 + x, 3.0 + z))
    a, b, c = np.diag(before.covariance)
    np.testing.assert_allclose(np.diag(after.covariance), (b, a, c))
    np.testing.assert_allclose(after.normal, (0.0, 0.0, -1.0), atol=1e-6)
    np.testing.assert_allclose(after.extent, before.extent[[1, 0, 2]], atol=1e-9)
    assert after.distance_m == before.distance_m
    np.testing.assert_array_equal(there[0].mask, targets[0].mask)
    assert there[1] is targets[1]


def test_wanted_in_no_other_frame_nothing_moves() -> None:
    targets, _ = find_targets(frame(), answer(LEFT), "box", 8)
    assert in_frame(targets, frame(), None, lambda: False) == (targets, "camera")
