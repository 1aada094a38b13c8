import json

import numpy as np
import pytest
from known_rooms import make_object, make_room

from lisa_ros.errors import SimulationError
from lisa_ros.simulation import generate, preview, storage
from lisa_ros.simulation.requests import sample_requests
from lisa_ros.simulation.storage import read_rooms, read_shard, shard_paths, write_rooms


@pytest.mark.slow
def test_a_stored_room_is_the_room_up_to_its_depth_step(rooms, tmp_path):
    some = rooms[:12]
    assert write_rooms(tmp_path, some) == 12
    back = list(read_rooms(tmp_path))
    assert len({room.image.shape for room in back}) > 1
    for room, copy in zip(some, back, strict=True):
        np.testing.assert_array_equal(copy.image, room.image)
        np.testing.assert_array_equal(copy.instances, room.instances)
        np.testing.assert_allclose(copy.depth_m, room.depth_m, atol=5.1e-5)
        assert copy.depth_m.dtype == np.float32
        assert copy.intrinsics == room.intrinsics
        assert (copy.seed, copy.preset) == (room.seed, room.preset)
        np.testing.assert_array_equal(copy.T_world_camera, room.T_world_camera)


@pytest.mark.slow
def test_objects_and_language_survive_exactly(rooms, tmp_path):
    write_rooms(tmp_path, rooms[:12])
    for room, copy in zip(rooms, read_rooms(tmp_path), strict=False):
        for item, stored in zip(room.objects, copy.objects, strict=True):
            np.testing.assert_array_equal(stored.T_world_object, item.T_world_object)
            facts = {**vars(item), "T_world_object": None}
            assert {**vars(stored), "T_world_object": None} == facts
        for split in ("train", "unseen"):
            first, second = (
                sample_requests(each, np.random.default_rng(1), 8, split) for each in (room, copy)
            )
            assert first == second


def test_rooms_are_split_into_shards_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "ROOMS_PER_SHARD", 2)
    many = [make_room(make_object(1 + index, "mug", "red")) for index in range(5)]
    assert write_rooms(tmp_path, many) == 5
    assert [path.name for path in shard_paths(tmp_path)] == [
        "rooms-00000.npz",
        "rooms-00001.npz",
        "rooms-00002.npz",
    ]
    assert [room.objects[0].id for room in read_rooms(tmp_path)] == [1, 2, 3, 4, 5]


def test_missing_depth_and_unseen_objects_survive(tmp_path):
    room = make_room(make_object(1, "mug", "red", visible_px=0))
    room.depth_m[3, 4] = np.nan
    write_rooms(tmp_path, [room])
    (back,) = read_rooms(tmp_path)
    assert np.isnan(back.depth_m[3, 4])
    assert np.isnan(back.depth_m).sum() == 1
    assert back.objects[0].center_px is None


def test_a_shard_is_never_half_written_nor_overwritten(tmp_path, monkeypatch):
    room = make_room(make_object(1, "mug", "red"))

    def fail(*_args, **_kwargs):
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(storage.os, "fsync", fail)
        with pytest.raises(OSError, match="disk full"):
            write_rooms(tmp_path, [room])
    with pytest.raises(SimulationError, match=r"No rooms-\*\.npz"):
        shard_paths(tmp_path)
    write_rooms(tmp_path, [room])
    with pytest.raises(SimulationError, match="exists"):
        write_rooms(tmp_path, [room])


def test_damaged_foreign_and_newer_shards_are_errors(tmp_path):
    broken = tmp_path / "rooms-00000.npz"
    write_rooms(tmp_path, [make_room(make_object(1, "mug", "red"))])
    whole = broken.read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SimulationError, match=r"rooms-00000\.npz"):
        read_shard(broken)
    np.savez(broken, image=np.zeros(3))
    with pytest.raises(SimulationError, match="Cannot read"):
        read_shard(broken)
    about = np.frombuffer(json.dumps({"version": 99, "rooms": []}).encode(), np.uint8)
    np.savez(broken, image=np.zeros(1), depth=np.zeros(1), instances=np.zeros(1), about=about)
    with pytest.raises(SimulationError, match="format 99"):
        read_shard(broken)


@pytest.mark.parametrize("change", ["no objects", "wider", "a list", "no focal length"])
def test_shards_that_contradict_themselves_are_errors(tmp_path, change):
    write_rooms(tmp_path, [make_room(make_object(1, "mug", "red"))])
    shard = tmp_path / "rooms-00000.npz"
    with np.load(shard) as stored:
        arrays = dict(stored)
    about = json.loads(arrays["about"].tobytes())
    if change == "no objects":
        del about["rooms"][0]["objects"]
    elif change == "wider":
        about["rooms"][0]["intrinsics"]["width"] += 1
    elif change == "no focal length":
        del about["rooms"][0]["intrinsics"]["fx"]
    else:
        about = [about]
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    np.savez_compressed(shard, **arrays)
    with pytest.raises(SimulationError, match=r"Cannot read rooms from .*rooms-00000\.npz"):
        read_shard(shard)


def test_a_room_too_deep_for_the_format_is_an_error(tmp_path):
    room = make_room(make_object(1, "mug", "red"))
    room.depth_m[0, 0] = 7.0
    with pytest.raises(SimulationError, match=r"7\.00 m"):
        write_rooms(tmp_path, [room])


@pytest.mark.slow
def test_the_generator_command_writes_the_rooms_of_its_seeds(rooms, tmp_path, capsys):
    out = tmp_path / "rooms"
    assert generate.main([str(out), "--seed", "3", "--rooms", "2", "--workers", "1"]) == 0
    back = list(read_rooms(out))
    for room, copy in zip(rooms[3:5], back, strict=True):
        np.testing.assert_array_equal(copy.image, room.image)
    assert generate.main([str(out), "--rooms", "2", "--workers", "1"]) == 1
    assert "already holds rooms" in capsys.readouterr().err
    assert generate.main([str(tmp_path / "none"), "--rooms", "0"]) == 1


def test_the_preview_command_draws_a_sheet(tmp_path):
    from PIL import Image

    out = tmp_path / "sheet.png"
    assert preview.main([str(out), "--rooms", "2", "--size", "96", "96"]) == 0
    with Image.open(out) as sheet:
        colors = np.unique(np.asarray(sheet).reshape(-1, 3), axis=0)
    assert len(colors) > 500
    assert preview.main([str(out), "--rooms", "0"]) == 1
    assert preview.main([str(out), "--rooms", "1", "--seed", "-1"]) == 1
