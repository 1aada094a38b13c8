"""The head of a `.sens` recording, version 4: cameras, compression, how many frames."""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass

import numpy as np

from lisa_ros.errors import DatasetError
from lisa_ros.types import Float64Array, Intrinsics
from training.data.scannet.bounded_image import MAX_PIXELS
from training.data.scannet.checked_file import CheckedFile

_VERSION = 4
_OPENING = struct.Struct("<IQ")
_MAX_NAME_BYTES = 4096
# Four row-major 4x4 matrices, two compressions, four sizes, depth shift, number of frames.
_BODY = struct.Struct("<64f2i4IfQ")
_SHIFTS = (1.0, 1e6)
# The head of a frame's record, and a byte of each of its images.
_SMALLEST_RECORD = struct.calcsize("<16f4Q") + 2


class ColorCompression(enum.IntEnum):
    """How colour blobs are stored."""

    RAW = 0
    PNG = 1
    JPEG = 2


class DepthCompression(enum.IntEnum):
    """How depth blobs are stored. OCCI needs a codec that was never published."""

    RAW = 0
    ZLIB = 1
    OCCI = 2


@dataclass(frozen=True)
class SensHeader:
    """What a recording says about itself.

    intrinsic_*, extrinsic_*: f64[4,4]; an extrinsic maps that camera to the base frame (identity in
    released scans: depth is registered to colour). Sizes in px. depth_shift: steps per metre.
    num_bytes: where the first frame's record begins.
    """

    sensor_name: str
    intrinsic_color: Float64Array
    extrinsic_color: Float64Array
    intrinsic_depth: Float64Array
    extrinsic_depth: Float64Array
    color_compression: ColorCompression
    depth_compression: DepthCompression
    color_width: int
    color_height: int
    depth_width: int
    depth_height: int
    depth_shift: float
    num_frames: int
    num_bytes: int

    @property
    def raw_color_bytes(self) -> int:
        """Size of a decoded colour image."""
        return self.color_width * self.color_height * 3

    @property
    def raw_depth_bytes(self) -> int:
        """Size of a decoded depth image."""
        return self.depth_width * self.depth_height * 2

    def color_camera(self) -> Intrinsics:
        """The colour camera; DatasetError where it was not calibrated."""
        return pinhole(self.intrinsic_color, self.color_width, self.color_height, "colour")

    def depth_camera(self) -> Intrinsics:
        """The depth camera; DatasetError where it was not calibrated."""
        return pinhole(self.intrinsic_depth, self.depth_width, self.depth_height, "depth")


def pinhole(matrix: Float64Array, width: int, height: int, what: str) -> Intrinsics:
    """Give the pinhole of an intrinsic matrix f64[4,4] and an image size, px.

    Raises:
        DatasetError: a focal length is not above 0.

    """
    fx, fy, cx, cy = (float(matrix[at]) for at in ((0, 0), (1, 1), (0, 2), (1, 2)))
    if not (fx > 0 and fy > 0 and np.isfinite([fx, fy, cx, cy]).all()):
        raise DatasetError(
            f"The {what} camera has focal lengths {fx} and {fy} px and centre ({cx}, {cy}), "
            "expected finite numbers above 0; the recording was made with an uncalibrated sensor."
        )
    return Intrinsics(fx=fx, fy=fy, cx=cx, cy=cy, width=width, height=height)


def read_header(file: CheckedFile) -> SensHeader:
    """Read and check the head of a recording.

    Raises:
        DatasetError: truncated, another version, or values that cannot be; names the field.

    """
    version, name_bytes = _OPENING.unpack(file.read(_OPENING.size, 0, "the version"))
    if version != _VERSION:
        raise _refusal(file, f"version {version}", f"{_VERSION}, that of the released ScanNetv2")
    if name_bytes >= _MAX_NAME_BYTES:
        raise _refusal(file, f"a sensor name of {name_bytes} bytes", f"under {_MAX_NAME_BYTES}")
    name = file.read(name_bytes, _OPENING.size, "the sensor name")
    position = _OPENING.size + name_bytes
    values = _BODY.unpack(file.read(_BODY.size, position, "the camera parameters"))
    matrices = np.array(values[:64], np.float64).reshape(4, 4, 4)
    color, depth = _compressions(file, values[64], values[65])
    color_size, depth_size = values[66:68], values[68:70]
    for what, (width, height) in (("colour", color_size), ("depth", depth_size)):
        if not 0 < width * height <= MAX_PIXELS:
            raise _refusal(file, f"{what} of {width}x{height} px", f"1 to {MAX_PIXELS} pixels")
    shift = values[70]
    if not _SHIFTS[0] <= shift <= _SHIFTS[1]:
        raise _refusal(file, f"depth shift {shift}", f"{_SHIFTS[0]} to {_SHIFTS[1]} steps a metre")
    _check_room(file, position + _BODY.size, values[71])
    return SensHeader(
        sensor_name=name.decode("utf-8", "backslashreplace"),
        intrinsic_color=matrices[0],
        extrinsic_color=matrices[1],
        intrinsic_depth=matrices[2],
        extrinsic_depth=matrices[3],
        color_compression=color,
        depth_compression=depth,
        color_width=color_size[0],
        color_height=color_size[1],
        depth_width=depth_size[0],
        depth_height=depth_size[1],
        depth_shift=shift,
        num_frames=values[71],
        num_bytes=position + _BODY.size,
    )


def _check_room(file: CheckedFile, first: int, num_frames: int) -> None:
    """Refuse more frames than fit behind the header: whoever counts with them would not end."""
    most = (file.size - first) // _SMALLEST_RECORD
    if num_frames > most:
        raise DatasetError(
            f"{file.path}: the header promises {num_frames} frames, but frame {most}, which begins "
            f"at offset {first + most * _SMALLEST_RECORD} or later, has no room in a file of "
            f"{file.size} bytes; it is truncated or damaged: copy or download it again."
        )


def _compressions(
    file: CheckedFile, color: int, depth: int
) -> tuple[ColorCompression, DepthCompression]:
    if color not in list(ColorCompression):
        raise _refusal(file, f"colour compression {color}", "0 (raw), 1 (png) or 2 (jpeg)")
    if depth == DepthCompression.OCCI:
        raise DatasetError(
            f"{file.path}: depth is compressed with occi (2), which is unsupported: its codec was "
            "never published; convert the recording with the capture app's tools to zlib (1)."
        )
    if depth not in list(DepthCompression):
        raise _refusal(file, f"depth compression {depth}", "0 (raw) or 1 (zlib)")
    return ColorCompression(color), DepthCompression(depth)


def _refusal(file: CheckedFile, got: str, expected: str) -> DatasetError:
    return DatasetError(
        f"{file.path}: the header has {got}, expected {expected}; the file is damaged or no "
        "version 4 .sens recording."
    )
