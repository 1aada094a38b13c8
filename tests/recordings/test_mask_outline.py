"""Masks become polygons that draw them back, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lisa_ros.recordings.mask_outline import mask_outlines
from lisa_ros.recordings.polygon_mask import LabelledPolygon, polygon_mask
from lisa_ros.types import BoolArray


def drawn_back(mask: BoolArray) -> BoolArray:
    polygons = [LabelledPolygon("target", outline) for outline in mask_outlines(mask)]
    return polygon_mask(polygons, *mask.shape) == 1


@settings(max_examples=150)
@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=12)))
def test_any_mask_is_drawn_back(mask: BoolArray) -> None:
    np.testing.assert_array_equal(drawn_back(mask), mask)


@settings(max_examples=30)
@given(st.lists(st.tuples(*[st.integers(0, 39)] * 4), max_size=6))
def test_overlapping_ellipses_and_holes_are_drawn_back(spots: list[tuple[int, ...]]) -> None:
    y, x = np.mgrid[:40, :40]
    mask = np.zeros((40, 40), bool)
    for number, (cx, cy, rx, ry) in enumerate(spots):
        inside = ((x - cx) / (rx + 1)) ** 2 + ((y - cy) / (ry + 1)) ** 2 <= 1
        mask[inside] = number % 2 == 0
    np.testing.assert_array_equal(drawn_back(mask), mask)


def test_points_lie_in_the_middle_of_their_pixels_inside_the_image() -> None:
    mask = np.ones((4, 6), bool)
    (outline,) = mask_outlines(mask)
    assert outline == ((0.5, 0.5), (5.5, 0.5), (5.5, 3.5), (0.5, 3.5))


def test_an_island_in_a_hole_survives() -> None:
    mask = np.zeros((30, 30), bool)
    mask[2:28, 2:28] = True
    mask[8:20, 8:20] = False
    mask[12:15, 12:15] = True
    np.testing.assert_array_equal(drawn_back(mask), mask)
    assert len(mask_outlines(mask)) == 3


def test_a_round_hole_takes_one_cut() -> None:
    y, x = np.mgrid[-30:31, -30:31]
    ring = (x**2 + y**2 < 28**2) & (x**2 + y**2 > 15**2)
    np.testing.assert_array_equal(drawn_back(ring), ring)
    assert len(mask_outlines(ring)) == 2


@pytest.mark.parametrize("shape", [(0, 0), (0, 7), (5, 5)])
def test_nothing_has_no_outline(shape: tuple[int, int]) -> None:
    assert mask_outlines(np.zeros(shape, bool)) == []


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (4, 1)])
def test_the_smallest_regions_are_polygons_too(size: tuple[int, int]) -> None:
    mask = np.zeros((5, 6), bool)
    mask[1 : 1 + size[0], 4 - size[1] : 4] = True
    (outline,) = mask_outlines(mask)
    assert len(set(outline)) == 3
    np.testing.assert_array_equal(drawn_back(mask), mask)
