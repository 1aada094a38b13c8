"""What the gates let through and what they refuse, with the reason."""

import dataclasses

import numpy as np
import pytest
from moving_shapes import BLUE, WALL_M, Disc, frame_of

from lisa_ros.geometry import ray_grid
from lisa_ros.tracking.appearance import colours_of, likeness
from lisa_ros.tracking.gates import GateLimits, TargetMemory, overlap, surface_point

DISC = Disc(60, 45)
FRAME = frame_of([DISC])


def memory():
    return TargetMemory(FRAME, DISC.mask, GateLimits())


def refusal_of(disc, seconds, **options):
    return memory().refusal(frame_of([disc], seconds, **options), disc.mask)


def test_the_target_itself_passes_wherever_it_went():
    for u, v, radius in ((60, 45, 14), (64, 40, 13), (50, 50, 16)):
        assert refusal_of(Disc(u, v, radius), 0.1) is None


def test_an_empty_mask_is_nothing():
    assert "nothing of it" in memory().refusal(FRAME, np.zeros_like(DISC.mask))


def test_a_mask_that_grows_over_the_image_is_refused():
    assert "size or shape" in memory().refusal(FRAME, np.ones_like(DISC.mask))


def test_size_is_not_compared_after_a_while_out_of_sight():
    near = Disc(60, 45, 40)
    assert "size or shape" in refusal_of(near, 0.5)
    assert refusal_of(near, 1.5) is None


def test_another_colour_is_refused_with_figures():
    assert "other colours (likeness 0." in refusal_of(dataclasses.replace(DISC, colour=BLUE), 0.1)


def test_what_was_looked_for_in_vain_must_be_more_alike():
    half = DISC.mask.copy()
    half[:, :60] = Disc(40, 45).mask[:, :60]  # as much of the wall as of the disc
    alike = likeness(colours_of(FRAME.image, half), memory().colours)
    limits = GateLimits(memory_s=1.0)
    assert limits.min_likeness < alike < limits.likeness_after_loss
    lost, unasked = memory(), memory()
    lost.miss(frame_of([DISC], 1.0))
    assert lost.refusal(frame_of([DISC], 1.9), half) is None
    assert "0.75 is needed" in lost.refusal(frame_of([DISC], 2.1), half)
    assert unasked.refusal(frame_of([DISC], 2.1), half) is None
    assert lost.refusal(frame_of([DISC], 2.1), DISC.mask) is None
    lost.remember(frame_of([DISC], 2.1), DISC.mask)
    assert lost.refusal(frame_of([DISC], 3.2), half) is None


def test_a_bit_of_something_alike_is_not_what_was_lost():
    bit = Disc(60, 45, 6)
    known = memory()
    known.miss(frame_of([], 1.0))
    frame = frame_of([bit], 2.1)
    assert "0.18 of its size, at least 0.40" in known.refusal(frame, bit.mask)
    assert known.refusal(frame_of([DISC], 2.1), DISC.mask) is None
    # As many pixels, but of something as large as the target, twice as far away.
    away = Disc(60, 45, 7, z_m=2.0)
    assert known.refusal(frame_of([away], 2.1), away.mask) is None
    flat = TargetMemory(frame_of([DISC], depth=False), DISC.mask, GateLimits())
    flat.miss(frame_of([], 1.0, depth=False))
    assert "of its size" in flat.refusal(frame_of([away], 2.1, depth=False), away.mask)


def test_a_jump_in_depth_is_refused_until_there_was_time_for_it():
    far = dataclasses.replace(DISC, z_m=1.5)
    assert "jumped 0.50 m in 0.10 s; up to 0.21 m" in refusal_of(far, 0.1)
    assert refusal_of(far, 0.4) is None


def test_a_jump_in_the_image_is_refused_without_depth():
    beside = Disc(95, 45)
    flat = TargetMemory(frame_of([DISC], depth=False), DISC.mask, GateLimits())
    frame = frame_of([beside], 0.1, depth=False)
    assert "jumped 35 px in 0.10 s; up to 19 px" in flat.refusal(frame, beside.mask)
    assert flat.refusal(frame_of([beside], 0.3, depth=False), beside.mask) is None


def test_what_is_remembered_moves_on():
    known = memory()
    for step in range(1, 11):
        disc = Disc(60, 45, z_m=1.0 + 0.1 * step)
        frame = frame_of([disc], 0.1 * step)
        assert known.refusal(frame, disc.mask) is None
        known.remember(frame, disc.mask)
    assert known.distance_m(frame, disc.mask) == pytest.approx(0)


def test_the_surface_point_is_the_median_of_what_is_measured():
    disc = Disc(60, 45, z_m=1.2)
    frame = frame_of([disc])
    point = surface_point(frame, disc.mask)
    expected = [(60 - frame.intrinsics.cx) / 120 * 1.2, (45 - frame.intrinsics.cy) / 120 * 1.2, 1.2]
    np.testing.assert_allclose(point, expected, atol=1e-6)
    frame.depth_m[disc.mask] = np.nan
    assert surface_point(frame, disc.mask) is None
    assert surface_point(frame, ~disc.mask)[2] == pytest.approx(WALL_M)
    assert surface_point(frame_of([disc], depth=False), disc.mask) is None


def test_pixels_that_a_lens_gives_no_ray_have_no_position():
    """The corners of a fish-eye's image."""
    frame = frame_of([DISC])
    rays = ray_grid(frame.intrinsics)
    rays[:, :60] = np.nan
    half = dataclasses.replace(frame, rays=rays)
    seen = DISC.mask.copy()
    seen[:, :60] = False
    np.testing.assert_array_equal(surface_point(half, DISC.mask), surface_point(frame, seen))
    none = dataclasses.replace(frame, rays=np.full_like(rays, np.nan))
    assert surface_point(none, DISC.mask) is None
    assert memory().distance_m(none, DISC.mask) is None
    assert memory().refusal(none, DISC.mask) is None


def test_overlap():
    left, right = np.zeros((2, 4), bool), np.zeros((2, 4), bool)
    left[:, :3] = right[:, 1:] = True
    assert overlap(left, right) == 0.5
    assert overlap(left & ~left, right & ~right) == 0
