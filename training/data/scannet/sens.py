"""`.sens` recordings, version 4: one frame at a time, in any order, in constant memory.

Layout after ScanNet's SensReader; little-endian without padding. The frame number is the position
in the file, and the file name in every other part of a scan.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from lisa_ros.errors import DatasetError
from lisa_ros.types import Float32Array, Float64Array, UInt8Array
from training.data.scannet.checked_file import CheckedFile
from training.data.scannet.pose import tracked_pose
from training.data.scannet.sens_header import SensHeader, read_header
from training.data.scannet.sens_index import (
    HEAD_BYTES,
    RecordHead,
    SensIndex,
    build_index,
    read_head,
)
from training.data.scannet.sens_payload import decode_color, decode_depth

_IMU_RECORD = np.dtype(
    [
        ("rotation_rate", "<f8", 3),
        ("acceleration", "<f8", 3),
        ("magnetic_field", "<f8", 3),
        ("attitude", "<f8", 3),
        ("gravity", "<f8", 3),
        ("stamp_us", "<u8"),
    ]
)


@dataclass(frozen=True)
class SensFrame:
    """One frame of a recording.

    color: u8[H,W,3] RGB. depth_m: f32[h,w] z-depth, NaN where nothing was measured, on its own
    grid. T_world_camera: f64[4,4], camera to (un-aligned) world; None where tracking was lost.
    """

    number: int
    color: UInt8Array
    depth_m: Float32Array
    T_world_camera: Float64Array | None
    stamp_color_ns: int
    stamp_depth_ns: int


class SensReader:
    """Random access to the frames of one recording; a context manager.

    Opening reads 96 bytes a frame to learn where the records are; `index` of an earlier reader of
    the same file saves that. Reading keeps no state, so threads and forked workers may share one.

    Raises:
        DatasetError: missing, truncated, malformed, or an index of another file; names the frame
            and the offset. A frame number outside of the recording is an IndexError.

    """

    def __init__(self, path: Path, index: SensIndex | None = None) -> None:
        self.path = path
        self._file = CheckedFile(path)
        try:
            self.index = build_index(self._file) if index is None else index
            if not self.index.belongs_to(self._file):
                raise DatasetError(
                    f"{path}: has changed since its index was made (size or date); open it anew."
                )
        except BaseException:
            self._file.close()
            raise

    @property
    def header(self) -> SensHeader:
        """What the recording says about itself."""
        return self.index.header

    def __len__(self) -> int:
        return len(self.index.offsets)

    def __getitem__(self, number: int) -> SensFrame:
        head = self._head(number)
        return SensFrame(
            number=number,
            color=decode_color(self._color_blob(number, head), self.header, self._where(number)),
            depth_m=decode_depth(self._depth_blob(number, head), self.header, self._where(number)),
            T_world_camera=tracked_pose(head.matrix),
            stamp_color_ns=head.stamp_color_us * 1000,
            stamp_depth_ns=head.stamp_depth_us * 1000,
        )

    def __iter__(self) -> Iterator[SensFrame]:
        return (self[number] for number in range(len(self)))

    def color(self, number: int) -> UInt8Array:
        """The colour image u8[H,W,3] of a frame alone."""
        blob = self._color_blob(number, self._head(number))
        return decode_color(blob, self.header, self._where(number))

    def pose(self, number: int) -> Float64Array | None:
        """`T_world_camera` of a frame alone, without decoding anything."""
        return tracked_pose(self._head(number).matrix)

    def imu(self) -> np.ndarray[Any, np.dtype[np.void]]:
        """The inertial records behind the last frame, in SI units; none where the section is not.

        Raises:
            DatasetError: the section is truncated; names the offset.

        """
        start = self.index.end
        if start == self._file.size:
            return np.empty(0, _IMU_RECORD)
        count = int.from_bytes(self._file.read(8, start, "the number of IMU records"), "little")
        size = count * _IMU_RECORD.itemsize
        data = self._file.read(size, start + 8, f"the section of {count} IMU records")
        return np.frombuffer(data, _IMU_RECORD)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _offset(self, number: int) -> int:
        if not 0 <= number < len(self):
            raise IndexError(f"{self.path} has frames 0 to {len(self) - 1}, got {number}")
        return int(self.index.offsets[number])

    def _head(self, number: int) -> RecordHead:
        return read_head(self._file, self.header, number, self._offset(number))

    def _color_blob(self, number: int, head: RecordHead) -> bytes:
        start = self._offset(number) + HEAD_BYTES
        return self._file.read(head.color_bytes, start, f"the colour of frame {number}")

    def _depth_blob(self, number: int, head: RecordHead) -> bytes:
        start = self._offset(number) + HEAD_BYTES + head.color_bytes
        return self._file.read(head.depth_bytes, start, f"the depth of frame {number}")

    def _where(self, number: int) -> str:
        return f"{self.path}: frame {number} at offset {self._offset(number)}"


def read_sens_header(path: Path) -> SensHeader:
    """Read a recording's header alone, without looking for its frames.

    Raises:
        DatasetError: missing or malformed.

    """
    file = CheckedFile(path)
    try:
        return read_header(file)
    finally:
        file.close()
