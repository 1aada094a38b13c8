"""Parts of an image asked about at full resolution."""

import numpy as np
import pytest
from fakes import FakeSegmenter
from hypothesis import given
from hypothesis import strategies as st

from lisa_ros.errors import MaskError
from lisa_ros.inference.close_up import MIN_SIDE_PX, ask_about_part, close_up_box, refine
from lisa_ros.types import PixelBox

RED, BLUE = (220, 30, 30), (30, 30, 220)


@st.composite
def boxes_in_images(draw):
    width, height = draw(st.integers(1, 400)), draw(st.integers(1, 400))
    left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    right, bottom = draw(st.integers(left + 1, width)), draw(st.integers(top + 1, height))
    return (height, width), PixelBox(left, top, right, bottom)


@given(boxes_in_images())
def test_a_close_up_holds_the_mask_and_room_around_it(case):
    (height, width), marked = case
    mask = np.zeros((height, width), bool)
    mask[marked.top : marked.bottom, marked.left : marked.right] = True
    box = close_up_box(mask)
    assert 0 <= box.left <= marked.left < marked.right <= box.right <= width
    assert 0 <= box.top <= marked.top < marked.bottom <= box.bottom <= height
    side = max(MIN_SIDE_PX, 2 * max(marked.width, marked.height))
    assert (box.width, box.height) == (min(side, width), min(side, height))


def test_a_close_up_lies_around_the_middle_of_the_mask():
    mask = np.zeros((300, 400), bool)
    mask[100:150, 200:250] = True
    assert close_up_box(mask) == (175, 75, 275, 175)


def test_an_empty_mask_has_no_close_up():
    with pytest.raises(MaskError, match="empty mask"):
        close_up_box(np.zeros((8, 8), bool))


def test_an_answer_about_a_part_is_put_in_its_place():
    image = np.zeros((120, 200, 3), np.uint8)
    image[10:20, 10:30] = RED
    image[60:80, 130:150] = RED
    answer = ask_about_part(FakeSegmenter(), image, PixelBox(100, 40, 180, 100), "red")
    expected = np.zeros((1, 120, 200), bool)
    expected[0, 60:80, 130:150] = True
    np.testing.assert_array_equal(answer.masks, expected)
    assert answer.seen == ((100, 40, 180, 100),)
    assert answer.decoded_in == (100, 40, 180, 100)
    assert (answer.calibrated, answer.confidence) == (False, None)


def test_a_part_without_the_target_is_refused():
    answer = ask_about_part(
        FakeSegmenter(), np.zeros((80, 90, 3), np.uint8), PixelBox(0, 0, 70, 70), "red"
    )
    assert not answer.found
    assert answer.masks.shape == (0, 80, 90)


def test_refining_asks_about_what_was_found_only():
    """Another blue handle elsewhere is not part of the red cup."""
    image = np.zeros((240, 320, 3), np.uint8)
    image[100:140, 100:140] = RED
    image[110:120, 140:150] = BLUE
    image[200:230, 280:310] = BLUE
    cup = FakeSegmenter().segment(image, "red").masks[0]
    handle = refine(FakeSegmenter(), image, cup, "the blue part")
    expected = np.zeros((1, 240, 320), bool)
    expected[0, 110:120, 140:150] = True
    np.testing.assert_array_equal(handle.masks, expected)
    assert handle.decoded_in == (80, 80, 160, 160)
