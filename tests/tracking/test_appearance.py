"""Colours: alike under a little light and noise, unlike for other things."""

import numpy as np
import pytest
from moving_shapes import BLUE, RED, Disc, frame_of

from lisa_ros.tracking.appearance import colours_of, likeness

DISC = Disc(60, 45)
RED_COLOURS = colours_of(frame_of([DISC]).image, DISC.mask)


def test_each_axis_is_a_distribution():
    assert RED_COLOURS.shape == (40,)
    assert RED_COLOURS.sum() == pytest.approx(3)
    assert likeness(RED_COLOURS, RED_COLOURS) == pytest.approx(1)


def test_few_pixels_look_like_many():
    small = Disc(30, 30, radius=2.5)
    assert likeness(colours_of(frame_of([small]).image, small.mask), RED_COLOURS) > 0.8


@pytest.mark.parametrize("gain", [0.85, 1.15])
def test_light_changes_little(gain):
    image = np.clip(frame_of([DISC]).image * gain, 0, 255).astype(np.uint8)
    assert likeness(colours_of(image, DISC.mask), RED_COLOURS) > 0.7


def test_another_colour_of_the_same_brightness_is_unlike():
    green = (35, 122, 35)  # as bright as RED
    other = Disc(60, 45, colour=green)
    assert likeness(colours_of(frame_of([other]).image, other.mask), RED_COLOURS) < 0.2


def test_the_wall_and_the_whole_image_are_unlike():
    image = frame_of([DISC, Disc(100, 30, colour=BLUE)]).image
    everything = np.ones(image.shape[:2], bool)
    assert likeness(colours_of(image, everything), RED_COLOURS) < 0.5
    assert likeness(colours_of(image, ~DISC.mask), RED_COLOURS) < 0.2
    assert RED != BLUE
