"""Targets that were found in a close-up are followed in close-ups."""

import numpy as np
import pytest
from fakes import FakeSegmenter
from hypothesis import given
from hypothesis import strategies as st
from moving_shapes import HEIGHT, RED, WIDTH, Disc, frame_of

from lisa_ros.inference.close_up import close_up_box, decode_part
from lisa_ros.tracking.gates import overlap
from lisa_ros.tracking.moving_part import MovingPart
from lisa_ros.tracking.tracker import Lost, Seed
from lisa_ros.tracking.trackers import tracker_named
from lisa_ros.types import PixelBox

RED_EMBEDDING = np.float32(RED)


class ShortSighted(FakeSegmenter):
    """Sees only what fills a hundredth of its picture."""

    def decode(self, image, seg_embeddings):
        masks, scores = super().decode(image, seg_embeddings)
        masks[masks.mean(axis=(1, 2)) < 0.01] = False
        return masks, scores


@pytest.fixture(params=["redecode", "flow"])
def tracker(request):
    return tracker_named(request.param, ShortSighted())


def test_a_small_target_is_followed_beyond_its_first_close_up(tracker):
    discs = [Disc(30 + 2.5 * step, 60 - step, radius=6) for step in range(26)]
    box = close_up_box(discs[0].mask)
    assert not discs[-1].mask[box.top : box.bottom, box.left : box.right].any()
    tracker.start(frame_of([discs[0]]), [Seed(1, discs[0].mask, RED_EMBEDDING, box)])
    for step, disc in enumerate(discs[1:], start=1):
        found = tracker.update(frame_of([disc], step / 10))
        assert overlap(found[1].mask, disc.mask) > 0.6, step


def test_in_the_whole_frame_it_would_have_been_lost():
    disc = Disc(30, 60, radius=6)
    tracker = tracker_named("redecode", ShortSighted())
    tracker.start(frame_of([disc]), [Seed(1, disc.mask, RED_EMBEDDING)])
    assert isinstance(tracker.update(frame_of([disc], 0.1))[1], Lost)


def test_a_target_that_comes_nearer_outgrows_its_first_close_up():
    tracker, start = tracker_named("redecode", ShortSighted()), Disc(64, 48, radius=5)
    box = PixelBox(54, 38, 74, 58)
    tracker.start(frame_of([start]), [Seed(1, start.mask, RED_EMBEDDING, box)])
    for step in range(1, 21):
        disc = Disc(64, 48, radius=5 * 1.07**step, z_m=1.07**-step)
        found = tracker.update(frame_of([disc], step / 10))
        assert overlap(found[1].mask, disc.mask) > 0.7, step
    assert np.ptp(np.nonzero(disc.mask)[0]) > box.height


def test_the_close_up_stays_with_those_in_sight():
    """One of two is taken away; the other takes the close-up along."""
    tracker, left, right = tracker_named("redecode", ShortSighted()), Disc(30, 48), Disc(60, 48)
    box = PixelBox(13, 16, 77, 80)
    seeds = [Seed(i, d.mask, RED_EMBEDDING, box) for i, d in enumerate((left, right), start=1)]
    tracker.start(frame_of([left, right]), seeds)
    for step in range(1, 17):
        right = Disc(60 + 3 * step, 48)
        found = tracker.update(frame_of([right], step / 10))
        assert overlap(found[2].mask, right.mask) > 0.9, step
        assert isinstance(found[1], Lost)
    assert not right.mask[box.top : box.bottom, box.left : box.right].any()


def test_a_part_is_decoded_as_a_picture_of_its_own():
    frame = frame_of([Disc(40, 50, radius=6), Disc(100, 50, radius=6)])
    masks, scores = decode_part(
        ShortSighted(), frame.image, PixelBox(20, 30, 60, 70), RED_EMBEDDING[None]
    )
    assert overlap(masks[0], Disc(40, 50, radius=6).mask) > 0.9
    assert scores.shape == (1,)


@st.composite
def parts(draw):
    """A part of an image, a mask in it, and that mask somewhere else in another size."""
    width, height = draw(st.integers(2, WIDTH)), draw(st.integers(2, HEIGHT))
    left, top = draw(st.integers(0, WIDTH - width)), draw(st.integers(0, HEIGHT - height))
    box = PixelBox(left, top, left + width, top + height)
    masks = []
    for room in (box, PixelBox(0, 0, WIDTH, HEIGHT)):
        mask = np.zeros((HEIGHT, WIDTH), bool)
        u0, v0 = draw(st.integers(0, room.width - 1)), draw(st.integers(0, room.height - 1))
        u1, v1 = draw(st.integers(u0, room.width - 1)), draw(st.integers(v0, room.height - 1))
        mask[room.top + v0 : room.top + v1 + 1, room.left + u0 : room.left + u1 + 1] = True
        masks.append(mask)
    return box, *masks


@given(parts())
def test_a_moving_part_keeps_its_shape_inside_the_image(case):
    """A square stays one and nothing else becomes one: it has as many tiles as before."""
    box, before, now = case
    part = MovingPart(box, {1: before})
    assert part.around({1: before}) == box
    moved = part.around({1: now})
    assert 0 <= moved.left < moved.right <= WIDTH
    assert 0 <= moved.top < moved.bottom <= HEIGHT
    assert moved.width >= box.width
    assert moved.height >= box.height
    assert np.sign(moved.width - moved.height) == np.sign(box.width - box.height)


def test_a_moving_part_keeps_its_place_beside_its_target():
    before, now = Disc(40, 40, radius=5), Disc(70, 50, radius=10)
    moved = MovingPart(PixelBox(30, 33, 60, 53), {1: before.mask}).around({1: now.mask})
    growth = np.sqrt(now.mask.sum() / before.mask.sum())
    np.testing.assert_allclose(moved[:2], (70 - 10 * growth, 50 - 7 * growth), atol=0.6)
    np.testing.assert_allclose((moved.width, moved.height), (30 * growth, 20 * growth), atol=0.6)
