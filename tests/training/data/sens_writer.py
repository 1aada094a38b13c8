"""Writes `.sens` files for tests; whatever is asked for, also what no reader should accept."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

LOST = np.full((4, 4), -np.inf)
RAW_COLOR, PNG_COLOR, JPEG_COLOR = 0, 1, 2
RAW_DEPTH, ZLIB_DEPTH, OCCI_DEPTH = 0, 1, 2


@dataclass(frozen=True)
class Record:
    color: bytes
    depth: bytes
    pose: np.ndarray
    stamps_us: tuple[int, int] = (0, 0)
    color_bytes: int | None = None  # what the head says, where it lies

    def pack(self) -> bytes:
        color_bytes = len(self.color) if self.color_bytes is None else self.color_bytes
        sizes = (color_bytes, len(self.depth))
        head = struct.pack("<16f4Q", *self.pose.ravel(), *self.stamps_us, *sizes)
        return head + self.color + self.depth


def raw_record(
    color: np.ndarray,
    depth: np.ndarray,
    pose: np.ndarray | None = None,
    stamps_us: tuple[int, int] = (0, 0),
) -> Record:
    """Raw colour u8[H,W,3], zlib depth u16[h,w]."""
    depth_bytes = zlib.compress(depth.astype("<u2").tobytes())
    return Record(color.tobytes(), depth_bytes, np.eye(4) if pose is None else pose, stamps_us)


def write_sens(
    path: Path,
    records: Sequence[Record],
    *,
    color_size: tuple[int, int] = (8, 6),
    depth_size: tuple[int, int] = (4, 3),
    version: int = 4,
    name: bytes = b"",
    name_bytes: int | None = None,
    compressions: tuple[int, int] = (RAW_COLOR, ZLIB_DEPTH),
    extrinsic_depth: np.ndarray | None = None,
    depth_shift: float = 1000.0,
    num_frames: int | None = None,
    tail: bytes = b"",
) -> Path:
    """Sizes are (width, height)."""
    (cw, ch), (dw, dh) = color_size, depth_size
    identity = np.eye(4)
    k_color = np.array([[cw, 0, cw / 2, 0], [0, cw, ch / 2, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    k_depth = np.array([[dw, 0, dw / 2, 0], [0, dw, dh / 2, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    moved = identity if extrinsic_depth is None else extrinsic_depth
    with path.open("wb") as file:
        file.write(struct.pack("<IQ", version, len(name) if name_bytes is None else name_bytes))
        file.write(name)
        for matrix in (k_color, identity, k_depth, moved):
            file.write(matrix.astype("<f4").tobytes())
        file.write(struct.pack("<2i4I", *compressions, cw, ch, dw, dh))
        count = len(records) if num_frames is None else num_frames
        file.write(struct.pack("<fQ", depth_shift, count))
        for record in records:
            file.write(record.pack())
        file.write(tail)
    return path
