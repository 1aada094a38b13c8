"""Fixed-size records, found by key, in files that several processes fill at once; no torch.

A folder holds shards. A shard is written by one process alone and only ever grows:

    NAME.data    records, one behind the other
    NAME.index   an entry for each, written after its record: key 32 bytes, number of the record
                 u64, CRC-32 of the record u32, CRC-32 of the entry up to here u32; little-endian

A writer begins a shard under a name that nobody else has, rather than lock and continue an old one:
that works on file systems without locks, and nobody has to repair what a dead writer left. Killed
at any byte, a writer leaves at most a piece of a record that no entry names, or a piece of an entry
at the end of its index; readers pass over both. Nothing is flushed to the disk on purpose: what a
power failure takes is found by the checksums, and only costs computing it again.
"""

from __future__ import annotations

import os
import secrets
import struct
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lisa_ros.types import UInt8Array

KEY_BYTES = 32
_ENTRY = struct.Struct(f"<{KEY_BYTES}sQI")
_CHECKSUM = struct.Struct("<I")
ENTRY_BYTES = _ENTRY.size + _CHECKSUM.size
DATA_SUFFIX = ".data"
INDEX_SUFFIX = ".index"


class _Place(NamedTuple):
    """Where a record is, and its checksum."""

    shard: _Shard
    number: int
    crc: int


class RecordShards:
    """All shards of a folder, and a shard of its own that it begins at the first `append`.

    record_bytes: the size of every record. writer: how the names of its own files begin. Threads
    may share one.
    """

    def __init__(self, folder: Path, record_bytes: int, writer: str) -> None:
        self.folder, self.record_bytes, self.writer = folder, record_bytes, writer
        self._own: _ShardWriter | None = None
        self._shards: dict[str, _Shard] = {}
        # A key has several places where two processes computed it at once, or one was damaged.
        self._places: dict[bytes, list[_Place]] = {}
        self._lock = threading.Lock()
        self._read_indexes()

    def __len__(self) -> int:
        return len(self._places)

    def get(self, key: bytes) -> UInt8Array | None:
        """A copy of a record, u8[record_bytes]; None where no process has stored it undamaged.

        What is not known yet is looked for in the indexes, as far as they have grown meanwhile.
        """
        with self._lock:
            if key not in self._places:
                self._read_indexes()
            places = self._places.get(key, [])
            while places:
                record = places[-1].shard.record(places[-1].number)
                if record is not None and zlib.crc32(record.data) == places[-1].crc:
                    return record
                places.pop()
            self._places.pop(key, None)
            return None

    def append(self, key: bytes, record: UInt8Array) -> None:
        """Store a record u8[record_bytes] for all processes; one known already is left as it is.

        Raises:
            OSError: the disk is full, or the folder cannot be written; nothing stored is lost.

        """
        assert len(key) == KEY_BYTES, f"a key has {KEY_BYTES} bytes, got {len(key)}"
        assert record.nbytes == self.record_bytes, f"got a record of {record.nbytes} bytes"
        with self._lock:
            if key in self._places:
                return
            # A forked process has inherited the shard of its parent, which goes on writing there.
            if self._own is None or self._own.process != os.getpid():
                self._own = _ShardWriter(self.folder, self.writer)
            self._own.append(key, record)
            self._read_indexes()

    def _read_indexes(self) -> None:
        with os.scandir(self.folder) as files:
            sizes = {f.name: f.stat().st_size for f in files if f.name.endswith(INDEX_SUFFIX)}
        for name in sorted(sizes):
            if name not in self._shards:
                path = self.folder / name.removesuffix(INDEX_SUFFIX)
                self._shards[name] = _Shard(path, self.record_bytes)
            shard = self._shards[name]
            for key, place in shard.new_entries(sizes[name]):
                self._places.setdefault(key, []).append(place)


class _Shard:
    """Reads the shard of one writer, which may still be growing."""

    def __init__(self, path: Path, record_bytes: int) -> None:
        self._data_path = path.with_name(path.name + DATA_SUFFIX)
        self._index_path = path.with_name(path.name + INDEX_SUFFIX)
        self._record_bytes = record_bytes
        self._entries_read = 0
        self._mapped: UInt8Array = np.zeros(0, np.uint8)

    def new_entries(self, index_bytes: int) -> Iterator[tuple[bytes, _Place]]:
        """The entries that came since the last call, of an index that is now this long.

        The piece of one at the end is left for a later call; one that is damaged is passed over.
        """
        start, stop = self._entries_read, index_bytes // ENTRY_BYTES
        if stop <= start:
            return
        with self._index_path.open("rb") as file:
            file.seek(start * ENTRY_BYTES)
            content = file.read((stop - start) * ENTRY_BYTES)
        self._entries_read = start + len(content) // ENTRY_BYTES
        for offset in range(0, len(content) - ENTRY_BYTES + 1, ENTRY_BYTES):
            end = offset + _ENTRY.size
            if zlib.crc32(content[offset:end]) == _CHECKSUM.unpack_from(content, end)[0]:
                key, number, crc = _ENTRY.unpack_from(content, offset)
                yield key, _Place(self, number, crc)

    def record(self, number: int) -> UInt8Array | None:
        """A copy of a record; None where the file is too short to hold it."""
        start, end = number * self._record_bytes, (number + 1) * self._record_bytes
        if len(self._mapped) < end:
            self._map()
        # The end of a mapping that lies beyond its file would be a bus error, not an exception.
        return self._mapped[start:end].copy() if len(self._mapped) >= end else None

    def _map(self) -> None:
        if self._data_path.exists() and self._data_path.stat().st_size > 0:
            self._mapped = np.memmap(self._data_path, np.uint8, mode="r").view(np.ndarray)


class _ShardWriter:
    """Writes a new shard."""

    def __init__(self, folder: Path, name: str) -> None:
        self.process = os.getpid()
        self._count = 0
        path = folder / f"{name}-{secrets.token_hex(8)}"
        self._data = path.with_name(path.name + DATA_SUFFIX)
        self._index = path.with_name(path.name + INDEX_SUFFIX)
        for file in (self._data, self._index):
            file.touch(exist_ok=False)

    def append(self, key: bytes, record: UInt8Array) -> None:
        """The record first: an entry never names what is not there."""
        _write(self._data, record.data, self._count * record.nbytes)
        entry = _ENTRY.pack(key, self._count, zlib.crc32(record.data))
        entry += _CHECKSUM.pack(zlib.crc32(entry))
        _write(self._index, memoryview(entry), self._count * ENTRY_BYTES)
        self._count += 1


def _write(path: Path, content: memoryview, offset: int) -> None:
    """Write all of it at this place, over what a write that failed half-way may have left there."""
    with path.open("r+b", buffering=0) as file:
        while content:
            written = os.pwrite(file.fileno(), content, offset)
            content, offset = content[written:], offset + written
