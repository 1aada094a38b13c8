import numpy as np
import pytest

from lisa_ros.errors import DepthError
from lisa_ros.simulation.noise import sense_depth, sense_image
from lisa_ros.types import Intrinsics

CAMERA = Intrinsics(256.0, 256.0, 127.5, 127.5, 256, 256)


def flat(depth_m: float) -> np.ndarray:
    return np.full((256, 256), depth_m, np.float32)


def spread(depth_m: float) -> float:
    sensed = sense_depth(flat(depth_m), CAMERA, np.random.default_rng(0))
    return float(np.nanstd(sensed - depth_m))


def test_the_error_grows_with_the_square_of_depth():
    assert 3.0 < spread(2.0) / spread(1.0) < 5.0
    assert 0.0005 < spread(1.0) < 0.003


def test_the_error_has_no_bias_worth_mentioning():
    for depth in (0.5, 1.0, 2.0):
        sensed = sense_depth(flat(depth), CAMERA, np.random.default_rng(1))
        assert abs(np.nanmean(sensed) - depth) < 0.0015 * depth**2


def test_depth_comes_in_whole_millimetres_and_a_few_disparities():
    sensed = sense_depth(flat(1.5), CAMERA, np.random.default_rng(2))
    known = sensed[np.isfinite(sensed)]
    np.testing.assert_allclose(known, np.round(known, 3), atol=1e-6)
    assert len(np.unique(known)) < 40


def test_holes_are_at_the_edges():
    step = flat(1.0)
    step[:, 128:] = 1.5
    sensed = sense_depth(step, CAMERA, np.random.default_rng(3))
    assert np.isnan(sensed[:, 127:129]).mean() > 0.5
    assert np.isnan(np.delete(sensed, [127, 128], axis=1)).mean() < 0.02


def test_what_the_sensor_cannot_reach_is_nan_and_stays_nan():
    depth = flat(1.0)
    depth[0, 0], depth[0, 1], depth[0, 2] = 0.1, 20.0, np.nan
    sensed = sense_depth(depth, CAMERA, np.random.default_rng(4))
    assert np.isnan(sensed[0, :3]).all()
    assert sensed.dtype == np.float32


def test_the_truth_is_left_alone_and_seeds_decide():
    depth = flat(1.0)
    first = sense_depth(depth, CAMERA, np.random.default_rng(5))
    assert (depth == 1.0).all()
    np.testing.assert_array_equal(first, sense_depth(depth, CAMERA, np.random.default_rng(5)))
    with pytest.raises(DepthError, match=r"\(10, 10\)"):
        sense_depth(depth[:10, :10], CAMERA, np.random.default_rng(5))


def test_the_camera_noise_is_mild():
    image = np.full((64, 64, 3), 120, np.uint8)
    sensed = sense_image(image, np.random.default_rng(6))
    assert sensed.dtype == np.uint8
    assert 0.5 < sensed.astype(float).std() < 8
    assert abs(sensed.astype(float).mean() - 120) < 12
