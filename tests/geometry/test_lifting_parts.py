"""The steps of lifting by themselves: depth groups, overrun edges, area median, plane fit."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lisa_ros.geometry.area_median import area_median, area_weights
from lisa_ros.geometry.depth_layers import dominant_layer
from lisa_ros.geometry.mask_edge import overrun
from lisa_ros.geometry.surface import fit_plane, plane_normal


def test_the_largest_group_of_depths_is_kept_whole() -> None:
    slanted = np.linspace(0.8, 1.3, 400)  # 50 cm deep, and no gap in it
    background = np.full(60, 2.0)
    flying = np.array([1.5, 1.7])
    z = np.concatenate([background, slanted, flying])
    keep = dominant_layer(z, focal_px=500.0)
    np.testing.assert_array_equal(keep[60:460], True)
    np.testing.assert_array_equal(keep[:60], False)


@settings(deadline=None)
@given(seed=st.integers(0, 1000))
def test_groups_do_not_depend_on_the_order_of_pixels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    z = np.concatenate(
        [rng.normal(1.0, 0.01, 200), rng.normal(1.5, 0.02, 80), rng.uniform(1, 2, 9)]
    )
    shuffled = rng.permutation(len(z))
    np.testing.assert_array_equal(
        dominant_layer(z[shuffled], 500.0), dominant_layer(z, 500.0)[shuffled]
    )


def disc(radius: float, size: int = 60) -> np.ndarray:
    v, u = np.indices((size, size)) - size // 2
    return u**2 + v**2 <= radius**2


def test_a_ring_on_a_lower_surface_is_overrun_and_only_the_ring() -> None:
    thing, mask = disc(18), disc(20)
    height = np.where(thing, 0.0, -1.0)
    dropped = overrun(mask, height, np.full(mask.shape, 0.1), slope_px=0.01)
    np.testing.assert_array_equal(dropped, mask & ~thing)


def test_neither_exact_nor_small_masks_nor_ramps_lose_pixels() -> None:
    thing = disc(18)
    noise = np.full(thing.shape, 0.1)
    step = np.where(thing, 0.0, -1.0)
    assert not overrun(thing, step, noise, 0.01).any()
    assert not overrun(disc(15), step, noise, 0.01).any()
    v, u = np.indices(thing.shape)
    ramp = -0.2 * np.hypot(u - 30, v - 30)  # falls away on and on, inside and outside
    assert not overrun(disc(20), ramp, noise, 0.01).any()


def test_holes_in_the_ring_do_not_stop_it() -> None:
    thing, mask = disc(18), disc(20)
    rng = np.random.default_rng(1)
    height = np.where(thing, 0.0, -1.0)
    height[rng.random(height.shape) < 0.3] = np.nan
    dropped = overrun(mask, height, np.full(mask.shape, 0.1), 0.01)
    ring = mask & ~thing & np.isfinite(height)
    assert not (dropped & thing).any()
    assert (dropped & ring).sum() > 0.9 * ring.sum()


def test_area_median_with_equal_weights_is_the_median() -> None:
    rng = np.random.default_rng(0)
    for n in (1, 2, 7, 100):
        points = rng.normal(size=(n, 3))
        np.testing.assert_allclose(area_median(points, np.ones(n)), np.median(points, axis=0))


def test_a_pixel_stands_for_the_holes_beside_it() -> None:
    kept, hole = np.zeros((5, 5), bool), np.zeros((5, 5), bool)
    kept[2, 1] = kept[2, 3] = kept[3, 3] = True
    hole[2, 2] = True
    np.testing.assert_allclose(area_weights(hole, kept), [4 / 3] * 3)
    np.testing.assert_allclose(area_median(np.array([[0.0], [1.0], [5.0]]), np.array([1, 1, 3])), 5)


@settings(deadline=None)
@given(a=st.floats(-0.6, 0.6), b=st.floats(-0.6, 0.6), z0=st.floats(0.4, 3.0))
def test_plane_fit_is_exact_on_planes_with_background_left(a: float, b: float, z0: float) -> None:
    v, u = np.indices((24, 24)) - 12
    rays = np.column_stack([u.ravel(), v.ravel()]) / 60.0
    normal = np.array([a, b, 1.0]) / np.linalg.norm([a, b, 1.0])
    z = normal[2] * z0 / (rays @ normal[:2] + normal[2])
    z[::17] += 0.5  # six percent of it on a wall
    got = plane_normal(fit_plane(rays, z))
    assert got @ -normal > 0.99
