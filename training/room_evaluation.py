"""Ask a model about rooms in memory and compare its answers with the truth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lisa_ros.inference.segmenter import Segmenter
from lisa_ros.simulation.room import Room
from lisa_ros.simulation.wordings import Split
from training.evaluation.asking import Protocol
from training.evaluation.record import Record
from training.evaluation.room_set import asked_of_room
from training.evaluation.running import Examiner


def ask_about_rooms(
    segmenter: Segmenter, rooms: Iterable[Room], *, seed: int, split: Split, noise: bool
) -> Iterator[Record]:
    """Put requests about each room to a model that never rejects, in the prompted mode.

    seed: of the requests and of the sensor's noise. noise: lift through a simulated sensor's depth.
    The segmenter wraps the requests in its own template.

    Raises:
        ConfigurationError: the segmenter has a threshold.

    """
    examiner = Examiner(segmenter, (Protocol("prompted"),))
    for index, room in enumerate(rooms):
        asked = asked_of_room(room, seed=seed, split=split, noise=noise)
        yield from examiner.records(room.preset, index, asked)
