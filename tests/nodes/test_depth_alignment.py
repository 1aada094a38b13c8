"""Which depth can be used with which image, and what is said of the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lisa_ros.errors import DepthError, TransformError
from lisa_ros.geometry import CameraModel, LensDistortion
from lisa_ros.nodes.depth_alignment import DepthAligner
from lisa_ros.types import Float32Array, Float64Array, Intrinsics

COLOR = CameraModel(Intrinsics(20.0, 20.0, 7.5, 5.5, 16, 12))
DEPTH = CameraModel(Intrinsics(10.0, 10.0, 3.5, 2.5, 8, 6))
FRAMES = ("depth_optical_frame", "color_optical_frame")
SHIFT = np.array([[1.0, 0, 0, 0.1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


def ramp(height: int = 6, width: int = 8) -> Float32Array:
    return np.arange(1, height * width + 1, dtype=np.float32).reshape(height, width)


def from_other_view(
    aligner: DepthAligner, depth_camera: CameraModel | None = DEPTH
) -> Float32Array:
    return aligner.from_other_view(
        np.ones((6, 8), np.float32), COLOR, depth_camera, frames=FRAMES, stamp_ns=7
    )


@pytest.mark.parametrize(
    ("frames", "registered"),
    [
        (("camera", "camera"), True),
        (("/camera", "camera"), True),
        (("", ""), True),
        (("camera", "camera_2"), False),
        (("", "camera"), False),
    ],
)
def test_frame_ids_tell_what_is_registered(frames: tuple[str, str], registered: bool) -> None:
    assert DepthAligner().is_registered(*frames) is registered
    assert DepthAligner(depth_to_color=SHIFT).is_registered(*frames) is registered


def test_identity_says_that_depth_is_registered_whatever_its_frame_id() -> None:
    assert DepthAligner(depth_to_color=np.eye(4)).is_registered(*FRAMES)


def test_depth_of_the_right_size_is_left_alone() -> None:
    depth_m = ramp(12, 16)

    def depth_camera() -> CameraModel | None:
        pytest.fail("nobody needs it")

    assert DepthAligner().to_size(depth_m, COLOR, depth_camera) is depth_m


@pytest.mark.parametrize("known", [None, DEPTH])
def test_half_the_size_is_every_pixel_twice(known: CameraModel | None) -> None:
    depth_m = DepthAligner().to_size(ramp(), COLOR, lambda: known)
    np.testing.assert_array_equal(depth_m, np.repeat(np.repeat(ramp(), 2, axis=0), 2, axis=1))


def test_crop_is_placed_by_its_camera_info() -> None:
    crop = CameraModel(Intrinsics(20.0, 20.0, 3.5, 2.5, 8, 6))
    depth_m = DepthAligner().to_size(ramp(), COLOR, lambda: crop)
    np.testing.assert_array_equal(depth_m[3:9, 4:12], ramp())
    assert np.isfinite(depth_m).sum() == 48


def test_lens_of_depth_is_taken_into_account() -> None:
    lens = LensDistortion("plumb_bob", (-0.2, 0.0, 0.0, 0.0, 0.0))
    bent = CameraModel(DEPTH.intrinsics, lens)
    depth_m = DepthAligner().to_size(np.ones((6, 8), np.float32), COLOR, lambda: bent)
    assert np.isfinite(depth_m).all()  # a barrel sees more than the pinhole


def test_another_shape_without_camera_info_is_refused() -> None:
    with pytest.raises(DepthError, match=r"8x3, the colour image 16x12.*depth_camera_info"):
        DepthAligner().to_size(ramp(3), COLOR, lambda: None)


def test_fixed_pose_is_preferred_to_tf() -> None:
    def find_transform(*_: Any) -> Float64Array:
        pytest.fail("nobody needs it")

    seen = from_other_view(DepthAligner(depth_to_color=SHIFT, find_transform=find_transform))
    assert np.isnan(seen[:, :2]).all()  # 10 cm at 1 m with 20 px
    assert np.isfinite(seen[:, 2:]).all()


def test_transform_is_looked_up_from_depth_to_colour_at_the_stamp() -> None:
    asked = []

    def find_transform(target: str, source: str, stamp_ns: int) -> Float64Array:
        asked.append((target, source, stamp_ns))
        return SHIFT

    aligner = DepthAligner(find_transform=find_transform)
    np.testing.assert_array_equal(
        from_other_view(aligner), from_other_view(DepthAligner(depth_to_color=SHIFT))
    )
    assert asked == [("color_optical_frame", "depth_optical_frame", 7)]


def test_cameras_that_change_are_registered_anew() -> None:
    aligner = DepthAligner(depth_to_color=SHIFT)
    first = from_other_view(aligner)
    nearer = CameraModel(Intrinsics(12.0, 12.0, 3.5, 2.5, 8, 6))
    assert np.isnan(from_other_view(aligner, nearer)).sum() > np.isnan(first).sum()
    np.testing.assert_array_equal(from_other_view(aligner), first)


def failing(*_: Any) -> Float64Array:
    raise TransformError("no such frame")


def crooked(*_: Any) -> Float64Array:
    return 2 * np.eye(4)


@pytest.mark.parametrize(
    ("aligner", "depth_camera", "words"),
    [
        (DepthAligner(depth_to_color=SHIFT), None, "connect `depth_camera_info`"),
        (DepthAligner(), DEPTH, "no transform between them is known"),
        (DepthAligner(find_transform=failing), DEPTH, "no such frame"),
        (DepthAligner(find_transform=crooked), DEPTH, "rotation"),
    ],
)
def test_refusal_says_what_is_missing(
    aligner: DepthAligner, depth_camera: CameraModel | None, words: str
) -> None:
    with pytest.raises(DepthError, match=words) as caught:
        from_other_view(aligner, depth_camera)
    assert "'depth_optical_frame', the colour image in 'color_optical_frame'" in str(caught.value)


@pytest.mark.parametrize("aligner", [DepthAligner(), DepthAligner(find_transform=failing)])
def test_refusal_names_the_drivers_setting(aligner: DepthAligner) -> None:
    for camera in (None, DEPTH):
        with pytest.raises(DepthError, match=r"align_depth\.enable:=true.*i_align_depth"):
            from_other_view(aligner, camera)
