from __future__ import annotations

import array
import sys
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("sensor_msgs")

from hypothesis import given, settings
from hypothesis import strategies as st
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from lisa_ros.errors import DepthError, ImageError
from lisa_ros.nodes.images import (
    check_color,
    check_depth,
    color_from_message,
    depth_from_message,
    message_from_array,
)

RGB = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) * 10


def padded_message(pixels: np.ndarray, encoding: str, padding: int, big: bool = False) -> Image:
    """An Image as a driver would send it: rows with `padding` bytes of rubbish at their ends."""
    height, width = pixels.shape[:2]
    rows = [row.astype(pixels.dtype.newbyteorder(">" if big else "<")).tobytes() for row in pixels]
    data = b"".join(row + b"\xee" * padding for row in rows)
    return Image(
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=int(big),
        step=len(rows[0]) + padding,
        data=array.array("B", data),
    )


@pytest.mark.parametrize(
    ("encoding", "stored"),
    [
        ("rgb8", RGB),
        ("bgr8", RGB[:, :, ::-1]),
        ("8UC3", RGB[:, :, ::-1]),
        ("rgba8", np.dstack([RGB, np.full((2, 3), 9, np.uint8)])),
        ("bgra8", np.dstack([RGB[:, :, ::-1], np.full((2, 3), 9, np.uint8)])),
    ],
)
@pytest.mark.parametrize("padding", [0, 1, 5])
def test_color_encodings_with_padded_rows(encoding: str, stored: np.ndarray, padding: int) -> None:
    image = color_from_message(padded_message(stored, encoding, padding))
    np.testing.assert_array_equal(image, RGB)
    assert image.flags.c_contiguous
    assert image.dtype == np.uint8


@pytest.mark.parametrize("encoding", ["mono8", "8UC1"])
def test_grey_becomes_three_equal_channels(encoding: str) -> None:
    grey = RGB[:, :, 0]
    image = color_from_message(padded_message(grey, encoding, 2))
    np.testing.assert_array_equal(image, np.dstack([grey] * 3))


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("padding", [0, 2, 3])
def test_depth_keeps_values_in_either_byte_order(big: bool, padding: int) -> None:
    millimetres = np.array([[0, 1, 258], [65535, 1000, 4096]], dtype=np.uint16)
    metres = np.array([[np.nan, 0.5, 1.25], [np.inf, -0.0, 9.0]], dtype=np.float32)
    for encoding in ("16UC1", "mono16"):
        depth = depth_from_message(padded_message(millimetres, encoding, padding, big))
        np.testing.assert_array_equal(depth, millimetres)
        assert depth.dtype == np.uint16
        assert depth.dtype.isnative
    depth = depth_from_message(padded_message(metres, "32FC1", padding, big))
    np.testing.assert_array_equal(depth, metres)
    assert depth.dtype == np.float32
    assert depth.dtype.isnative


def test_last_row_may_lack_its_padding() -> None:
    message = padded_message(RGB, "rgb8", 4)
    message.data = message.data[:-4]
    np.testing.assert_array_equal(color_from_message(message), RGB)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"encoding": "yuv422_yuy2"}, "'yuv422_yuy2'"),
        ({"encoding": ""}, "''"),
        ({"height": 0}, "no pixels"),
        ({"width": 0}, "no pixels"),
        ({"step": 8}, "step of 8 bytes; one row needs 9"),
        ({"height": 3}, "holds 18 bytes; expected at least 27"),
        ({"height": 2**31, "width": 2**31, "step": 2**32 - 1}, "one row needs"),
        ({"data": array.array("B")}, "holds 0 bytes"),
    ],
)
def test_damaged_color_is_an_error_that_names_the_fault(change: dict, words: str) -> None:
    message = padded_message(RGB, "rgb8", 0)
    for name, value in change.items():
        setattr(message, name, value)
    with pytest.raises(ImageError) as caught:
        color_from_message(message)
    assert words in str(caught.value)


def test_color_where_depth_belongs_is_a_depth_error() -> None:
    with pytest.raises(DepthError, match=r"'rgb8'.*colour topic"):
        depth_from_message(padded_message(RGB, "rgb8", 0))
    short = padded_message(np.zeros((2, 2), np.uint16), "16UC1", 0)
    short.data = short.data[:-1]
    with pytest.raises(DepthError, match="holds 7 bytes"):
        depth_from_message(short)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 7),
    st.integers(1, 7),
    st.sampled_from(["rgb8", "bgr8", "mono8", "16UC1", "32FC1"]),
)
def test_written_images_are_read_back(height: int, width: int, encoding: str) -> None:
    rng = np.random.default_rng([height, width])
    shape = (height, width, 3) if encoding in ("rgb8", "bgr8") else (height, width)
    dtype = {"16UC1": np.uint16, "32FC1": np.float32}.get(encoding, np.uint8)
    pixels = rng.integers(0, 255, shape).astype(dtype)
    header = Header(frame_id="camera")
    message = message_from_array(pixels, encoding, header)
    assert (message.header, message.encoding) == (header, encoding)
    assert isinstance(message.data, array.array)
    if dtype == np.uint8:
        expected = pixels[:, :, ::-1] if encoding == "bgr8" else pixels
        expected = expected if expected.ndim == 3 else np.dstack([expected] * 3)
        np.testing.assert_array_equal(color_from_message(message), expected)
    else:
        np.testing.assert_array_equal(depth_from_message(message), pixels)


def test_views_that_are_not_contiguous_are_written_as_they_look() -> None:
    np.testing.assert_array_equal(
        color_from_message(message_from_array(RGB[:, ::-1], "rgb8", Header())), RGB[:, ::-1]
    )


@pytest.mark.parametrize(
    ("pixels", "encoding"),
    [
        (RGB.astype(np.float32), "rgb8"),
        (RGB[:, :, 0], "rgb8"),
        (RGB, "mono8"),
        (RGB, "jpeg"),
    ],
)
def test_pixels_that_do_not_fit_their_encoding_are_refused(
    pixels: np.ndarray, encoding: str
) -> None:
    with pytest.raises(ImageError):
        message_from_array(pixels, encoding, Header())


class CvBridgeError(TypeError):
    """As cv_bridge has it."""


def bridge(convert: Callable[[Image, str], np.ndarray]) -> SimpleNamespace:
    """A cv_bridge that converts in this way."""
    converter = SimpleNamespace(imgmsg_to_cv2=convert)
    return SimpleNamespace(CvBridge=lambda: converter, CvBridgeError=CvBridgeError)


@pytest.mark.parametrize("encoding", ["yuv422_yuy2", "bayer_rggb8", "nv21"])
def test_encodings_that_only_cv_bridge_knows(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def convert(message: Image, wanted: str) -> np.ndarray:
        asked.append((message.encoding, wanted))
        return RGB

    message = padded_message(RGB[:, :, 0], encoding, 0)
    check_color(message)
    monkeypatch.setitem(sys.modules, "cv_bridge", bridge(convert))
    np.testing.assert_array_equal(color_from_message(message), RGB)
    assert asked == [(encoding, "rgb8")]


@pytest.mark.parametrize("error", [CvBridgeError, TypeError, ValueError, IndexError])
def test_what_cv_bridge_cannot_read_is_an_image_error(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def convert(message: Image, wanted: str) -> np.ndarray:
        raise error("buffer is too small")

    monkeypatch.setitem(sys.modules, "cv_bridge", bridge(convert))
    with pytest.raises(ImageError, match="'bayer_rggb8' to rgb8: buffer is too small"):
        color_from_message(padded_message(RGB[:, :, 0], "bayer_rggb8", 0))


def test_without_cv_bridge_its_encodings_are_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "cv_bridge", None)
    with pytest.raises(ImageError, match=r"ros-\$ROS_DISTRO-cv-bridge"):
        color_from_message(padded_message(RGB[:, :, 0], "bayer_rggb8", 0))


def test_numbers_can_be_checked_without_the_pixels() -> None:
    check_color(padded_message(RGB, "rgb8", 2))
    check_depth(padded_message(np.zeros((2, 3), np.uint16), "16UC1", 1))
    damaged = padded_message(RGB, "rgb8", 0)
    damaged.width = 2**31
    with pytest.raises(ImageError, match="one row needs"):
        check_color(damaged)
    with pytest.raises(DepthError, match="colour topic"):
        check_depth(damaged)
