"""The rule from polygons to masks, against masks drawn by upstream's own code (fixtures)."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from lisa_ros.errors import DatasetError
from lisa_ros.recordings.documents import decode_text
from lisa_ros.recordings.polygon_mask import LabelledPolygon, polygon_mask
from lisa_ros.recordings.polygon_pixels import polygon_pixels

FIXTURES = Path(__file__).parent / "fixtures" / "reason_seg"
EXPECTED = np.load(FIXTURES / "expected_masks.npz")


def polygons_of(path: Path) -> list[LabelledPolygon]:
    text, _ = decode_text(path.read_bytes(), path)
    return [LabelledPolygon(s["label"], s["points"]) for s in json.loads(text)["shapes"]]


@pytest.mark.parametrize("stem", EXPECTED.files)
def test_masks_equal_upstreams(stem: str) -> None:
    expected = EXPECTED[stem]
    mask = polygon_mask(polygons_of(FIXTURES / f"{stem}.json"), *expected.shape)
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, expected)


def square(label: str, low: float, high: float) -> LabelledPolygon:
    return LabelledPolygon(label, [(low, low), (high, low), (high, high), (low, high)])


def test_larger_polygons_lie_under_smaller_ones() -> None:
    for order in (1, -1):
        polygons = [square("target", 0, 9), square("My IGNORED one", 2, 6), square("cup", 4, 4)]
        mask = polygon_mask(polygons[::order], 10, 10)
        assert (mask == 255).sum() == 24
        assert (mask == 1).sum() == 76
        assert mask[4, 4] == 1


def test_of_equal_areas_the_first_one_is_on_top() -> None:
    polygons = [square("ignore", 0, 4), square("target", 0, 4)]
    assert set(polygon_mask(polygons, 5, 5).ravel()) == {255}
    assert set(polygon_mask(polygons[::-1], 5, 5).ravel()) == {1}


def test_flags_cover_nothing() -> None:
    assert not polygon_mask([square("FLAG", 0, 4)], 5, 5).any()


def test_points_are_truncated_and_the_outline_belongs_to_the_mask() -> None:
    expected = np.zeros((10, 10), np.uint8)
    expected[2:6, 2:6] = 1
    np.testing.assert_array_equal(polygon_mask([square("cup", 2.9, 5.99)], 10, 10), expected)


@pytest.mark.parametrize("points", [[(3, 4)], [(3, 4), (3, 4)]])
def test_a_point_is_a_pixel(points: list[tuple[int, int]]) -> None:
    mask = polygon_pixels(np.array(points), 8, 8)
    assert np.argwhere(mask).tolist() == [[4, 3]]


def test_crossing_sides_fill_by_the_even_odd_rule() -> None:
    bow_tie = polygon_pixels(np.array([(0, 0), (20, 20), (20, 0), (0, 20)]), 21, 21)
    assert bow_tie[10, 1]
    assert bow_tie[10, 19]
    assert not bow_tie[1, 10]


def test_a_polygon_around_the_image_covers_it_all() -> None:
    assert polygon_pixels(np.array([(-9, -9), (90, -9), (90, 90), (-9, 90)]), 20, 30).all()


def test_a_polygon_beside_the_image_covers_nothing() -> None:
    assert not polygon_pixels(np.array([(40, 2), (60, 2), (50, 9)]), 20, 30).any()


def test_far_coordinates_cost_nothing() -> None:
    far = 999_999
    start = time.process_time()
    mask = polygon_mask([LabelledPolygon("x", [(-far, 3), (far, 5), (far, far)])], 20, 30)
    assert mask.any()
    assert time.process_time() - start < 5  # a million steps a side, in Python, would take longer


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e7])
def test_coordinates_that_cannot_be_are_named(value: float) -> None:
    with pytest.raises(DatasetError, match=r"Point 1 of polygon 0 \('cup'\)"):
        polygon_mask([LabelledPolygon("cup", [(1, 1), (value, 2), (3, 3)])], 9, 9)


def test_a_polygon_without_points_is_named() -> None:
    with pytest.raises(DatasetError, match=r"Polygon 1 \('cup'\) has no points"):
        polygon_mask([square("a", 1, 2), LabelledPolygon("cup", [])], 9, 9)


def test_an_outline_without_end_is_refused_before_it_is_drawn() -> None:
    zigzag = [(x % 1000, 999 * (x % 2)) for x in range(10_000)]
    with pytest.raises(DatasetError, match=r"Polygon 1 \('cup'\) winds over \d{7,} px"):
        polygon_mask([square("a", 1, 2), LabelledPolygon("cup", zigzag)], 1000, 1000)
    assert polygon_mask([LabelledPolygon("cup", zigzag[:1000])], 1000, 1000).any()
