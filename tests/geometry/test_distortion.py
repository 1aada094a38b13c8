"""Lens distortion: hand-computed points, and undistort as the exact inverse of distort."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lisa_ros.geometry import CameraModel, LensDistortion, lift_mask, pixel_rays
from lisa_ros.types import Intrinsics, Target3D

# A webcam, a wide-angle rational model, and a 160-degree fish-eye: plausible published
# calibrations.
LENSES = [
    (LensDistortion("plumb_bob", (0.16, -0.27, 0.001, -0.0005, 0.11)), 0.7),
    (LensDistortion("plumb_bob", (-0.28, 0.07, 0.0002, 0.0002)), 0.8),
    (LensDistortion("rational_polynomial", (0.5, -2.6, 0.0007, -0.0003, 1.5, 0.4, -2.4, 1.4)), 0.6),
    (LensDistortion("equidistant", (-0.01, 0.03, -0.02, 0.005)), 2.5),
]


def test_brown_by_hand() -> None:
    lens = LensDistortion("plumb_bob", (0.1, 0.0, 0.01, 0.02, 0.0))
    # x = 0.3, y = 0.4, r² = 0.25: radial 1.025; tangential 2·p1·x·y + p2·(r² + 2x²), and so on
    expected = [0.3 * 1.025 + 0.0024 + 0.02 * 0.43, 0.4 * 1.025 + 0.01 * 0.57 + 0.0048]
    np.testing.assert_allclose(lens.distort(np.array([0.3, 0.4])), expected, atol=1e-15)


def test_equidistant_without_coefficients_measures_the_angle() -> None:
    lens = LensDistortion("equidistant", (0.0, 0.0, 0.0, 0.0))
    np.testing.assert_allclose(lens.distort(np.array([1.0, 0.0])), [np.pi / 4, 0.0])
    np.testing.assert_allclose(lens.undistort(np.array([0.0, np.pi / 3])), [0.0, np.sqrt(3.0)])


@pytest.mark.parametrize(("lens", "reach"), LENSES)
@settings(deadline=None)
@given(data=st.data())
def test_undistort_inverts_distort(lens: LensDistortion, reach: float, data: st.DataObject) -> None:
    radius = data.draw(st.floats(0, reach))
    angle = data.draw(st.floats(0, 2 * np.pi))
    ray = radius * np.array([np.cos(angle), np.sin(angle)])
    imaged = lens.distort(ray)
    np.testing.assert_allclose(lens.undistort(imaged), ray, atol=1e-7)
    np.testing.assert_allclose(lens.distort(lens.undistort(imaged)), imaged, atol=1e-7)


def test_beyond_the_turning_point_there_is_no_ray() -> None:
    lens = LensDistortion("plumb_bob", (-0.3, 0.0, 0.0, 0.0))
    # r·(1 − 0.3r²) is highest at r = 1.054, where it is 0.7027: nothing is imaged further out
    assert np.all(np.isfinite(lens.undistort(np.array([0.70, 0.0]))))
    assert np.all(np.isnan(lens.undistort(np.array([0.71, 0.0]))))
    fisheye = LensDistortion("equidistant", (0.0, 0.0, 0.0, 0.0))
    assert np.all(np.isnan(fisheye.undistort(np.array([1.6, 0.0]))))  # 91.7 degrees off the axis


def test_pixels_without_a_ray_do_not_cost_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wide lens whose corners image nothing: only the few that do not converge go on."""
    coefficients = (0.5, -2.7, 5e-4, -1e-4, 1.5, 0.4, -2.5, 1.45)
    lens = LensDistortion("rational_polynomial", coefficients)
    camera = CameraModel(Intrinsics(250.0, 250.0, 319.5, 239.5, 640, 480), lens)
    evaluated: list[int] = []
    distort = LensDistortion._distort_brown

    def counting(self: LensDistortion, x: np.ndarray, y: np.ndarray) -> object:
        evaluated.append(x.size)
        return distort(self, x, y)

    monkeypatch.setattr(LensDistortion, "_distort_brown", counting)
    rays = camera.ray_grid()
    lost = np.isnan(rays).any(axis=-1)
    assert 0.01 < lost.mean() < 0.2
    assert sum(evaluated) < 10 * lost.size
    imaged = lens.distort(rays)[~lost]
    np.testing.assert_allclose(imaged, CameraModel(camera.intrinsics).ray_grid()[~lost], atol=1e-9)


def test_lifting_from_a_distorted_image_finds_the_point() -> None:
    """A patch of a wall at 1.2 m, imaged by a distorting lens, is lifted to where it is."""
    lens, intrinsics = LENSES[1][0], Intrinsics(300.0, 300.0, 160.0, 120.0, 320, 240)
    rays = CameraModel(intrinsics, lens).ray_grid()
    depth = np.full((240, 320), 1.2, np.float32)
    patch = (np.abs(rays[..., 0] * 1.2 - 0.35) < 0.05) & (np.abs(rays[..., 1] * 1.2 - 0.2) < 0.04)
    target = lift_mask(patch, depth, intrinsics, rays=rays)
    assert isinstance(target, Target3D)
    np.testing.assert_allclose(target.position, [0.35, 0.2, 1.2], atol=0.004)
    pinhole = lift_mask(patch, depth, intrinsics)
    assert isinstance(pinhole, Target3D)
    assert np.linalg.norm(pinhole.position - target.position) > 0.01  # what ignoring d would cost


def test_pixels_without_a_ray_are_no_measurements() -> None:
    intrinsics = Intrinsics(100.0, 100.0, 99.5, 99.5, 200, 200)
    rays = CameraModel(intrinsics, LensDistortion("plumb_bob", (-0.3, 0.0, 0.0, 0.0))).ray_grid()
    lost = np.isnan(rays[..., 0])
    assert 0.1 < lost.mean() < 0.9
    everything, depth = np.ones((200, 200), bool), np.ones((200, 200), np.float32)
    target = lift_mask(everything, depth, intrinsics, rays=rays)
    assert isinstance(target, Target3D)
    assert target.depth_coverage == pytest.approx(1 - lost.mean())
    assert np.all(np.isfinite(pixel_rays(intrinsics, [0.0], [0.0])))
