"""Stored rooms by their number, for reading them in any order with little memory."""

from __future__ import annotations

import bisect
import itertools
import json
import os
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lisa_ros.errors import SimulationError
from lisa_ros.simulation.inflated import Inflated
from lisa_ros.simulation.room import Room, RoomObject
from lisa_ros.simulation.storage import (
    NOT_ROOMS,
    check_format,
    restore_object,
    restore_room,
    shard_paths,
)
from lisa_ros.types import Intrinsics

_BUFFERS = {"image": (np.uint8, 3), "depth": (np.uint16, 1), "instances": (np.uint8, 1)}
_LOCAL_HEAD = struct.Struct("<26xHH")  # of a file in a zip archive: lengths of its name and extra


class StoredRooms:
    """The rooms of a folder that `storage.write_rooms` wrote, in the order of `read_rooms`.

    Opening reads what is known of each room, about 4 kB; pictures are read when asked for. Damage
    to a picture may go unnoticed here: only `read_rooms` compares checksums.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Read the index.

        Raises:
            SimulationError: no rooms there, or a shard that is damaged or of another format.

        """
        self._shards = [_open_shard(shard) for shard in shard_paths(path)]
        counts = [len(shard.about) for shard in self._shards]
        self._ends = list(itertools.accumulate(counts))

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> Room:
        """One room, read from the disk. Raises SimulationError where it is damaged."""
        shard, place = self._find(index)
        entry = json.loads(shard.about[place])
        intrinsics = Intrinsics(**entry["intrinsics"])
        first, count = shard.starts[place], intrinsics.width * intrinsics.height
        buffers = {name: buffer.read(first, count) for name, buffer in shard.buffers.items()}
        return restore_room(entry, intrinsics, buffers)

    def objects(self, index: int) -> tuple[RoomObject, ...]:
        """The objects of a room, without reading its pictures."""
        shard, place = self._find(index)
        return tuple(map(restore_object, json.loads(shard.about[place])["objects"]))

    def seed(self, index: int) -> int:
        """The seed that a room was generated from."""
        shard, place = self._find(index)
        return int(json.loads(shard.about[place])["seed"])

    def name(self, index: int) -> str:
        """Shard and place of a room, for people."""
        shard, place = self._find(index)
        return f"{shard.path}#{place}"

    def _find(self, index: int) -> tuple[_Shard, int]:
        if not 0 <= index < len(self):
            raise IndexError(f"Room {index} of {len(self)}.")
        number = bisect.bisect_right(self._ends, index)
        return self._shards[number], index - (self._ends[number - 1] if number else 0)


class _Buffer(NamedTuple):
    """Pixels of a shard's rooms, one after the other, behind `offset` bytes of a head."""

    content: Inflated
    offset: int
    dtype: Any
    channels: int

    def read(self, first: int, count: int) -> np.ndarray:
        """Pixels first .. first + count, [count] or [count, channels]."""
        width = np.dtype(self.dtype).itemsize * self.channels
        data = self.content.read(self.offset + first * width, count * width)
        # Through a bytearray, so that the pixels can be written to as those of other rooms.
        pixels = np.frombuffer(bytearray(data), self.dtype)
        return pixels if self.channels == 1 else pixels.reshape(count, self.channels)


class _Shard(NamedTuple):
    """about: of each room, JSON. starts: of each room, how many pixels lie before it."""

    path: Path
    about: list[bytes]
    starts: list[int]
    buffers: dict[str, _Buffer]


def _open_shard(path: Path) -> _Shard:
    try:
        with zipfile.ZipFile(path) as archive, archive.open("about.npy") as stream:
            about = json.loads(np.lib.format.read_array(stream, allow_pickle=False).tobytes())
            check_format(path, about)
            sizes = [_pixels(entry) for entry in about["rooms"]]
            starts = list(itertools.accumulate(sizes, initial=0))
            buffers = {name: _open_buffer(path, archive, name, starts[-1]) for name in _BUFFERS}
    except NOT_ROOMS as error:
        raise SimulationError(
            f"Cannot read rooms from {path}: {error}. Write them again."
        ) from error
    except (zipfile.BadZipFile, zlib.error, struct.error) as error:
        raise SimulationError(f"{path} is damaged: {error}. Write it again.") from error
    return _Shard(path, [json.dumps(entry).encode() for entry in about["rooms"]], starts, buffers)


def _pixels(entry: dict[str, Any]) -> int:
    width, height = entry["intrinsics"]["width"], entry["intrinsics"]["height"]
    if not (isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0):
        raise ValueError(f"a room has the size {width!r}x{height!r}")
    return width * height


def _open_buffer(path: Path, archive: zipfile.ZipFile, name: str, pixels: int) -> _Buffer:
    """Find the pixels in the archive; ValueError where they are not what is expected."""
    dtype, channels = _BUFFERS[name]
    entry = archive.getinfo(f"{name}.npy")
    with archive.open(entry) as stream:
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):
            raise ValueError(f"{name} is in version {version} of numpy's format")
        shape, _, found = np.lib.format.read_array_header_1_0(stream)
        offset = stream.tell()
    expected = (pixels,) if channels == 1 else (pixels, channels)
    if entry.compress_type != zipfile.ZIP_DEFLATED or found != dtype or shape != expected:
        raise ValueError(f"{name} is {found}{list(shape)}, expected deflated {list(expected)}")
    with open(path, "rb") as raw:
        raw.seek(entry.header_offset)
        lengths = _LOCAL_HEAD.unpack(raw.read(_LOCAL_HEAD.size))
    start = entry.header_offset + _LOCAL_HEAD.size + sum(lengths)
    return _Buffer(Inflated(path, start, entry.compress_size), offset, dtype, channels)
