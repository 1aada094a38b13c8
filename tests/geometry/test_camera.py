"""camera_info to intrinsics: known answers for K, P, ROI and binning, and typed errors."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lisa_ros.errors import CameraInfoError
from lisa_ros.geometry import CameraInfo, CameraModel, RegionOfInterest, camera_model
from lisa_ros.types import Intrinsics

K = (600.0, 0.0, 320.0, 0.0, 610.0, 240.0, 0.0, 0.0, 1.0)
P = (550.0, 0.0, 318.0, 0.0, 0.0, 560.0, 238.0, 0.0, 0.0, 0.0, 1.0, 0.0)
BROWN = (0.1, -0.2, 0.001, -0.002, 0.05)
INFO = CameraInfo(640, 480, K, P, BROWN, "plumb_bob")


def test_rectified_images_use_p_and_have_no_distortion() -> None:
    model = camera_model(INFO, rectified=True, image_size=(480, 640))
    assert model == CameraModel(Intrinsics(550.0, 560.0, 318.0, 238.0, 640, 480), None)


def test_raw_images_use_k_and_keep_the_distortion() -> None:
    model = camera_model(INFO, rectified=False)
    assert model.intrinsics == Intrinsics(600.0, 610.0, 320.0, 240.0, 640, 480)
    assert model.distortion is not None
    assert model.distortion.d == BROWN


def test_raw_images_without_distortion_are_pinholes_under_any_model_name() -> None:
    info = dataclasses.replace(INFO, d=(0.0,) * 5, distortion_model="inverse_brown_conrady")
    assert camera_model(info, rectified=False).distortion is None


@pytest.mark.parametrize("rectified", [False, True])
def test_roi_then_binning_as_image_geometry(rectified: bool) -> None:
    roi = RegionOfInterest(x_offset=100, y_offset=60, width=400, height=300)
    info = dataclasses.replace(INFO, roi=roi, binning_x=2, binning_y=4)
    got = camera_model(info, rectified=rectified, image_size=(75, 200)).intrinsics
    if rectified:
        assert got == Intrinsics(275.0, 140.0, 109.0, 44.5, 200, 75)
    else:
        assert got == Intrinsics(300.0, 152.5, 110.0, 45.0, 200, 75)


@settings(deadline=None, max_examples=20)
@given(x=st.integers(0, 300), y=st.integers(0, 200), u=st.integers(0, 300), v=st.integers(0, 200))
def test_a_region_sees_what_the_full_image_sees_there(x: int, y: int, u: int, v: int) -> None:
    full = camera_model(INFO, rectified=True).ray_grid()
    roi = RegionOfInterest(x_offset=x, y_offset=y, width=320, height=240)
    part = camera_model(dataclasses.replace(INFO, roi=roi), rectified=True).ray_grid()
    assert part.shape == (240, 320, 2)
    np.testing.assert_allclose(part[v, u], full[y + v, x + u], atol=1e-12)


@pytest.mark.parametrize(
    ("change", "rectified", "message"),
    [
        ({"k": (0.0,) * 9}, False, "focal lengths"),
        ({"p": (0.0,) * 12}, True, "focal lengths"),
        ({"k": (1e-80, *K[1:])}, False, "focal lengths"),
        ({"k": (*K[:2], 1e80, *K[3:])}, False, "centre near the image"),
        ({"k": (float("nan"), *K[1:])}, False, "finite"),
        ({"k": K[:8]}, False, "9 finite"),
        ({"p": (*P[:3], -40.0, *P[4:])}, True, "stereo"),
        ({"width": 0}, False, "size above 0"),
        ({"roi": RegionOfInterest(500, 0, 300, 100)}, False, "inside"),
        ({"binning_x": -1}, False, "binning"),
        ({"binning_y": 481}, False, "one to be left"),
        ({"distortion_model": "thin_prism"}, False, "thin_prism"),
        ({"d": (0.1, 0.2)}, False, "2 coefficients"),
        ({"d": (0.1, 0.2, float("nan"), 0.0, 0.0)}, False, "finite"),
    ],
)
def test_what_cannot_be_is_an_error_that_says_so(
    change: dict[str, object], rectified: bool, message: str
) -> None:
    info = dataclasses.replace(INFO, **change)  # type: ignore[arg-type]
    with pytest.raises(CameraInfoError, match=message) as raised:
        camera_model(info, rectified=rectified)
    assert "got" in str(raised.value)
    assert "expected" in str(raised.value)


def test_image_of_another_size_is_an_error() -> None:
    with pytest.raises(CameraInfoError, match=r"1280x720.*640x480"):
        camera_model(INFO, rectified=True, image_size=(720, 1280))
