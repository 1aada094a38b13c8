"""sensor_msgs/Image ↔ numpy, with padded rows, both byte orders and 16-bit pixels.

Encodings are those of sensor_msgs/image_encodings.hpp. Needs numpy only; cv_bridge is imported for
encodings outside the table below (YUV, Bayer), where it is installed.
"""

from __future__ import annotations

import array
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from lisa_ros.errors import DepthError, ImageError
from lisa_ros.types import Float32Array, UInt8Array

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | npt.NDArray[np.float32]


@dataclass(frozen=True)
class _Layout:
    """How one pixel is stored, and which of its channels are red, green and blue."""

    dtype: type[np.generic]
    channels: int
    rgb: tuple[int, int, int]


# 8UC3 names no channel order; OpenCV, which is what writes it, stores blue first.
_COLOR_LAYOUTS = {
    "rgb8": _Layout(np.uint8, 3, (0, 1, 2)),
    "rgba8": _Layout(np.uint8, 4, (0, 1, 2)),
    "bgr8": _Layout(np.uint8, 3, (2, 1, 0)),
    "bgra8": _Layout(np.uint8, 4, (2, 1, 0)),
    "8UC3": _Layout(np.uint8, 3, (2, 1, 0)),
    "mono8": _Layout(np.uint8, 1, (0, 0, 0)),
    "8UC1": _Layout(np.uint8, 1, (0, 0, 0)),
}
_DEPTH_DTYPES: dict[str, type[np.generic]] = {
    "16UC1": np.uint16,
    "mono16": np.uint16,
    "32FC1": np.float32,
}
_WRITTEN_LAYOUTS = {
    "rgb8": (np.uint8, 3),
    "bgr8": (np.uint8, 3),
    "mono8": (np.uint8, 1),
    "16UC1": (np.uint16, 1),
    "32FC1": (np.float32, 1),
}


def check_color(message: Image) -> None:
    """Compare the numbers of a colour image with each other, without reading its pixels.

    What only cv_bridge can read is not looked at. Raises ImageError as `color_from_message` does.
    """
    layout = _COLOR_LAYOUTS.get(message.encoding)
    if layout is not None:
        _pixels(message, np.dtype(layout.dtype), layout.channels, ImageError)


def check_depth(message: Image) -> None:
    """Compare the numbers of a depth image; raises DepthError as `depth_from_message` does."""
    _pixels(message, np.dtype(_depth_dtype(message)), 1, DepthError)


def color_from_message(message: Image) -> UInt8Array:
    """Return the colour image of a message as u8[H,W,3] RGB.

    Raises ImageError when the encoding is unknown (and cv_bridge cannot help) or the buffer does
    not hold the image that its header fields promise.
    """
    layout = _COLOR_LAYOUTS.get(message.encoding)
    if layout is None:
        return _color_by_cv_bridge(message)
    pixels = _pixels(message, np.dtype(layout.dtype), layout.channels, ImageError)
    if layout.rgb == (0, 1, 2) and layout.channels == 3:
        return np.ascontiguousarray(pixels, dtype=np.uint8)
    return np.ascontiguousarray(pixels[:, :, list(layout.rgb)], dtype=np.uint8)


def depth_from_message(message: Image) -> npt.NDArray[np.uint16] | Float32Array:
    """Return the values of a depth image as they were sent, in this machine's byte order.

    u16[H,W] for 16UC1 and mono16 (millimetres, 0 = no measurement), f32[H,W] for 32FC1 (metres, not
    finite = no measurement), as REP 118 defines them. Raises DepthError for other encodings and for
    damaged buffers.
    """
    dtype = _depth_dtype(message)
    pixels = _pixels(message, np.dtype(dtype), 1, DepthError)[:, :, 0]
    return np.ascontiguousarray(pixels).astype(dtype, copy=False)


def message_from_array(pixels: Pixels, encoding: str, header: Header) -> Image:
    """Return `pixels` ([H,W] or [H,W,3], of the encoding's dtype) as an Image with unpadded rows.

    encoding: rgb8, bgr8, mono8 (u8), 16UC1 (u16) or 32FC1 (f32). Raises ImageError when they do not
    fit each other.
    """
    if encoding not in _WRITTEN_LAYOUTS:
        raise ImageError(
            f"cannot write {encoding!r}; expected one of {', '.join(_WRITTEN_LAYOUTS)}"
        )
    dtype, channels = _WRITTEN_LAYOUTS[encoding]
    expected_shape = pixels.shape[:2] if channels == 1 else (*pixels.shape[:2], channels)
    if pixels.dtype != dtype or pixels.ndim < 2 or pixels.shape != expected_shape:
        raise ImageError(
            f"got {pixels.dtype}{list(pixels.shape)} for the encoding {encoding}; expected "
            f"{np.dtype(dtype)}[H,W{',3' if channels == 3 else ''}]"
        )
    # array.array is the one type that the message takes without a copy element by element.
    data = array.array("B")
    little_endian = np.ascontiguousarray(pixels, dtype=np.dtype(dtype).newbyteorder("<"))
    if little_endian.size:
        data.frombytes(memoryview(little_endian.data).cast("B"))
    return Image(
        header=header,
        height=int(pixels.shape[0]),
        width=int(pixels.shape[1]),
        encoding=encoding,
        is_bigendian=0,
        step=int(pixels.shape[1] * channels * np.dtype(dtype).itemsize),
        data=data,
    )


def _depth_dtype(message: Image) -> type[np.generic]:
    dtype = _DEPTH_DTYPES.get(message.encoding)
    if dtype is None:
        raise DepthError(
            f"depth image has the encoding {message.encoding!r}; expected one of "
            f"{', '.join(_DEPTH_DTYPES)}: is a colour topic connected to `depth`?"
        )
    return dtype


def _pixels(
    message: Image,
    dtype: np.dtype[Any],
    channels: int,
    error_type: type[ImageError] | type[DepthError],
) -> npt.NDArray[Any]:
    """Return a view [H,W,channels] of the message's buffer, in the byte order that it names."""
    height, width, step = int(message.height), int(message.width), int(message.step)
    row_bytes = width * channels * dtype.itemsize
    name = f"{message.encoding} image of {width}x{height}"
    if height == 0 or width == 0:
        raise error_type(f"{name} has no pixels; expected width and height above zero")
    if step < row_bytes:
        raise error_type(f"{name} has a step of {step} bytes; one row needs {row_bytes}")
    # Some drivers leave the padding of the last row out.
    needed_bytes = step * (height - 1) + row_bytes
    if len(message.data) < needed_bytes:
        raise error_type(
            f"{name} with a step of {step} bytes holds {len(message.data)} bytes; "
            f"expected at least {needed_bytes}"
        )
    return np.ndarray(
        shape=(height, width, channels),
        dtype=dtype.newbyteorder(">" if message.is_bigendian else "<"),
        buffer=message.data,
        strides=(step, channels * dtype.itemsize, dtype.itemsize),
    )


def _color_by_cv_bridge(message: Image) -> UInt8Array:
    try:
        from cv_bridge import CvBridge, CvBridgeError
    except ImportError as error:
        raise ImageError(
            f"colour image has the encoding {message.encoding!r}; expected one of "
            f"{', '.join(_COLOR_LAYOUTS)}; others need cv_bridge "
            "(apt: ros-$ROS_DISTRO-cv-bridge)"
        ) from error
    try:
        return np.ascontiguousarray(CvBridge().imgmsg_to_cv2(message, "rgb8"), dtype=np.uint8)
    except (CvBridgeError, TypeError, ValueError, IndexError) as error:
        # The last three for buffers that are shorter than the image they should hold.
        raise ImageError(
            f"cv_bridge cannot convert {message.encoding!r} to rgb8: {error}"
        ) from error
