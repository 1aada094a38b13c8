"""Rooms on disk: a folder of shards, so that training needs no renderer.

A shard `rooms-00000.npz` holds up to `ROOMS_PER_SHARD` rooms, which may differ in size: flat raw
buffers `image` u8, `depth` u16, `instances` u8, and `about`, UTF-8 JSON with one entry for each
room. Depth is kept in steps of 0.1 mm up to 6.5534 m (65535 means "nothing measured"), so a stored
depth is off by at most 0.05 mm; everything else is exact, and language judges a stored room as it
judges the room itself.
"""

from __future__ import annotations

import dataclasses
import json
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lisa_ros.durable_files import replacing
from lisa_ros.errors import SimulationError
from lisa_ros.simulation.room import Room, RoomObject
from lisa_ros.types import Intrinsics

FORMAT_VERSION = 1
ROOMS_PER_SHARD = 256
_DEPTH_STEP_M = 1e-4
_NO_DEPTH = 65535

# What reading raises where a file holds something else than rooms.
NOT_ROOMS = (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError)


def write_rooms(path: str | os.PathLike[str], rooms: Iterable[Room], first_shard: int = 0) -> int:
    """Write shards into the folder `path` and return how many rooms were written.

    Each shard appears under its name only when it is complete. first_shard: number of the first
    one, so that several writers can share a folder. Raises SimulationError when a shard of that
    number exists.
    """
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    batch: list[Room] = []
    count, shard = 0, first_shard
    for room in rooms:
        batch.append(room)
        if len(batch) == ROOMS_PER_SHARD:
            _write_shard(folder, shard, batch)
            count, shard, batch = count + len(batch), shard + 1, []
    if batch:
        _write_shard(folder, shard, batch)
    return count + len(batch)


def read_rooms(path: str | os.PathLike[str]) -> Iterator[Room]:
    """The rooms of a folder, shard by shard. Raises SimulationError for a damaged one."""
    for shard in shard_paths(path):
        yield from read_shard(shard)


def shard_paths(path: str | os.PathLike[str]) -> list[Path]:
    """The shards of a folder; SimulationError when there are none."""
    shards = sorted(Path(path).glob("rooms-*.npz"))
    if not shards:
        raise SimulationError(
            f"No rooms-*.npz in {path}; write some with "
            f"`python -m lisa_ros.simulation.generate {path}`."
        )
    return shards


def read_shard(path: str | os.PathLike[str]) -> list[Room]:
    """The rooms of one shard. Raises SimulationError when it is damaged or of another format."""
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as stored:
            about = json.loads(stored["about"].tobytes().decode())
            check_format(path, about)
            buffers = {name: stored[name] for name in ("image", "depth", "instances")}
        return _restored(about, buffers)
    except (zipfile.BadZipFile, zlib.error, *NOT_ROOMS) as error:
        raise SimulationError(
            f"Cannot read rooms from {path}: {error}. Write them again."
        ) from error


def _restored(about: dict[str, Any], buffers: Mapping[str, np.ndarray]) -> list[Room]:
    rooms, start = [], 0
    for entry in about["rooms"]:
        intrinsics = Intrinsics(**entry["intrinsics"])
        end = start + intrinsics.width * intrinsics.height
        own = {name: pixels[start:end] for name, pixels in buffers.items()}
        rooms.append(restore_room(entry, intrinsics, own))
        start = end
    return rooms


def check_format(path: str | os.PathLike[str], about: dict[str, Any]) -> None:
    """Raise SimulationError where a shard's `about` is of another version of the format."""
    if about.get("version") != FORMAT_VERSION:
        raise SimulationError(
            f"{path} has room format {about.get('version')}, this version reads {FORMAT_VERSION}."
        )


def _write_shard(folder: Path, number: int, rooms: list[Room]) -> None:
    target = folder / f"rooms-{number:05d}.npz"
    if target.exists():
        raise SimulationError(f"{target} exists; write to another folder or start after it.")
    about = {"version": FORMAT_VERSION, "rooms": [_describe(room) for room in rooms]}
    with replacing(target) as stream:
        np.savez_compressed(
            stream,
            image=np.concatenate([room.image.reshape(-1, 3) for room in rooms]),
            depth=np.concatenate([_depth_steps(room).ravel() for room in rooms]),
            instances=np.concatenate([room.instances.ravel() for room in rooms]),
            about=np.frombuffer(json.dumps(about).encode(), np.uint8),
        )


def _depth_steps(room: Room) -> np.ndarray[Any, np.dtype[np.uint16]]:
    steps = np.round(room.depth_m / _DEPTH_STEP_M)
    known = np.isfinite(steps)
    if (steps[known] >= _NO_DEPTH).any():
        raise SimulationError(
            f"Room of seed {room.seed} is {room.depth_m[known].max():.2f} m deep; "
            "storage holds 6.55 m."
        )
    return np.where(known, steps, _NO_DEPTH).astype(np.uint16)


def _describe(room: Room) -> dict[str, Any]:
    objects = []
    for item in room.objects:
        entry = {field.name: getattr(item, field.name) for field in dataclasses.fields(item)}
        entry["T_world_object"] = item.T_world_object.tolist()
        objects.append(entry)
    return {
        "seed": room.seed,
        "preset": room.preset,
        "intrinsics": dataclasses.asdict(room.intrinsics),
        "T_world_camera": room.T_world_camera.tolist(),
        "objects": objects,
    }


def restore_room(
    entry: dict[str, Any], intrinsics: Intrinsics, buffers: Mapping[str, np.ndarray]
) -> Room:
    """The room of an entry of `about`; buffers: its own pixels of a shard's."""
    shape = (intrinsics.height, intrinsics.width)
    steps = buffers["depth"].reshape(shape)
    depth_m = (steps * np.float32(_DEPTH_STEP_M)).astype(np.float32)
    depth_m[steps == _NO_DEPTH] = np.nan
    return Room(
        image=buffers["image"].reshape(*shape, 3),
        depth_m=depth_m,
        instances=buffers["instances"].reshape(shape),
        objects=tuple(restore_object(item) for item in entry["objects"]),
        intrinsics=intrinsics,
        T_world_camera=np.array(entry["T_world_camera"], np.float64),
        seed=entry["seed"],
        preset=entry["preset"],
    )


def restore_object(entry: dict[str, Any]) -> RoomObject:
    """An object of an entry of `about`."""
    fields = dict(entry)
    fields["T_world_object"] = np.array(entry["T_world_object"], np.float64)
    for name in ("accents", "center_px", "position_m"):
        fields[name] = None if entry[name] is None else tuple(entry[name])
    return RoomObject(**fields)
