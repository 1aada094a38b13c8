"""Rooms read in any order are the rooms read one after the other."""

from __future__ import annotations

import pickle
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from block_rooms import block_room

from lisa_ros.errors import SimulationError
from lisa_ros.simulation import inflated, storage
from lisa_ros.simulation.inflated import Inflated
from lisa_ros.simulation.room import Room
from lisa_ros.simulation.storage import read_rooms, write_rooms
from lisa_ros.simulation.stored_rooms import StoredRooms


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two shards, of four rooms and of one, of two sizes."""
    monkeypatch.setattr(storage, "ROOMS_PER_SHARD", 4)
    write_rooms(tmp_path, [block_room(n, height=40 + 8 * (n % 2)) for n in range(5)])
    return tmp_path


def assert_same(room: Room, other: Room) -> None:
    for name in ("image", "depth_m", "instances", "T_world_camera"):
        np.testing.assert_array_equal(getattr(room, name), getattr(other, name))
        assert getattr(room, name).dtype == getattr(other, name).dtype
    assert (room.seed, room.preset, room.intrinsics) == (other.seed, other.preset, other.intrinsics)
    assert [item.position_m for item in room.objects] == [i.position_m for i in other.objects]


def test_any_order_gives_the_same_rooms(folder: Path) -> None:
    stored, expected = StoredRooms(folder), list(read_rooms(folder))
    assert len(stored) == len(expected) == 5
    for index in (4, 1, 3, 0, 2, 2):
        assert_same(stored[index], expected[index])
        assert [item.kind for item in stored.objects(index)] == ["mug", "ball"]
    assert stored.name(4) == f"{folder / 'rooms-00001.npz'}#0"
    with pytest.raises(IndexError):
        stored[5]


def test_rooms_travel_to_another_process(folder: Path) -> None:
    stored = StoredRooms(folder)
    stored[3]
    assert_same(pickle.loads(pickle.dumps(stored))[2], stored[2])


@pytest.mark.parametrize("spacing", [1, 1000, 10**9])
def test_any_stretch_of_a_stream_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spacing: int
) -> None:
    monkeypatch.setattr(inflated, "_SPACING_BYTES", spacing)
    monkeypatch.setattr(inflated, "_CHUNK_BYTES", 100)
    rng = np.random.default_rng(0)
    content = bytes(rng.integers(0, 5, 20_000, dtype=np.uint8))
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = packer.compress(content) + packer.flush()
    (tmp_path / "file").write_bytes(b"before" + packed + b"behind")
    stream = Inflated(tmp_path / "file", 6, len(packed))
    for first, count in [(0, 5), (19_990, 10), (7, 0), (12_345, 700), (3, 19_000), (0, 20_000)]:
        assert stream.read(first, count) == content[first : first + count]
    with pytest.raises(SimulationError, match="ends early"):
        stream.read(19_990, 11)


def test_damage_is_an_error_that_names_the_file(folder: Path) -> None:
    shard = folder / "rooms-00001.npz"
    whole = shard.read_bytes()
    with zipfile.ZipFile(shard) as archive:
        start = archive.getinfo("image.npy").header_offset
    broken = bytearray(whole)
    broken[start + 200 : start + 300] = b"\xff" * 100
    shard.write_bytes(bytes(broken))
    with pytest.raises(SimulationError, match="rooms-00001"):
        StoredRooms(folder)[4]
    for content in (whole[:-100], b"", b"no archive"):
        shard.write_bytes(content)
        with pytest.raises(SimulationError, match="rooms-00001"):
            StoredRooms(folder)


def test_a_shard_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="generate"):
        StoredRooms(tmp_path)
    write_rooms(tmp_path, [block_room(0)])
    shard = tmp_path / "rooms-00000.npz"
    with np.load(shard) as stored:
        arrays = dict(stored)
    for changed, said in (
        ({"depth": arrays["depth"][:-1]}, "depth is uint16"),
        ({"image": arrays["image"].astype(np.int32)}, "image is int32"),
        ({"about": np.frombuffer(b'{"version": 2, "rooms": []}', np.uint8)}, "room format 2"),
        ({"about": np.frombuffer(b'{"version": 1}', np.uint8)}, "rooms"),
    ):
        np.savez_compressed(shard, **{**arrays, **changed})
        with pytest.raises(SimulationError, match=said):
            StoredRooms(tmp_path)
    np.savez(shard, **arrays)
    with pytest.raises(SimulationError, match="deflated"):
        StoredRooms(tmp_path)
