"""Stored rooms as an evaluation set that asks for some kinds of things only."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lisa_ros.model.prompts import text_of, wrap_instruction
from lisa_ros.simulation.requests import Request
from lisa_ros.simulation.room import Room
from lisa_ros.simulation.stored_rooms import StoredRooms
from training.data.room_requests import KindChoice, draw_requests
from training.data.sample import NothingToAskError
from training.evaluation.asked import Asked, AskedImage

_REQUEST_STREAM = 2


class KindQuestions:
    """Requests for what is there, in the words of training; the source of each is its kind.

    Of all rooms of the folder in which one of the kinds can be asked for; the same requests in
    every run and for every model. template: see `wrap_instruction`.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        kinds: KindChoice,
        *,
        requests_per_room: int,
        template: str,
    ) -> None:
        """Read what is known of the rooms. Raises SimulationError where there are none."""
        self.name = name
        self._kinds, self._requests, self._template = kinds, requests_per_room, template
        self._rooms = StoredRooms(folder)
        numbers = range(len(self._rooms))
        self._kept = [number for number in numbers if kinds.askable(self._rooms.objects(number))]

    def __len__(self) -> int:
        return len(self._kept)

    def image(self, index: int) -> AskedImage:
        """Draw the requests about a room.

        Raises:
            SimulationError: the room is damaged; names the shard.
            NothingToAskError: nothing in it can be asked for without ambiguity.

        """
        room = self._rooms[self._kept[index]]
        rng = np.random.default_rng([room.seed, _REQUEST_STREAM])
        requests = draw_requests(room, rng, self._requests, "train", 0.0, self._kinds)
        if not requests:
            raise NothingToAskError(f"Nothing to ask for in room {room.seed}.")
        questions = tuple(self._asked(room, request) for request in requests)
        return AskedImage(f"room {room.seed}", room.image, questions)

    def _asked(self, room: Room, request: Request) -> Asked:
        (kind,) = {item.kind for item in room.objects if item.id in request.target_ids}
        text = text_of(wrap_instruction(request.text, self._template))
        truth = room.mask(request.target_ids).astype(np.uint8)
        return Asked(text, request.form, kind, truth)
