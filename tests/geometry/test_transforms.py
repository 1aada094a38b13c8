"""Rigid transforms: known answers, group laws, and what happens to a target."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
from analytic_scenes import VGA, compose, plane_depth, rectangle_depth, rotation
from hypothesis import given, settings
from hypothesis import strategies as st

from lisa_ros.errors import TransformError
from lisa_ros.geometry import (
    invert_transform,
    lift_mask,
    make_transform,
    matrix_to_quaternion,
    quaternion_to_matrix,
    surface_rotation,
    transform_covariance,
    transform_directions,
    transform_points,
    transform_target,
)
from lisa_ros.types import Target3D

angles = st.floats(-3.1, 3.1)
metres = st.floats(-10, 10)
quaternions = st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 0.01)
transforms = st.builds(
    lambda q, *t: make_transform(np.array(t), np.array(q)), quaternions, metres, metres, metres
)
HALF = np.sqrt(0.5)


@pytest.mark.parametrize(
    ("quaternion", "x_goes_to"),
    [
        ([0, 0, 0, 1], [1, 0, 0]),
        ([0, 0, HALF, HALF], [0, 1, 0]),  # a quarter turn about z
        ([0, HALF, 0, HALF], [0, 0, -1]),  # about y
        ([1, 0, 0, 0], [1, 0, 0]),  # half a turn about x
    ],
)
def test_quaternion_by_hand(quaternion: list[float], x_goes_to: list[float]) -> None:
    matrix = quaternion_to_matrix(np.array(quaternion))
    np.testing.assert_allclose(matrix[:, 0], x_goes_to, atol=1e-12)


@settings(deadline=None)
@given(quaternion=quaternions)
def test_quaternion_round_trip(quaternion: tuple[float, ...]) -> None:
    matrix = quaternion_to_matrix(np.array(quaternion))
    back = matrix_to_quaternion(matrix)
    np.testing.assert_allclose(quaternion_to_matrix(back), matrix, atol=1e-9)
    assert np.linalg.norm(back) == pytest.approx(1.0)
    assert back[3] >= 0


@settings(deadline=None)
@given(T_a_b=transforms, T_b_c=transforms, point=st.tuples(metres, metres, metres))
def test_composition_and_inverse(
    T_a_b: np.ndarray, T_b_c: np.ndarray, point: tuple[float, ...]
) -> None:
    p = np.array(point)
    one_by_one = transform_points(T_a_b, transform_points(T_b_c, p))
    np.testing.assert_allclose(transform_points(T_a_b @ T_b_c, p), one_by_one, atol=1e-9)
    there_and_back = transform_points(invert_transform(T_a_b), transform_points(T_a_b, p))
    np.testing.assert_allclose(there_and_back, p, atol=1e-9)


def test_directions_are_not_moved_and_covariance_turns_along() -> None:
    T_a_b = make_transform(np.array([1.0, 2.0, 3.0]), np.array([0, 0, HALF, HALF]))
    x = np.array([1.0, 0.0, 0.0])
    np.testing.assert_allclose(transform_directions(T_a_b, x), [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(transform_points(T_a_b, x), [1, 3, 3], atol=1e-12)
    turned = transform_covariance(T_a_b, np.diag([4.0, 1.0, 9.0]))
    np.testing.assert_allclose(turned, np.diag([1.0, 4.0, 9.0]), atol=1e-12)


@functools.cache
def tilted_card() -> Target3D:
    """A card of 20 x 10 cm at 0.8 m, its normal 30 degrees off the optical axis."""
    axes = rotation(0.0, np.pi / 6, 0.3)
    card = rectangle_depth(VGA, np.array([0.05, 0.02, 0.8]), axes, (0.2, 0.1))
    wall = plane_depth(VGA, np.array([0.0, 0.0, 2.0]), np.array([0.0, 0.0, 1.0]))
    scene = compose(VGA, card, wall)
    target = lift_mask(scene.mask, scene.depth_m, VGA)
    assert isinstance(target, Target3D)
    return target


def test_surface_rotation_has_z_on_the_normal_and_x_on_the_long_side() -> None:
    axes, got = rotation(0.0, np.pi / 6, 0.3), surface_rotation(tilted_card())
    np.testing.assert_allclose(got.T @ got, np.eye(3), atol=1e-12)
    assert np.linalg.det(got) == pytest.approx(1.0)
    np.testing.assert_allclose(got[:, 2], -axes[:, 2], atol=1e-3)  # to the camera
    np.testing.assert_allclose(got[:, 0], axes[:, 0], atol=0.03)
    matrix_to_quaternion(got)


@settings(deadline=None)
@given(T_target_camera=transforms)
def test_a_target_keeps_its_shape_in_another_frame(T_target_camera: np.ndarray) -> None:
    target = tilted_card()
    moved = transform_target(T_target_camera, target)
    offset, seen = moved.position - moved.box.center, target.position - target.box.center
    assert np.linalg.norm(offset) == pytest.approx(np.linalg.norm(seen))
    assert moved.normal @ offset == pytest.approx(target.normal @ seen, abs=1e-9)
    np.testing.assert_allclose(
        np.linalg.eigvalsh(moved.covariance), np.linalg.eigvalsh(target.covariance), atol=1e-12
    )
    assert np.all(moved.extent >= 0)
    assert moved.distance_m == target.distance_m == np.linalg.norm(target.position)
    assert (moved.kept_px, moved.mask_px) == (target.kept_px, target.mask_px)


@settings(deadline=None)
@given(T_target_camera=transforms)
def test_box_and_covariance_of_a_target_are_those_of_its_moved_points(
    T_target_camera: np.ndarray,
) -> None:
    target = tilted_card()
    moved = transform_target(T_target_camera, target)
    corners = transform_points(T_target_camera, box_corners(target))
    np.testing.assert_allclose(box_corners(moved), corners, atol=1e-9)
    np.testing.assert_allclose(moved.extent, np.ptp(corners, axis=0), atol=1e-9)
    rng = np.random.default_rng(0)
    points = rng.multivariate_normal(target.position, target.covariance, 50)
    scatter, there = np.cov(points.T), np.cov(transform_points(T_target_camera, points).T)
    np.testing.assert_allclose(transform_covariance(T_target_camera, scatter), there, atol=1e-12)


def box_corners(target: Target3D) -> np.ndarray:
    signs = np.array(list(itertools.product([-0.5, 0.5], repeat=3)))
    return target.box.center + (signs * target.box.size) @ target.box.rotation.T


@pytest.mark.parametrize("quaternion", [[0, 0, 0, 0], [0, 0, 0, float("nan")], [0, 0, 1]])
def test_no_rotation_no_matrix(quaternion: list[float]) -> None:
    with pytest.raises(TransformError, match="x, y, z, w"):
        quaternion_to_matrix(np.array(quaternion))


def test_translation_must_be_finite() -> None:
    with pytest.raises(TransformError, match="finite"):
        make_transform(np.array([0.0, np.inf, 0.0]), np.array([0.0, 0.0, 0.0, 1.0]))


@pytest.mark.parametrize(
    "matrix", [np.diag([1.0, 1.0, -1.0, 1.0]), np.diag([2.0, 2.0, 2.0, 1.0]), np.eye(3)]
)
def test_mirrors_scales_and_wrong_shapes_are_refused(matrix: np.ndarray) -> None:
    with pytest.raises(TransformError, match="expected"):
        transform_target(matrix, tilted_card())
