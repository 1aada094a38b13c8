"""split_mask on depth images computed by formula: how many objects, and whose pixels."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from analytic_scenes import (
    Scene,
    bleed,
    compose,
    dilate,
    holes,
    noisy,
    plane_depth,
    rectangle_depth,
    rotation,
    sphere_depth,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lisa_ros.errors import DepthError, MaskError
from lisa_ros.geometry import lift_mask, split_mask
from lisa_ros.geometry.fragments import MIN_PART_PX
from lisa_ros.types import BoolArray, Float32Array, Float64Array, Intrinsics, Target3D

CAMERA = Intrinsics(fx=525.0, fy=525.0, cx=119.5, cy=119.5, width=240, height=240)
WALL = plane_depth(CAMERA, np.array([0.0, 0.0, 2.5]), np.array([0.0, 0.0, 1.0]))


def card(x: float, y: float, z: float, width: float, height: float) -> Float64Array:
    """A rectangle that faces the camera."""
    return rectangle_depth(CAMERA, np.array([x, y, z]), np.eye(3), (width, height))


def split(
    mask: BoolArray, depth_m: Float32Array | None, max_parts: int = 99
) -> tuple[BoolArray, ...]:
    return split_mask(mask, depth_m, CAMERA, max_parts=max_parts)


def assert_same(parts: tuple[BoolArray, ...], *expected: BoolArray) -> None:
    """The parts are the expected ones, in whatever order."""
    assert len(parts) == len(expected), [int(part.sum()) for part in parts]
    for mask in expected:
        assert any(np.array_equal(part, mask) for part in parts)


def visible(*depths: Float64Array) -> tuple[Float32Array, list[BoolArray]]:
    """Depth image of surfaces before the wall, and the visible pixels of each."""
    nearest = np.minimum.reduce([*depths, WALL])
    return nearest.astype(np.float32), [(d == nearest) & (d < WALL) for d in depths]


def test_two_side_by_side_with_a_gap() -> None:
    depth, (left, right) = visible(card(-0.06, 0, 0.8, 0.1, 0.08), card(0.05, 0, 0.8, 0.08, 0.08))
    parts = split(left | right, depth)
    np.testing.assert_array_equal(parts, [left, right])  # the larger one first


def test_mask_that_covers_the_narrow_gap_between_two() -> None:
    depth, (left, right) = visible(card(-0.05, 0, 0.8, 0.09, 0.08), card(0.05, 0, 0.8, 0.09, 0.08))
    gap = np.zeros_like(left)
    rows, columns = np.nonzero(left | right)
    gap[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = True
    parts = split(gap, depth)
    assert len(parts) == 2
    np.testing.assert_array_equal(parts[0] | parts[1], gap)
    for truth in (left, right):
        part = max(parts, key=lambda part: np.count_nonzero(part & truth))
        target = lift_mask(part, depth, CAMERA)
        assert isinstance(target, Target3D)
        exact = Scene(truth, depth, CAMERA).exact_position()
        np.testing.assert_allclose(target.position, exact, atol=0.002)


@pytest.mark.parametrize("noise", [False, True])
def test_one_behind_the_other_that_touch_in_the_image(noise: bool) -> None:
    depth, (front, back) = visible(card(-0.03, 0, 0.8, 0.1, 0.1), card(0.05, 0.02, 1.0, 0.2, 0.15))
    if not noise:
        assert_same(split(front | back, depth), front, back)
        return
    parts = split(front | back, noisy(depth, np.random.default_rng(3)))
    assert len(parts) == 2
    for truth in (front, back):
        assert max(np.count_nonzero(part & truth) for part in parts) > 0.98 * truth.sum()


def test_flying_pixels_do_not_lead_from_one_to_the_other() -> None:
    """As cameras give them: two columns between front and back, at any depth in between."""
    depth, (front, back) = visible(card(-0.05, 0, 0.8, 0.1, 0.1), card(0.05, 0, 1.0, 0.125, 0.125))
    flying = dilate(front) & back
    flying |= dilate(flying) & back
    rng = np.random.default_rng(0)
    depth[flying] = rng.uniform(0.8, 1.0, int(flying.sum()))
    parts = split(front | back, depth)
    assert len(parts) == 2
    for truth in (front, back):
        assert any(not (truth & ~flying & ~part).any() for part in parts)


def behind_bar(bar_width: float, *objects: Float64Array) -> tuple[Float32Array, BoolArray]:
    bar = card(0.0, 0.0, 0.6, bar_width, 0.3)
    depth, (_, *masks) = visible(bar, *objects)
    return depth, np.logical_or.reduce(masks)


@pytest.mark.parametrize("tilt", [0.0, 0.5])
def test_one_behind_a_bar_is_one(tilt: float) -> None:
    """Two components in the image, one object in space: its surface continues behind the bar."""
    thing = rectangle_depth(CAMERA, np.array([0, 0, 0.9]), rotation(tilt, 0, 0), (0.2, 0.12))
    depth, mask = behind_bar(0.02, thing)
    assert not mask[:, 120].any()
    assert_same(split(mask, depth), mask)


def test_shadow_beside_a_bar_hides_as_well() -> None:
    """Stereo cameras measure nothing beside what is in front; the bar between it is evidence."""
    depth, mask = behind_bar(0.02, card(0, 0, 0.9, 0.2, 0.12))
    bar = depth < 0.7
    shadow = dilate(dilate(dilate(bar))) & ~bar
    depth[shadow] = np.nan
    assert_same(split(mask & ~shadow, depth), mask & ~shadow)


def test_bar_that_the_mask_covers_splits_nothing() -> None:
    depth, mask = behind_bar(0.006, card(0, 0, 0.9, 0.2, 0.12))
    covered = mask.copy()
    rows, columns = np.nonzero(mask)
    covered[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = True
    assert_same(split(covered, depth), covered)


def test_behind_a_bar_wider_than_what_is_seen_are_two() -> None:
    depth, mask = behind_bar(0.1, card(0, 0, 0.9, 0.2, 0.12))
    assert len(split(mask, depth)) == 2


def test_two_at_different_depths_behind_a_bar_are_two() -> None:
    depth, mask = behind_bar(0.02, card(-0.06, 0, 0.9, 0.12, 0.1), card(0.06, 0, 1.05, 0.12, 0.1))
    assert len(split(mask, depth)) == 2


def test_rim_before_the_inside_of_a_bowl_is_the_same_object() -> None:
    """A step of depth inside one object, smaller than the object is wide."""
    depth, (front, back) = visible(card(0, 0.04, 0.8, 0.16, 0.06), card(0, -0.01, 0.88, 0.16, 0.08))
    assert 0.07 < np.abs(np.diff(depth[90:150, 120])).max() < 0.09
    assert_same(split(front | back, depth), front | back)


def test_hole_outside_of_the_mask_is_no_bar() -> None:
    """What is between two parts and has no depth may be the background as well."""
    depth, (left, right) = visible(card(-0.06, 0, 0.8, 0.1, 0.08), card(0.05, 0, 0.8, 0.08, 0.08))
    depth[~(left | right)] = np.nan
    assert_same(split(left | right, depth), left, right)


@functools.cache
def single_objects() -> dict[str, Scene]:
    scenes = {}
    for distance in (0.5, 1.0, 2.0, 3.0):
        size = 0.3 * distance
        center = np.array([0.0, 0.0, distance])
        for degrees in (0, 45, 70, 78):
            axes = rotation(np.deg2rad(degrees), 0.2, 0.3)
            slanted = rectangle_depth(CAMERA, center, axes, (1.2 * size, size))
            scenes[f"plane, {degrees} degrees, {distance} m"] = compose(CAMERA, slanted, WALL + 3)
        ball = sphere_depth(CAMERA, center, size / 2)
        scenes[f"ball, {distance} m"] = compose(CAMERA, ball, WALL + 3)
    return scenes


@pytest.mark.parametrize("name", list(single_objects()))
def test_one_surface_stays_one(name: str) -> None:
    scene = single_objects()[name]
    rng = np.random.default_rng(1)
    for depth in (
        scene.depth_m,
        noisy(scene.depth_m, rng),
        holes(scene.depth_m, 0.2, rng),
        holes(noisy(scene.depth_m, rng), 0.5, rng),
    ):
        assert_same(split(scene.mask, depth), scene.mask)


@pytest.mark.parametrize("share", [0.05, 0.15])
@pytest.mark.parametrize("shift", [0, 3])
def test_mask_that_is_too_large_stays_one(share: float, shift: int) -> None:
    depth, (thing,) = visible(card(0.0, 0.0, 0.8, 0.12, 0.09))
    mask = np.roll(bleed(thing, share, np.random.default_rng(0)), shift, axis=1)
    assert_same(split(mask, depth), mask)


def test_hole_across_an_object_does_not_split_it() -> None:
    depth, (thing,) = visible(card(0.0, 0.0, 0.8, 0.12, 0.09))
    depth[:, 110:125] = np.nan
    assert_same(split(thing, depth), thing)


def test_thing_without_depth_beside_one_that_has_it() -> None:
    depth, (left, right) = visible(card(-0.06, 0, 0.8, 0.1, 0.08), card(0.05, 0, 0.8, 0.08, 0.08))
    depth[right] = np.nan
    assert_same(split(left | right, depth), left, right)


def test_without_depth_what_does_not_touch_is_apart() -> None:
    _, (left, right) = visible(card(-0.06, 0, 0.8, 0.1, 0.08), card(0.05, 0, 0.8, 0.08, 0.08))
    speck = np.zeros_like(left)
    speck[2:5, 2:5] = True
    for depth in (None, np.full(left.shape, np.nan, np.float32)):
        assert_same(split(left | right | speck, depth), left, right)
    bridge = left | right
    bridge[120, :] |= (np.arange(240) > 60) & (np.arange(240) < 160)
    assert len(split(bridge, None)) == 1
    assert_same(split_mask(left | right, WALL.astype(np.float32), None, max_parts=9), left, right)


def test_specks_are_left_out_but_not_all_of_them() -> None:
    depth, (thing,) = visible(card(0.0, 0.0, 0.8, 0.12, 0.09))
    speck = np.zeros_like(thing)
    speck[2:12, 2:12] = True
    assert_same(split(thing | speck, depth), thing)
    assert_same(split(speck, depth), speck)
    checkers = np.indices((240, 240)).sum(axis=0) % 2 == 0
    assert_same(split(checkers, None), checkers)


def test_max_parts_keeps_the_largest() -> None:
    mask = np.zeros((240, 240), bool)
    for k in range(20):
        mask[10 * k : 10 * k + 8, : 40 + k] = True
    parts = split(mask, None, max_parts=3)
    assert [int(part.sum()) for part in parts] == [8 * 59, 8 * 58, 8 * 57]


@pytest.mark.parametrize("depth", [True, False])
def test_large_masks_are_looked_at_more_coarsely(depth: bool) -> None:
    camera = Intrinsics(fx=900.0, fy=900.0, cx=639.5, cy=359.5, width=1280, height=720)
    left, right = np.zeros((720, 1280), bool), np.zeros((720, 1280), bool)
    left[7:701, 3:601] = True
    right[11:713, 640:1277] = True
    depth_m = np.full(left.shape, 9.0, np.float32)
    depth_m[left], depth_m[right] = 1.0, 1.7
    mask = left | right
    parts = split_mask(mask, depth_m if depth else None, camera, max_parts=9)
    assert len(parts) == 2
    for part, truth in zip(parts, (right, left), strict=True):
        assert np.count_nonzero(part ^ truth) < 0.002 * truth.sum()
    np.testing.assert_array_equal(parts[0] | parts[1], mask)


def test_large_mask_between_the_rows_that_are_looked_at() -> None:
    mask = np.zeros((1000, 1000), bool)
    mask[1, 1:999:2] = mask[999, 1:999:2] = True
    mask[0, 0] = True
    parts = split_mask(mask, None, None, max_parts=9)
    assert len(parts) == 1


def test_empty_mask_has_no_parts() -> None:
    assert split(np.zeros((240, 240), bool), None) == ()


@pytest.mark.parametrize(
    ("mask", "depth", "error"),
    [
        (np.zeros((4, 4), np.uint8), None, MaskError),
        (np.zeros((2, 4, 4), bool), None, MaskError),
        (np.zeros((4, 4), bool), np.zeros((4, 5), np.float32), DepthError),
    ],
)
def test_wrong_shapes_and_types(mask: np.ndarray, depth: np.ndarray, error: type) -> None:
    with pytest.raises(error, match="expected"):
        split(mask, depth)


MASKS = arrays.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))
DEPTHS = st.sampled_from([np.nan, 0.0, -1.0, np.inf, 0.8, 0.81, 1.2, 2.0])


@settings(deadline=None)
@given(mask=MASKS, data=st.data())
def test_parts_of_anything_are_disjoint_and_the_largest_first(
    mask: BoolArray, data: st.DataObject
) -> None:
    depth = data.draw(arrays.arrays(np.float32, mask.shape, elements=DEPTHS))
    parts = split(mask, depth)
    sizes = [int(part.sum()) for part in parts]
    assert bool(parts) == mask.any()
    assert sizes == sorted(sizes, reverse=True)
    assert all(sizes)
    assert sum(sizes) == (np.count_nonzero(np.any(parts, axis=0)) if parts else 0)
    assert not any((part & ~mask).any() for part in parts)
    if len(parts) > 1:
        assert sizes[-1] >= MIN_PART_PX


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000))
def test_parts_do_not_depend_on_how_the_image_is_turned(seed: int) -> None:
    """Blocks at random depths, so that no pixel is as close to one as to another."""
    rng = np.random.default_rng(seed)
    depth = np.kron(rng.uniform(0.5, 3.0, (4, 5)), np.ones((7, 7))).astype(np.float32)
    mask = np.kron(rng.random((4, 5)) < 0.7, np.ones((7, 7), bool))
    straight = {part.tobytes() for part in split(mask, depth)}
    for turn in (np.fliplr, np.flipud):
        turned = split(turn(mask), turn(depth))
        assert {turn(part).copy().tobytes() for part in turned} == straight
    turned = split(mask.T, depth.T)
    assert {part.T.copy().tobytes() for part in turned} == straight
