"""What counts as the same view: light, noise and small things may change, the place may not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from answering_parts import make_frame

from lisa_ros.nodes.view_sketch import is_same_view, sketch_view
from lisa_ros.types import RgbdFrame, UInt8Array


@pytest.fixture
def frame() -> RgbdFrame:
    """A view with edges at all scales: patches of random grey."""
    patches = np.random.default_rng(3).integers(0, 255, (12, 16), dtype=np.uint8)
    image = np.kron(patches, np.ones((20, 20), dtype=np.uint8))
    return with_image(make_frame(), np.repeat(image[:, :, None], 3, axis=2))


def with_image(frame: RgbdFrame, image: UInt8Array) -> RgbdFrame:
    return dataclasses.replace(frame, image=image)


def test_light_and_noise_do_not_make_another_view(frame: RgbdFrame) -> None:
    noise = np.random.default_rng(0).normal(0, 8, frame.image.shape)
    darker = np.clip(0.5 * frame.image + 20 + noise, 0, 255).astype(np.uint8)
    assert is_same_view(sketch_view(frame), sketch_view(with_image(frame, darker)))


def test_an_arm_in_the_picture_does_not_make_another_view(frame: RgbdFrame) -> None:
    image = frame.image.copy()
    image[:80, 100:180] = 90
    assert is_same_view(sketch_view(frame), sketch_view(with_image(frame, image)))


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_a_camera_that_turned_away_sees_another_view(frame: RgbdFrame, share: float) -> None:
    turned = np.roll(frame.image, round(share * frame.image.shape[1]), axis=1)
    assert not is_same_view(sketch_view(frame), sketch_view(with_image(frame, turned)))


def test_another_camera_or_size_is_another_view(frame: RgbdFrame) -> None:
    other = dataclasses.replace(frame, frame_id="other")
    smaller = with_image(frame, frame.image[::2, ::2])
    for changed in (other, smaller):
        assert not is_same_view(sketch_view(frame), sketch_view(changed))


def test_a_view_without_edges_is_never_recognised(frame: RgbdFrame) -> None:
    wall = sketch_view(with_image(frame, np.full_like(frame.image, 200)))
    assert np.isfinite(wall.edges).all()
    assert not is_same_view(wall, wall)
