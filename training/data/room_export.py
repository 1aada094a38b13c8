"""Simulated rooms written as a lab dataset, as if a lab had recorded and labelled them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lisa_ros.errors import DatasetError, SimulationError
from lisa_ros.recordings.camera_yaml import camera_info_of
from lisa_ros.recordings.dataset_folder import About
from lisa_ros.recordings.masked_queries import MaskedQuery, annotate
from lisa_ros.recordings.new_dataset import new_dataset
from lisa_ros.recordings.sample import LabSample
from lisa_ros.recordings.sample_meta import SampleMeta
from lisa_ros.recordings.writer import RESERVE_BYTES, write_sample
from lisa_ros.simulation.requests import Request
from lisa_ros.simulation.room import Room
from lisa_ros.simulation.stored_rooms import StoredRooms
from training.data.phrasing import QUESTIONS_PER_IMAGE
from training.data.room_requests import KindChoice, draw_requests

_FRAME = "000000"


class Frames(NamedTuple):
    """How many frames of each split, how many things each shows, and what is asked about it."""

    train: int
    val: int = 0
    kinds: KindChoice = KindChoice()
    requests: int = QUESTIONS_PER_IMAGE
    absent_share: float = 0.25
    things: int = 1  # that may be asked for, at least


def export_rooms(
    rooms: Path, out: Path, frames: Frames, seed: int = 0, *, reserve_bytes: int = RESERVE_BYTES
) -> None:
    """Write random rooms as a new lab dataset, which is there as a whole or not at all.

    Each room is a recording of its own, with one frame: image, depth, calibration, pose, and
    requests with their masks. With the same seed more training frames contain fewer, and what is
    asked about a frame stays the same.

    Raises:
        DatasetError: `out` is not empty, too few rooms that can be asked about, a damaged shard, or
            a full disk.

    """
    try:
        stored = StoredRooms(rooms)
        order = np.random.default_rng(seed).permutation(len(stored)).tolist()
        with new_dataset(out, About(out.resolve().name, "1", "CC0-1.0")) as dataset:
            taken: set[int] = set()
            # Backwards for validation, so that more training frames leave it as it is.
            for split, count, way in (
                ("val", frames.val, order[::-1]),
                ("train", frames.train, order),
            ):
                free = (index for index in way if index not in taken)
                for index, sample in itertools.islice(_samples(stored, free, frames, seed), count):
                    taken.add(index)
                    stem = f"room{index:06d}/{_FRAME}"
                    write_sample(dataset, stem, sample, split=split, reserve_bytes=reserve_bytes)
            _check_count(rooms, len(taken), frames)
    except SimulationError as error:
        raise DatasetError(str(error)) from error


def _samples(
    rooms: StoredRooms, indices: Iterable[int], frames: Frames, seed: int
) -> Iterator[tuple[int, LabSample]]:
    """Rooms in which enough of the kinds can be asked for, as samples."""
    for index in indices:
        if frames.kinds.askable(rooms.objects(index)) < frames.things:
            continue
        room, rng = rooms[index], np.random.default_rng([seed, index])
        requests = draw_requests(
            room, rng, frames.requests, "train", frames.absent_share, frames.kinds
        )
        if any(request.present for request in requests):
            yield index, _sample(room, requests)


def _sample(room: Room, requests: Sequence[Request]) -> LabSample:
    """A room with requests; those for the same thing are wordings of one question."""
    wordings: dict[tuple[int, ...], list[str]] = {}
    for request in requests:
        wordings.setdefault(request.target_ids, []).append(request.text)
    absent = wordings.pop((), [])
    height, width = room.instances.shape
    questions = [MaskedQuery(tuple(texts), True, room.mask(ids)) for ids, texts in wordings.items()]
    questions += [MaskedQuery((text,), True, room.mask(())) for text in absent]
    return LabSample(
        image=room.image,
        annotation=annotate(f"{_FRAME}.jpg", (height, width), questions),
        depth_m=room.depth_m,
        camera_info=camera_info_of(room.intrinsics),
        meta=SampleMeta(
            frame_id="camera_optical_frame",
            T_world_camera=room.T_world_camera,
            world_frame="world",
        ),
    )


def _check_count(rooms: Path, found: int, frames: Frames) -> None:
    wanted = frames.train + frames.val
    if found < wanted:
        kinds = ", ".join(sorted(frames.kinds.only)) or "what can be asked for"
        raise DatasetError(
            f"{rooms} has {found} rooms that show {frames.things} or more of {kinds}; {wanted} are "
            "wanted. Generate more."
        )
