"""Which parts of an image are shown."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisa_ros.errors import ConfigurationError
from lisa_ros.model.views import pieces, seen_boxes

sizes = st.tuples(st.integers(1, 150), st.integers(1, 150))


@pytest.mark.parametrize(
    ("hw", "expected"),
    [
        ((720, 1280), [(0, 0, 720, 720), (560, 0, 1280, 720)]),
        ((1280, 720), [(0, 0, 720, 720), (0, 560, 720, 1280)]),
        ((480, 640), [(0, 0, 480, 480), (160, 0, 640, 480)]),
        ((10, 20), [(0, 0, 10, 10), (10, 0, 20, 10)]),
        ((10, 31), [(0, 0, 16, 10), (15, 0, 31, 10)]),
        ((7, 7), [(0, 0, 7, 7)]),
    ],
)
def test_tiles_are_the_squares_at_both_ends(hw, expected):
    assert list(pieces(*hw, "tiles")) == list(seen_boxes(*hw, "tiles")) == expected


@given(sizes)
def test_tiles_cover_the_image_and_are_alike(hw):
    covered = np.zeros(hw, bool)
    boxes = pieces(*hw, "tiles")
    for box in boxes:
        covered[box.top : box.bottom, box.left : box.right] = True
    assert covered.all()
    assert len({(box.width, box.height) for box in boxes}) == 1


@given(sizes, st.sampled_from(["center", "letterbox"]))
def test_other_views_take_the_image_whole(hw, view):
    assert pieces(*hw, view) == ((0, 0, hw[1], hw[0]),)


def test_views_that_are_missing_are_named():
    with pytest.raises(ConfigurationError, match=r"center, letterbox, tiles"):
        pieces(8, 8, "fisheye")
    with pytest.raises(ConfigurationError, match="'fisheye' is not available"):
        seen_boxes(8, 8, "fisheye")
