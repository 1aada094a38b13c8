"""Depth moved to where the colour camera sees it: known answers, and what holds for any depth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lisa_ros.errors import DepthError, TransformError
from lisa_ros.geometry import (
    CameraModel,
    DepthRegistration,
    LensDistortion,
    invert_transform,
    make_transform,
    project,
    ray_grid,
    resample_depth,
    scaled_intrinsics,
    transform_points,
)
from lisa_ros.types import Float32Array, Float64Array, Intrinsics


def camera(focal: float, width: int, height: int) -> Intrinsics:
    return Intrinsics(focal, focal, (width - 1) / 2, (height - 1) / 2, width, height)


def moved(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Float64Array:
    return make_transform(np.array([x, y, z]), np.array([0.0, 0.0, 0.0, 1.0]))


def register(
    depth_m: Float32Array, depth: Intrinsics, color: Intrinsics, T_color_depth: Float64Array
) -> Float32Array:
    return DepthRegistration(CameraModel(depth), CameraModel(color), T_color_depth).register(
        depth_m
    )


def test_camera_that_is_the_same_changes_nothing() -> None:
    rng = np.random.default_rng(3)
    view = camera(60.0, 17, 13)
    depth_m = rng.uniform(0.3, 8.0, (13, 17)).astype(np.float32)
    depth_m[rng.random((13, 17)) < 0.3] = np.nan
    np.testing.assert_array_equal(register(depth_m, view, view, moved()), depth_m)


def test_wall_moves_by_the_parallax_and_leaves_a_hole() -> None:
    view = camera(100.0, 40, 20)
    wall = np.full((20, 40), 1.0, np.float32)
    # 5 cm at 1 m with a focal length of 100 px: 5 px.
    seen = register(wall, view, view, moved(x=0.05))
    assert np.isnan(seen[:, :5]).all()
    np.testing.assert_array_equal(seen[:, 5:], 1.0)


def test_depth_is_that_of_the_colour_camera() -> None:
    view = camera(100.0, 40, 20)
    seen = register(np.full((20, 40), 1.0, np.float32), view, view, moved(z=0.25))
    assert np.nanmin(seen) == np.nanmax(seen) == 1.25


def test_camera_on_its_side() -> None:
    view = camera(30.0, 9, 9)
    depth_m = np.arange(1, 82, dtype=np.float32).reshape(9, 9)
    quarter = make_transform(np.zeros(3), np.array([0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5)]))
    np.testing.assert_allclose(
        register(depth_m, view, view, quarter), np.rot90(depth_m, -1), rtol=1e-6
    )


def test_near_things_hide_what_is_behind_them_and_uncover_holes() -> None:
    view = camera(100.0, 64, 48)
    depth_m = np.full((48, 64), 2.0, np.float32)
    depth_m[10:20, 20:30] = 0.5
    # The wall moves by 2.5 px, the box by 10.
    seen = register(depth_m, view, view, moved(x=0.05))
    np.testing.assert_array_equal(seen[10:20, 30:40], 0.5)
    assert np.isnan(seen[10:20, 23:30]).all()
    np.testing.assert_array_equal(seen[10:20, 41:], 2.0)
    np.testing.assert_array_equal(seen[30:, 4:], 2.0)


@pytest.mark.parametrize("slope", [0.0, np.tan(np.pi / 3), -np.tan(np.pi / 3)])
@pytest.mark.parametrize("baseline_m", [0.06, -0.06])
def test_upsampling_leaves_no_holes_in_a_surface(slope: float, baseline_m: float) -> None:
    depth_view, color_view = camera(100.0, 64, 48), camera(300.0, 192, 144)
    T_color_depth = moved(x=baseline_m)
    # The plane z = 0.5 + slope · x, seen by the depth camera.
    rays = ray_grid(depth_view)
    depth_m = (0.5 / (1 - slope * rays[..., 0])).astype(np.float32)
    seen = register(depth_m, depth_view, color_view, T_color_depth)
    # The same plane, seen by the colour camera: its point on each ray, and where depth saw that.
    color_rays = np.concatenate([ray_grid(color_view), np.ones((144, 192, 1))], axis=-1)
    start = invert_transform(T_color_depth)[:3, 3]
    z = (0.5 + slope * start[0]) / (1 - slope * color_rays[..., 0])
    pixels = project(start + color_rays * z[..., None], depth_view)
    inside = (pixels > 1).all(axis=-1) & (pixels[..., 0] < 62) & (pixels[..., 1] < 46) & (z > 0)
    assert inside.sum() > 5000
    assert not np.isnan(seen[inside]).any()
    # Each measurement keeps its depth over the pixels that it covers.
    step_m = np.abs(slope) * z**2 / (0.5 * 100.0)
    assert np.all(np.abs(seen - z)[inside] <= 1.3 * step_m[inside] + 1e-4)


def test_lens_does_not_fold_what_lies_beside_the_image_into_it() -> None:
    depth_view = camera(20.0, 65, 9)
    lens = LensDistortion("plumb_bob", (-0.3, 0.0, 0.0, 0.0, 0.0))
    color = CameraModel(camera(60.0, 64, 48), lens)
    depth_m = np.full((9, 65), 1.0, np.float32)
    depth_m[:, np.abs(ray_grid(depth_view)[0, :, 0]) > 1.4] = 0.4
    seen = DepthRegistration(CameraModel(depth_view), color, moved()).register(depth_m)
    assert np.isfinite(seen[24]).all()
    assert np.nanmin(seen) == 1.0


def test_distorted_cameras_agree_with_their_own_models() -> None:
    lens = LensDistortion("plumb_bob", (-0.1, 0.02, 0.001, -0.001, 0.0))
    view = CameraModel(camera(60.0, 64, 48), lens)
    depth_m = np.random.default_rng(1).uniform(0.5, 3.0, (48, 64)).astype(np.float32)
    seen = DepthRegistration(view, view, moved()).register(depth_m)
    np.testing.assert_array_equal(seen, depth_m)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.4, 1.0, 3.0]))
def test_every_depth_comes_from_a_measurement_and_none_is_nearer(seed: int, zoom: float) -> None:
    rng = np.random.default_rng(seed)
    depth_view = camera(30.0, 12, 10)
    color_view = camera(30.0 * zoom, round(12 * zoom), round(10 * zoom))
    depth_m = rng.uniform(0.5, 5.0, (10, 12)).astype(np.float32)
    depth_m[rng.random((10, 12)) < 0.2] = np.nan
    quaternion = np.array([*rng.normal(0, 0.05, 3), 1.0])
    T_color_depth = make_transform(rng.normal(0, 0.05, 3), quaternion)
    seen = register(depth_m, depth_view, color_view, T_color_depth)
    assert seen.dtype == np.float32

    rays = np.concatenate([ray_grid(depth_view), np.ones((10, 12, 1))], axis=-1)
    points = transform_points(T_color_depth, (rays * depth_m[..., None]).reshape(-1, 3))
    points = points[np.isfinite(points).all(axis=-1)]
    u, v = project(points, color_view).T
    for row, column in np.argwhere(np.isfinite(seen)):
        same = points[:, 2].astype(np.float32) == seen[row, column]
        assert same.any()
        off_px = np.maximum(np.abs(u[same] - column), np.abs(v[same] - row)).min()
        assert off_px <= 1.0 + zoom
    rows, columns = np.rint(v).astype(int), np.rint(u).astype(int)
    inside = (rows >= 0) & (rows < seen.shape[0]) & (columns >= 0) & (columns < seen.shape[1])
    inside &= (np.abs(u - columns) < 0.49) & (np.abs(v - rows) < 0.49)
    assert np.all(seen[rows[inside], columns[inside]] <= points[inside, 2] * (1 + 1e-6))


def test_nothing_measured_is_nothing_seen() -> None:
    view = camera(30.0, 8, 6)
    assert np.isnan(register(np.full((6, 8), np.nan, np.float32), view, view, moved(x=1.0))).all()


def test_what_is_behind_the_colour_camera_is_not_seen() -> None:
    view = camera(30.0, 8, 6)
    assert np.isnan(register(np.full((6, 8), 1.0, np.float32), view, view, moved(z=-1.5))).all()


def test_depth_of_another_size_is_refused() -> None:
    view = camera(30.0, 8, 6)
    with pytest.raises(DepthError, match=r"shape \(6, 9\), expected \(6, 8\)"):
        register(np.ones((6, 9), np.float32), view, view, moved())
    with pytest.raises(DepthError, match="shape"):
        resample_depth(np.ones((6, 9), np.float32), view, view)


@pytest.mark.parametrize(
    ("depth", "color", "words"),
    [
        (camera(30.0, 1, 6), camera(30.0, 8, 6), "1x6 pixels"),
        (camera(1.0, 8, 6), camera(500.0, 8, 6), "would cover"),
    ],
)
def test_cameras_that_cannot_belong_together_are_refused(
    depth: Intrinsics, color: Intrinsics, words: str
) -> None:
    with pytest.raises(DepthError, match=words):
        DepthRegistration(CameraModel(depth), CameraModel(color), moved())


@pytest.mark.parametrize("value", [np.eye(4) * 2, np.full((4, 4), np.nan), np.eye(3)])
def test_what_is_no_rigid_transform_is_refused(value: Float64Array) -> None:
    view = CameraModel(camera(30.0, 8, 6))
    with pytest.raises(TransformError):
        DepthRegistration(view, view, value)


def test_resampling_repeats_and_drops_pixels() -> None:
    depth_m = np.array([[1, 2, 3, 4], [5, 6, np.nan, 8]], np.float32)
    small, large = camera(40.0, 4, 2), camera(80.0, 8, 4)
    doubled = np.repeat(np.repeat(depth_m, 2, axis=0), 2, axis=1)
    np.testing.assert_array_equal(resample_depth(depth_m, small, large), doubled)
    thirds = np.arange(1, 37, dtype=np.float32).reshape(6, 6)
    np.testing.assert_array_equal(
        resample_depth(thirds, camera(60.0, 6, 6), camera(20.0, 2, 2)), thirds[1::3, 1::3]
    )


def test_resampling_a_crop_leaves_the_rest_empty() -> None:
    whole = camera(40.0, 8, 4)
    crop = Intrinsics(40.0, 40.0, whole.cx - 2, whole.cy - 1, 5, 2)
    depth_m = np.arange(1, 11, dtype=np.float32).reshape(2, 5)
    seen = resample_depth(depth_m, crop, whole)
    np.testing.assert_array_equal(seen[1:3, 2:7], depth_m)
    assert np.isfinite(seen).sum() == 10


def test_scaled_camera_sees_the_same() -> None:
    view = Intrinsics(500.0, 510.0, 310.0, 250.0, 640, 480)
    half = scaled_intrinsics(view, 320, 240)
    assert (half.fx, half.fy, half.width, half.height) == (250.0, 255.0, 320, 240)
    corner = np.array([[-0.5, -0.5], [639.5, 479.5]])
    directions = (corner - [view.cx, view.cy]) / [view.fx, view.fy]
    points = np.concatenate([directions, np.ones((2, 1))], axis=-1)
    np.testing.assert_allclose(project(points, half), [[-0.5, -0.5], [319.5, 239.5]])
