"""Simulated rooms as an evaluation set: true depth, and what is asked for may be absent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from lisa_ros.errors import ConfigurationError
from lisa_ros.model.prompts import INSTRUCTION_FIELD, text_of, wrap_instruction
from lisa_ros.model.settings import LisaSettings
from lisa_ros.simulation.noise import sense_depth
from lisa_ros.simulation.requests import sample_requests
from lisa_ros.simulation.room import Room, generate_room
from lisa_ros.simulation.wordings import Split
from training.evaluation.asked import Asked, AskedImage, Depth

REQUESTS_PER_ROOM = 8
ABSENT_SHARE = 0.25
# Requests and sensor noise have streams of their own, so that neither depends on how a room was
# made.
_REQUEST_STREAM, _NOISE_STREAM = 1, 2


@dataclass(frozen=True)
class RoomEvaluation:
    """Rooms `first_seed`, `first_seed` + 1, ..., rendered when they are asked for.

    phrasings: which wordings. noise: predicted masks are lifted through a simulated sensor's depth.
    template: wraps the requests. first_seed is that of the requests and of the noise too.
    """

    preset: str
    first_seed: int
    count: int
    phrasings: Split = "train"
    noise: bool = False
    template: str = INSTRUCTION_FIELD

    @property
    def name(self) -> str:
        """Such as "rooms|tabletop|7-206|train|noise"."""
        seeds = f"{self.first_seed}-{self.first_seed + self.count - 1}"
        parts = ["rooms", self.preset, seeds, self.phrasings, *(["noise"] if self.noise else [])]
        return "|".join(parts)

    def __len__(self) -> int:
        return self.count

    def image(self, index: int) -> AskedImage:
        """Render a room. Raises SimulationError."""
        room = generate_room(self.first_seed + index, self.preset)
        return asked_of_room(
            room,
            seed=self.first_seed,
            split=self.phrasings,
            noise=self.noise,
            template=self.template,
        )


def asked_of_room(
    room: Room, *, seed: int, split: Split, noise: bool, template: str = INSTRUCTION_FIELD
) -> AskedImage:
    """Draw requests about a room, present and absent ones.

    seed: of the requests and of the sensor's noise. template: see `wrap_instruction`.
    """
    rng = np.random.default_rng([seed, room.seed, _REQUEST_STREAM])
    requests = sample_requests(room, rng, REQUESTS_PER_ROOM, split, ABSENT_SHARE)
    depth_m = room.depth_m
    if noise:
        noise_rng = np.random.default_rng([seed, room.seed, _NOISE_STREAM])
        depth_m = sense_depth(room.depth_m, room.intrinsics, noise_rng)
    questions = tuple(
        Asked(
            text=text_of(wrap_instruction(request.text, template)),
            form=request.form,
            source=room.preset,
            truth=room.mask(request.target_ids).astype(np.uint8),
        )
        for request in requests
    )
    depth = Depth(room.depth_m, depth_m, room.intrinsics)
    return AskedImage(f"room {room.seed}", room.image, questions, depth)


def simulated_rooms(first_seed: int, count: int, preset: str) -> Iterator[Room]:
    """The rooms of consecutive seeds, rendered as they are needed, with a progress bar."""
    for seed in tqdm(range(first_seed, first_seed + count), desc="rooms", unit="room"):
        yield generate_room(seed, preset)


def refuse_known_rooms(settings: LisaSettings, seeds: range) -> None:
    """Raise ConfigurationError for rooms that the checkpoint was trained or calibrated on."""
    refuse_trained_rooms(settings, seeds)
    _refuse(settings.provenance.get("calibrated_on", {}).get("room_seeds"), seeds, "calibrated")


def refuse_trained_rooms(settings: LisaSettings, seeds: range) -> None:
    """Raise ConfigurationError for rooms that the checkpoint was trained on."""
    _refuse(settings.provenance.get("room_seeds"), seeds, "trained")


def _refuse(known: Sequence[int] | None, seeds: range, what: str) -> None:
    if known and seeds.start <= known[1] and known[0] < seeds.stop:
        raise ConfigurationError(
            f"This checkpoint was {what} on rooms {known[0]} to {known[1]}; take others, for "
            f"example --seed {_free(known, len(seeds))}."
        )


def _free(known: Sequence[int], count: int) -> int:
    """The first of so many rooms that are not known."""
    return 0 if count <= known[0] else known[1] + 1
