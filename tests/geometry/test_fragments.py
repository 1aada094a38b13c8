"""Which parts of a mask are specks or strips, on labels drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lisa_ros.geometry.connectivity import OUTSIDE, LabelArray
from lisa_ros.geometry.fragments import MIN_PART_PX, fragments


def canvas() -> LabelArray:
    """A disc of 20 px radius in the middle, label 0."""
    v, u = np.indices((100, 100)) - 50
    return np.where(u**2 + v**2 <= 20**2, 0, OUTSIDE)


def ring(labels: LabelArray, width: int) -> None:
    v, u = np.indices(labels.shape) - 50
    labels[(labels == OUTSIDE) & (u**2 + v**2 <= (20 + width) ** 2)] = 1


def test_one_part_is_no_fragment_however_small() -> None:
    labels = np.full((5, 5), OUTSIDE)
    labels[2, 2] = 0
    assert not fragments(labels).any()


@pytest.mark.parametrize(("width", "is_strip"), [(1, True), (4, True), (8, False)])
def test_ring_is_a_strip_while_it_is_thin_beside_its_neighbour(width: int, is_strip: bool) -> None:
    labels = canvas()
    ring(labels, width)
    np.testing.assert_array_equal(fragments(labels), (labels == 1) & is_strip)


def test_strip_by_itself_is_an_object() -> None:
    """A pen beside nothing is thin, too."""
    labels = canvas()
    labels[90:94, 10:90] = 1
    assert not fragments(labels).any()


@pytest.mark.parametrize(("side", "is_speck"), [(11, True), (12, False)])
def test_speck_is_small_beside_the_largest(side: int, is_speck: bool) -> None:
    labels = canvas()  # 1257 px, a tenth of which is 126
    labels[2 : 2 + side, 2 : 2 + side] = 1
    np.testing.assert_array_equal(fragments(labels), (labels == 1) & is_speck)


def test_speck_of_a_small_mask_is_small_in_pixels() -> None:
    labels = np.full((20, 20), OUTSIDE)
    labels[2:10, 2:10] = 0
    labels[12:15, 12:17] = 1
    assert np.count_nonzero(fragments(labels)) == 15 == MIN_PART_PX - 1
