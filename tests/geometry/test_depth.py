"""Depth images to metres by REP 118, and errors for everything else."""

from __future__ import annotations

import numpy as np
import pytest

from lisa_ros.errors import DepthError
from lisa_ros.geometry import depth_noise_m, depth_to_metres


def test_sixteen_bit_is_millimetres_and_zero_is_a_hole() -> None:
    got = depth_to_metres(np.array([[0, 1234, 65535]], np.uint16))
    np.testing.assert_array_equal(got, np.array([[np.nan, 1.234, 65.535]], np.float32))
    assert got.dtype == np.float32


def test_float_is_metres_and_only_positive_numbers_count() -> None:
    raw = np.array([[0.0, -1.0, np.inf, -np.inf, np.nan, 0.75]], np.float32)
    got = depth_to_metres(raw)
    np.testing.assert_array_equal(np.isnan(got), [[True] * 5 + [False]])
    assert got[0, 5] == np.float32(0.75)
    assert raw[0, 0] == 0.0  # the driver's image is left alone


def test_signalling_nan_and_overflow_are_holes() -> None:
    raw = np.array([[0x7F800001, 0x40000000]], np.uint32).view(np.float32)
    np.testing.assert_array_equal(depth_to_metres(raw), np.array([[np.nan, 2.0]], np.float32))
    assert np.isnan(depth_to_metres(np.array([[1e300]]))).all()


def test_big_endian_unit_and_range() -> None:
    raw = np.array([[5000, 10000]], ">u2")
    np.testing.assert_allclose(depth_to_metres(raw, unit_m=1 / 5000), [[1.0, 2.0]])
    np.testing.assert_array_equal(
        depth_to_metres(raw, unit_m=1 / 5000, max_depth_m=1.5), np.array([[1, np.nan]], np.float32)
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float16, np.bool_])
def test_other_dtypes_are_refused(dtype: type) -> None:
    with pytest.raises(DepthError, match="expected uint16"):
        depth_to_metres(np.zeros((4, 4), dtype))


@pytest.mark.parametrize("shape", [(4,), (4, 4, 1), (1, 4, 4)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DepthError, match="expected \\[H, W\\]"):
        depth_to_metres(np.zeros(shape, np.uint16))


@pytest.mark.parametrize("unit_m", [0.0, -0.001, float("nan"), float("inf")])
def test_a_unit_must_be_a_length(unit_m: float) -> None:
    with pytest.raises(DepthError, match="unit_m"):
        depth_to_metres(np.ones((2, 2), np.uint16), unit_m=unit_m)


def test_noise_model_by_hand() -> None:
    np.testing.assert_allclose(depth_noise_m(np.array([0.4, 1.4, 2.4])), [0.0012, 0.0031, 0.0088])
