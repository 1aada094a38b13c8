"""sensor_msgs/CompressedImage → numpy: the transports compressed and compressedDepth.

`compressed`: data is a JPEG or PNG file. `compressedDepth`: data begins with twelve bytes, an int32
(the kind of quantisation) and two float32 (its parameters A and B), little-endian. Then comes a
PNG file of 16-bit grey, or two uint32 (columns, rows) and an RVL stream (rvl.py). For 16UC1 the
values are those of the image. For 32FC1 a value q stands for A / (q − B) metres, and 0 for no
measurement. Files are read by Pillow.
"""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as PillowImage
from sensor_msgs.msg import CompressedImage

from lisa_ros.errors import DepthError, ImageError, LisaError
from lisa_ros.nodes.rvl import decode_rvl
from lisa_ros.types import Float32Array, UInt8Array

_CONFIG = struct.Struct("<iff")
_RVL_SIZE = struct.Struct("<II")
_DEPTH_ENCODINGS = ("16UC1", "32FC1")
# 8K colour images and 4K depth: beyond is damage or malice.
_MAX_COLOR_PIXELS = 2**25
_MAX_DEPTH_PIXELS = 2**23
# Deflate shrinks at most 1032 times, and JPEG has at least a bit for each block of 8x8 samples; the
# rest is for headers. A file that claims more than this of itself is not one.
_MAX_RATIO = 1032
_HEADER_BYTES = 4096
# A progressive JPEG refines the picture in about ten scans. Each costs a pass over all of it,
# however few bytes it has, and none can be stopped.
_MAX_SCANS = 32
_START_OF_SCAN = b"\xff\xda"
_GREY_16 = ("I;16", "I;16B", "I")
_COLOR_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr")


def color_from_compressed(message: CompressedImage) -> UInt8Array:
    """Return the colour image of a message as u8[H,W,3] RGB.

    A file holds its colours in the usual order, whatever the camera's encoding was, unless format
    says "compressed rgb": such a sender stored red as blue. Raises ImageError for a file that is
    damaged, larger than its data can justify, in too many scans, not JPEG or PNG, or no colour
    image.
    """
    encoding, _, compression = message.format.partition(";")
    if encoding.startswith("bayer_") and "8" not in compression:
        raise ImageError(
            f"compressed image has the format {message.format!r}: a mosaic stored as it is; "
            "expected a colour image: let the driver or image_proc debayer it"
        )
    picture = _read_file(bytes(message.data), _MAX_COLOR_PIXELS, ImageError)
    if picture.mode not in _COLOR_MODES:
        raise ImageError(
            f"compressed image is a file of mode {picture.mode}; expected colour or 8-bit grey: is "
            "a depth topic connected to `image`?"
        )
    pixels = np.array(picture.convert("RGB"), dtype=np.uint8)
    return np.ascontiguousarray(pixels[:, :, ::-1]) if "compressed rgb" in compression else pixels


def depth_from_compressed(
    message: CompressedImage,
) -> npt.NDArray[np.uint16] | Float32Array:
    """Return the values of a compressedDepth message as its depth image had them.

    u16[H,W] for 16UC1 (millimetres, 0 = no measurement), f32[H,W] for 32FC1 (metres, NaN = no
    measurement). Raises DepthError for other formats and for damaged data.
    """
    encoding, compression = _depth_format(message.format)
    data = bytes(message.data)
    if len(data) <= _CONFIG.size:
        raise DepthError(
            f"compressedDepth message holds {len(data)} bytes; expected a header of "
            f"{_CONFIG.size} bytes and an image"
        )
    _, scale, offset = _CONFIG.unpack_from(data)
    coded = data[_CONFIG.size :]
    levels = _rvl_levels(coded) if compression == "rvl" else _png_levels(coded)
    return levels if encoding == "16UC1" else _metres(levels, scale, offset)


def _depth_format(text: str) -> tuple[str, str]:
    """Return the encoding and the compression that a format names; old senders left png out."""
    encoding, _, compression = (part.strip() for part in text.partition(";"))
    compression = compression.removeprefix("compressedDepth").strip() or "png"
    if encoding not in _DEPTH_ENCODINGS or compression not in ("png", "rvl"):
        raise DepthError(
            f"compressed depth has the format {text!r}; expected '16UC1; compressedDepth png' or "
            "the like with 32FC1 and rvl: is another topic connected to `depth`?"
        )
    return encoding, compression


def _png_levels(data: bytes) -> npt.NDArray[np.uint16]:
    picture = _read_file(data, _MAX_DEPTH_PIXELS, DepthError)
    if picture.format != "PNG" or picture.mode not in _GREY_16:
        raise DepthError(
            f"compressedDepth holds a {picture.format} file of mode {picture.mode}; expected PNG "
            "with 16-bit grey"
        )
    return np.array(picture).astype(np.uint16)


def _rvl_levels(data: bytes) -> npt.NDArray[np.uint16]:
    if len(data) < _RVL_SIZE.size:
        raise DepthError(
            f"RVL depth holds {len(data)} bytes; expected a size of {_RVL_SIZE.size} bytes and a "
            "stream"
        )
    columns, rows = _RVL_SIZE.unpack_from(data)
    if not 0 < columns * rows <= _MAX_DEPTH_PIXELS:
        raise DepthError(
            f"RVL depth claims {columns}x{rows} pixels; expected 1 to {_MAX_DEPTH_PIXELS} of them: "
            "the message is damaged"
        )
    return decode_rvl(data[_RVL_SIZE.size :], columns * rows).reshape(rows, columns)


def _metres(levels: npt.NDArray[np.uint16], scale: float, offset: float) -> Float32Array:
    """Undo the quantisation of inverse depth."""
    if not (np.isfinite(scale) and np.isfinite(offset) and scale > 0):
        raise DepthError(
            f"compressedDepth of 32FC1 is quantised with A={scale}, B={offset}; expected finite "
            "numbers and A above 0: the message is damaged, or its sender leaves them out"
        )
    with np.errstate(divide="ignore", over="ignore"):
        metres = np.float32(scale) / (levels.astype(np.float32) - np.float32(offset))
    metres[levels == 0] = np.nan
    return metres


def _read_file(
    data: bytes, max_pixels: int, error_type: type[ImageError] | type[DepthError]
) -> Any:
    """Read a JPEG or PNG file whole, once its size is known to be one that its data can hold."""
    try:
        picture = PillowImage.open(io.BytesIO(data), formats=("JPEG", "PNG"))
        pixels = picture.width * picture.height
        sample_bytes = 2 if picture.mode in _GREY_16 else 1
        claimed = pixels * len(picture.getbands()) * sample_bytes
        if pixels > max_pixels or claimed > _MAX_RATIO * len(data) + _HEADER_BYTES:
            raise error_type(
                f"compressed image claims {picture.width}x{picture.height} pixels in "
                f"{len(data)} bytes; expected at most {max_pixels} pixels, and less than "
                f"{_MAX_RATIO} times the data: the message is damaged"
            )
        if picture.format == "JPEG" and data.count(_START_OF_SCAN) > _MAX_SCANS:
            raise error_type(
                f"compressed image is a JPEG file of {data.count(_START_OF_SCAN)} scans; expected "
                f"at most {_MAX_SCANS}: the message is damaged"
            )
        picture.load()
    except LisaError:
        raise
    except Exception as error:  # Pillow's readers raise a dozen types for damaged files
        raise error_type(
            f"compressed image of {len(data)} bytes cannot be read: {type(error).__name__}: "
            f"{error}; expected a whole JPEG or PNG file"
        ) from error
    return picture
