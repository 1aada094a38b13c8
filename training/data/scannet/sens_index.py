"""Where the frames of a `.sens` recording are: their records have no fixed length."""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lisa_ros.errors import DatasetError
from lisa_ros.types import Float64Array
from training.data.scannet.checked_file import CheckedFile
from training.data.scannet.sens_header import (
    ColorCompression,
    DepthCompression,
    SensHeader,
    read_header,
)

# Camera to world (row-major), two stamps in µs, two sizes in bytes; the blobs follow.
_HEAD = struct.Struct("<16f4Q")
HEAD_BYTES = _HEAD.size
# A compressed image may be larger than the raw one, but not by much: thumbnails, profiles.
_SLACK_BYTES = 2**20


class RecordHead(NamedTuple):
    """What stands before a frame's blobs. matrix: f64[4,4], all -inf where tracking was lost."""

    matrix: Float64Array
    stamp_color_us: int
    stamp_depth_us: int
    color_bytes: int
    depth_bytes: int


@dataclass(frozen=True)
class SensIndex:
    """Header and record offsets i64[N] of one recording: eight bytes a frame.

    end: offset behind the last frame. file_size, modified_ns: of the file that was looked through.
    """

    header: SensHeader
    offsets: npt.NDArray[np.int64]
    end: int
    file_size: int
    modified_ns: int

    def belongs_to(self, file: CheckedFile) -> bool:
        """Whether the file is still the one that was looked through."""
        return (self.file_size, self.modified_ns) == (file.size, file.modified_ns)


def build_index(file: CheckedFile) -> SensIndex:
    """Look through a recording once, reading 96 bytes a frame, and check every size.

    Raises:
        DatasetError: truncated or malformed; names the frame and the offset.

    """
    header = read_header(file)
    offsets = array("q")
    position = header.num_bytes
    for frame in range(header.num_frames):
        head = read_head(file, header, frame, position)
        offsets.append(position)
        position += HEAD_BYTES + head.color_bytes + head.depth_bytes
    return SensIndex(header, np.array(offsets, np.int64), position, file.size, file.modified_ns)


def read_head(file: CheckedFile, header: SensHeader, frame: int, offset: int) -> RecordHead:
    """Read the head of a frame's record, and check that its blobs can be.

    Raises:
        DatasetError: truncated, or sizes that cannot be; names the frame and the offset.

    """
    data = _HEAD.unpack(file.read(HEAD_BYTES, offset, f"the record head of frame {frame}"))
    head = RecordHead(np.array(data[:16], np.float64).reshape(4, 4), *data[16:])
    raw_color = header.color_compression == ColorCompression.RAW
    raw_depth = header.depth_compression == DepthCompression.RAW
    _check_size(file, frame, offset, "colour", head.color_bytes, header.raw_color_bytes, raw_color)
    _check_size(file, frame, offset, "depth", head.depth_bytes, header.raw_depth_bytes, raw_depth)
    if head.color_bytes + head.depth_bytes > file.size - offset - HEAD_BYTES:
        raise DatasetError(
            f"{file.path}: frame {frame} at offset {offset} takes {head.color_bytes} bytes of "
            f"colour and {head.depth_bytes} of depth, but the file ends at {file.size}; it is "
            "truncated: copy or download it again."
        )
    return head


def _check_size(
    file: CheckedFile, frame: int, offset: int, what: str, got: int, raw: int, exact: bool
) -> None:
    possible = got == raw if exact else 0 < got <= 2 * raw + _SLACK_BYTES
    if not possible:
        expected = f"{raw}" if exact else f"1 to {2 * raw + _SLACK_BYTES}"
        raise DatasetError(
            f"{file.path}: frame {frame} at offset {offset} has {got} bytes of {what}, expected "
            f"{expected}; the file is damaged: copy or download it again."
        )
