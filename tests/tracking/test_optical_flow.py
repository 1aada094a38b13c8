"""Flow and the motion fitted to it, on images whose motion is a formula."""

import numpy as np
import pytest

from lisa_ros.tracking.optical_flow import follow_points, pyramid_of
from lisa_ros.tracking.similarity import Similarity, fit_similarity

HEIGHT, WIDTH = 120, 160
Z = np.mgrid[:HEIGHT, :WIDTH][1] + 1j * np.mgrid[:HEIGHT, :WIDTH][0]
_RNG = np.random.default_rng(0)
_WAVES = _RNG.normal(size=(30, 2)) * 0.2
_PHASES = _RNG.uniform(0, 2 * np.pi, 30)
POINTS = np.array([(u, v) for u in range(50, 111, 12) for v in range(40, 81, 10)], float)


def picture(z, gain=1.0, grey=127):
    waves = (z.real * k[0] + z.imag * k[1] + p for k, p in zip(_WAVES, _PHASES, strict=True))
    value = grey + gain * 12 * sum(map(np.sin, waves))
    return np.repeat(np.clip(value, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def flow(motion, radius_px=7, **light):
    before = pyramid_of(picture(Z))
    after = pyramid_of(picture((Z - motion.offset) / motion.factor, **light))
    return follow_points(before, after, POINTS, radius_px)


@pytest.mark.parametrize("shift", [0j, 0.4 - 0.3j, 3.3 + 2.1j, -14 + 9j])
def test_shifts_are_found_to_a_tenth_of_a_pixel(shift):
    there, believed = flow(Similarity(1, shift))
    assert believed.mean() > 0.8
    error = np.hypot(*(there - POINTS - (shift.real, shift.imag)).T)
    assert np.median(error[believed]) < 0.1


def test_a_darker_image_moves_all_the_same():
    there, believed = flow(Similarity(1, 3 + 2j), gain=0.95, grey=110)
    assert believed.mean() > 0.8
    assert np.median(np.hypot(*(there - POINTS - (3, 2)).T)[believed]) < 0.25


def test_a_turn_with_zoom_is_found():
    truth = Similarity(1.04 * np.exp(0.04j), 2 - 6j)
    there, believed = flow(truth)
    found = fit_similarity(POINTS[believed], there[believed])
    assert abs(found.factor - truth.factor) < 0.005
    centre = 80 + 60j
    moved = [m.factor * centre + m.offset for m in (found, truth)]
    assert abs(moved[0] - moved[1]) < 0.3


def test_plain_surfaces_and_what_leaves_the_image_are_not_believed():
    plain = pyramid_of(np.full((HEIGHT, WIDTH, 3), 90, np.uint8))
    _, believed = follow_points(plain, plain, POINTS, 5)
    assert not believed.any()
    before, after = pyramid_of(picture(Z)), pyramid_of(picture(Z + 10))
    there, believed = follow_points(before, after, np.array([[4.0, 60.0], [80.0, 60.0]]), 7)
    assert believed.tolist() == [False, True]
    assert there[1, 0] == pytest.approx(70, abs=0.3)


def test_unrelated_images_are_not_believed():
    noise = np.random.default_rng(1).integers(0, 255, (2, HEIGHT, WIDTH, 3), dtype=np.uint8)
    _, believed = follow_points(pyramid_of(noise[0]), pyramid_of(noise[1]), POINTS, 7)
    assert believed.mean() < 0.2


def test_tiny_images_have_fewer_levels():
    assert len(pyramid_of(np.zeros((20, 30, 3), np.uint8)).levels) == 1
    assert [level.shape for level in pyramid_of(np.zeros((99, 201, 3), np.uint8)).levels] == [
        (99, 201),
        (49, 100),
        (24, 50),
    ]


def test_the_motion_of_the_majority_wins():
    truth = Similarity(0.95 * np.exp(-0.1j), 5 + 1j)
    z = POINTS @ [1, 1j]
    w = truth.factor * z + truth.offset
    w[::3] += 8 + 3j  # a third is on something else
    found = fit_similarity(POINTS, np.column_stack([w.real, w.imag]))
    assert abs(found.factor - truth.factor) < 1e-9
    assert abs(found.offset - truth.offset) < 1e-6


def test_no_motion_without_enough_points_that_agree():
    scattered = POINTS + np.random.default_rng(2).uniform(-40, 40, POINTS.shape)
    assert fit_similarity(POINTS, scattered) is None
    assert fit_similarity(POINTS[:3], POINTS[:3]) is None
    assert fit_similarity(POINTS[:0], POINTS[:0]) is None
    one_place = np.repeat(POINTS[:1], 9, axis=0)
    assert fit_similarity(one_place, one_place) is None


def test_masks_move_turn_and_grow():
    mask = np.zeros((40, 60), bool)
    mask[10:20, 10:30] = True
    shifted = Similarity(1, 5 - 3j).moved(mask)
    np.testing.assert_array_equal(shifted, np.roll(mask, (-3, 5), (0, 1)))
    doubled = Similarity(2, -10 - 10j).moved(mask)
    assert doubled.sum() == pytest.approx(4 * mask.sum(), rel=0.1)
    assert doubled[25, 30]
    turned = Similarity(1j, 40 + 0j).moved(mask)  # (u, v) to (40 - v, u)
    assert turned.sum() == 200
    assert turned[10:30, 21:31].all()


def test_masks_are_cut_at_the_border():
    mask = np.zeros((40, 60), bool)
    mask[10:20, 10:30] = True
    assert Similarity(1, -20 + 0j).moved(mask).sum() == 100
    assert not Similarity(1, 500 + 0j).moved(mask).any()
    assert not Similarity(1, 5 + 0j).moved(np.zeros((4, 4), bool)).any()
