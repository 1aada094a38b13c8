"""What must hold for lift_mask whatever the object: invariances, refusals, and its shape output."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
from analytic_scenes import (
    SMALL,
    VGA,
    Scene,
    bleed,
    box_depth,
    compose,
    holes,
    noisy,
    plane_depth,
    rectangle_depth,
    rotation,
    sphere_depth,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from lisa_ros.errors import DepthError, LisaError, MaskError
from lisa_ros.geometry import depth_to_metres, lift_mask, project
from lisa_ros.types import Float32Array, Intrinsics, NoDepth, Target3D

FORWARD = np.array([0.0, 0.0, 1.0])


def wall(z: float, camera: Intrinsics = SMALL) -> np.ndarray:
    return plane_depth(camera, z * FORWARD, FORWARD)


@functools.cache
def mug_and_book() -> tuple[Scene, Scene]:
    """A ball and a slanted card side by side before a wall, with holes and noise."""
    ball = sphere_depth(SMALL, np.array([-0.15, 0.05, 0.9]), 0.06)
    card = rectangle_depth(
        SMALL, np.array([0.12, -0.05, 1.0]), rotation(0.7, 0.2, 0.4), (0.22, 0.14)
    )
    rng = np.random.default_rng(7)
    scenes = compose(SMALL, ball, card, wall(1.6)), compose(SMALL, card, ball, wall(1.6))
    depth_m = noisy(holes(scenes[0].depth_m, 0.1, rng), rng)
    return dataclasses.replace(scenes[0], depth_m=depth_m), dataclasses.replace(
        scenes[1], depth_m=depth_m
    )


def lift(scene: Scene) -> Target3D:
    target = lift_mask(scene.mask, scene.depth_m, scene.intrinsics)
    assert isinstance(target, Target3D)
    return target


def assert_same(a: Target3D, b: Target3D, atol: float = 1e-9) -> None:
    np.testing.assert_allclose(a.position, b.position, atol=atol)
    np.testing.assert_allclose(a.covariance, b.covariance, atol=atol)
    np.testing.assert_allclose(a.extent, b.extent, atol=atol)
    np.testing.assert_allclose(a.normal, b.normal, atol=1e3 * atol)
    assert (a.kept_px, a.mask_px, a.depth_coverage) == (b.kept_px, b.mask_px, b.depth_coverage)


@settings(deadline=None, max_examples=25)
@given(right=st.integers(-200, 200), down=st.integers(-200, 200))
def test_shifting_the_image_and_the_principal_point_changes_nothing(right: int, down: int) -> None:
    """As a region of interest does; shifts beyond the border cut the object the same way."""
    scene = mug_and_book()[0]
    size = 256 + 2 * 200
    mask, depth = np.zeros((size, size), bool), np.full((size, size), np.nan, np.float32)
    there = np.s_[200 + down : 456 + down, 200 + right : 456 + right]
    mask[there], depth[there] = scene.mask, scene.depth_m
    camera = dataclasses.replace(
        SMALL, cx=SMALL.cx + 200 + right, cy=SMALL.cy + 200 + down, width=size, height=size
    )
    assert_same(lift(Scene(mask, depth, camera)), lift(scene))


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_turning_the_camera_about_its_axis_turns_the_answer(quarters: int) -> None:
    for scene in mug_and_book():
        turned = Scene(np.rot90(scene.mask, quarters), np.rot90(scene.depth_m, quarters), SMALL)
        got, expected = lift(turned), lift(scene)
        turn = rotation(0.0, 0.0, -quarters * np.pi / 2)
        np.testing.assert_allclose(got.position, turn @ expected.position, atol=1e-6)
        np.testing.assert_allclose(got.normal, turn @ expected.normal, atol=1e-6)
        np.testing.assert_allclose(got.covariance, turn @ expected.covariance @ turn.T, atol=1e-9)
        np.testing.assert_allclose(got.extent, np.abs(turn) @ expected.extent, atol=1e-6)
        assert got.kept_px == expected.kept_px


def test_a_mirrored_image_gives_the_mirrored_answer() -> None:
    for scene in mug_and_book():
        mirrored = Scene(scene.mask[:, ::-1], scene.depth_m[:, ::-1], SMALL)
        expected = lift(scene).position * [-1, 1, 1]
        np.testing.assert_allclose(lift(mirrored).position, expected, atol=1e-6)


def test_millimetres_and_metres_agree() -> None:
    scene = mug_and_book()[0]
    raw_mm = np.nan_to_num(np.rint(scene.depth_m * 1000)).astype(np.uint16)
    in_m = np.where(raw_mm > 0, raw_mm / np.float32(1000), np.nan).astype(np.float32)
    from_mm = dataclasses.replace(scene, depth_m=depth_to_metres(raw_mm))
    from_m = dataclasses.replace(scene, depth_m=depth_to_metres(in_m))
    assert_same(lift(from_mm), lift(from_m), atol=1e-6)


@settings(deadline=None, max_examples=20)
@given(scale=st.floats(0.5, 2.0))
def test_a_larger_world_is_only_larger(scale: float) -> None:
    """Object, distance and wall times s give the position times s: no hidden absolute offset."""
    targets = []
    for s in (1.0, scale):
        card = rectangle_depth(
            SMALL, s * np.array([0.1, 0, 1.0]), rotation(0.6, 0, 0), (s * 0.2,) * 2
        )
        targets.append(lift(compose(SMALL, card, wall(s * 2.0))).position)
    np.testing.assert_allclose(targets[1], scale * targets[0], atol=1e-5)


def test_masks_are_lifted_independently_of_their_order() -> None:
    scenes = mug_and_book()
    depth = scenes[0].depth_m.copy()
    forwards = [lift_mask(s.mask, depth, SMALL) for s in scenes]
    backwards = [lift_mask(s.mask, depth, SMALL) for s in scenes[::-1]][::-1]
    for a, b in zip(forwards, backwards, strict=True):
        assert isinstance(a, Target3D)
        assert isinstance(b, Target3D)
        assert_same(a, b, atol=0.0)
    np.testing.assert_array_equal(depth, scenes[0].depth_m)  # nothing is written into the frame


@settings(deadline=None, max_examples=25)
@given(first=st.floats(0, 0.85), more=st.floats(0, 0.1), seed=st.integers(0, 99))
def test_more_holes_never_raise_coverage(first: float, more: float, seed: int) -> None:
    scene = mug_and_book()[1]
    lottery = np.random.default_rng(seed).random(scene.depth_m.shape)
    shares = []
    for share in (first, first + more):
        depth_m: Float32Array = np.where(lottery < share, np.float32(np.nan), scene.depth_m)
        shares.append(lift_mask(scene.mask, depth_m, SMALL, min_coverage=0.0).depth_coverage)
    assert 0 <= shares[1] <= shares[0] <= 1


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), share=st.floats(0.0, 1.0), valid=st.floats(0.0, 1.0))
def test_any_mask_on_any_depth_gives_finite_numbers_or_a_reason(
    seed: int, share: float, valid: float
) -> None:
    rng = np.random.default_rng(seed)
    camera = Intrinsics(30.0, 30.0, 15.5, 11.5, 32, 24)
    mask = rng.random((24, 32)) < share
    depth_m = np.where(rng.random((24, 32)) < valid, rng.uniform(0.1, 8, (24, 32)), np.nan)
    target = lift_mask(mask, depth_m.astype(np.float32), camera)
    assert target.mask_px == mask.sum()
    if isinstance(target, NoDepth):
        assert target.reason
        return
    numbers = [target.position, target.covariance, target.extent, target.normal, target.box.size]
    assert all(np.all(np.isfinite(n)) for n in numbers)
    assert np.linalg.eigvalsh(target.covariance).min() > -1e-12
    np.testing.assert_allclose(target.box.rotation.T @ target.box.rotation, np.eye(3), atol=1e-9)
    assert np.linalg.det(target.box.rotation) == pytest.approx(1.0)
    assert target.normal @ target.position < 0  # towards the camera
    assert 10 <= target.kept_px <= target.mask_px


def test_no_depth_is_an_answer_with_its_reason() -> None:
    scene = mug_and_book()[0]
    nothing = np.full_like(scene.depth_m, np.nan)
    empty = lift_mask(np.zeros_like(scene.mask), scene.depth_m, SMALL)
    assert empty == NoDepth("the mask is empty", depth_coverage=0.0, mask_px=0)
    blind = lift_mask(scene.mask, nothing, SMALL)
    assert isinstance(blind, NoDepth)
    assert blind.reason.startswith(f"0 of the mask's {scene.mask.sum()} pixels have a depth")
    zeros = lift_mask(scene.mask, np.zeros_like(nothing), SMALL)  # a driver's 0 is no distance
    assert isinstance(zeros, NoDepth)
    few = nothing.copy()
    few[scene.mask] = np.where(np.arange(scene.mask.sum()) % 20 == 0, 0.9, np.nan)
    assert isinstance(lift_mask(scene.mask, few, SMALL), NoDepth)
    assert isinstance(lift_mask(scene.mask, few, SMALL, min_coverage=0.01), Target3D)


@pytest.mark.parametrize(
    ("mask", "depth", "error"),
    [
        (np.ones((256, 256), np.uint8), np.ones((256, 256), np.float32), MaskError),
        (np.ones((1, 256, 256), bool), np.ones((256, 256), np.float32), MaskError),
        (np.ones((128, 128), bool), np.ones((256, 256), np.float32), MaskError),
        (np.ones((256, 256), bool), np.ones((256, 256), np.uint16), DepthError),
        (np.ones((256, 256), bool), np.ones((128, 128), np.float32), DepthError),
    ],
)
def test_wrong_shapes_and_dtypes_are_named(
    mask: np.ndarray, depth: np.ndarray, error: type[LisaError]
) -> None:
    with pytest.raises(error, match="expected"):
        lift_mask(mask, depth, SMALL)


def test_size_normal_and_box_of_a_slanted_card() -> None:
    axes = rotation(0.6, -0.4, 0.3)
    card = rectangle_depth(VGA, np.array([0.05, 0.02, 0.8]), axes, (0.24, 0.12))
    target = lift(compose(VGA, card, wall(2.0, VGA)))
    np.testing.assert_allclose(target.normal, -axes[:, 2], atol=1e-3)
    np.testing.assert_allclose(target.box.size[:2], [0.24, 0.12], rtol=0.05)
    assert target.box.size[2] < 0.001
    np.testing.assert_allclose(target.box.center, [0.05, 0.02, 0.8], atol=0.005)
    np.testing.assert_allclose(np.abs(target.box.rotation.T @ axes), np.eye(3), atol=0.03)
    u, v = project(target.position, VGA)
    assert 0 < u < 640
    assert 0 < v < 480


def test_a_thin_far_object_faces_the_camera_in_spite_of_noise() -> None:
    """A pen three pixels wide at 2 m: depth noise is as large as the pen, no slope can be seen."""
    pen = rectangle_depth(SMALL, np.array([0.0, 0.0, 2.0]), rotation(0, 0, 0.5), (0.3, 0.025))
    scene = compose(SMALL, pen, wall(3.0))
    for seed in range(5):
        depth_m = noisy(scene.depth_m, np.random.default_rng(seed))
        target = lift(dataclasses.replace(scene, depth_m=depth_m))
        assert target.normal[2] < -0.85


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_a_pen_on_a_table_stays_where_it_is(share: float) -> None:
    """Background at the object's own depth: nothing to find there, and nothing to break."""
    normal = np.array([0.0, np.cos(0.8), np.sin(0.8)])
    table = plane_depth(SMALL, np.array([0.0, 0.0, 1.0]), normal)
    axes = np.column_stack([[1.0, 0, 0], np.cross(normal, [1.0, 0, 0]), normal])
    pen = rectangle_depth(SMALL, np.array([0.03, 0.0, 1.0]) - 0.01 * normal, axes, (0.15, 0.02))
    scene = compose(SMALL, pen, table)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        mask, depth_m = bleed(scene.mask, share, rng), noisy(scene.depth_m, rng)
        target = lift_mask(mask, depth_m, SMALL)
        assert isinstance(target, Target3D)
        assert np.linalg.norm(target.position - scene.exact_position()) < 0.01


@pytest.mark.parametrize(("near_size", "expected_z"), [(0.25, 0.8), (0.1, 1.2)])
def test_a_mask_over_two_objects_is_lifted_to_the_one_with_more_pixels(
    near_size: float, expected_z: float
) -> None:
    """It cannot know which one was meant. It answers one of them, never a point between them."""
    near = rectangle_depth(VGA, np.array([-0.15, 0.0, 0.8]), np.eye(3), (near_size,) * 2)
    far = rectangle_depth(VGA, np.array([0.25, 0.0, 1.2]), np.eye(3), (0.25,) * 2)
    both = np.minimum(near, far)
    scene = compose(VGA, both, wall(2.0, VGA))
    target = lift(scene)
    assert target.position[2] == pytest.approx(expected_z, abs=1e-6)
    assert target.kept_px < target.mask_px
    assert target.extent[0] < 0.3  # of that object alone


def test_covariance_covers_the_errors_that_masks_and_noise_make() -> None:
    """Over many spoilt views the error is within three sigmas, and not by being huge."""
    box = box_depth(VGA, np.array([0.1, 0.0, 1.0]), rotation(0.5, 0.4, 0.1), (0.2, 0.15, 0.1))
    scene = compose(VGA, box, wall(1.6, VGA))
    truth, distances = scene.exact_position(), []
    for seed in range(15):
        rng = np.random.default_rng(seed)
        mask = bleed(scene.mask, 0.1, rng)
        target = lift_mask(mask, noisy(holes(scene.depth_m, 0.2, rng), rng), VGA)
        assert isinstance(target, Target3D)
        error = target.position - truth
        distances.append(float(np.sqrt(error @ np.linalg.solve(target.covariance, error))))
        assert np.sqrt(np.trace(target.covariance)) < 0.02
    assert max(distances) < 3.0
